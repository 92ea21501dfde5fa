package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"syscall"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

func newMsgReceiveCommand(a *app) *cobra.Command {
	var r receive
	cmd := &cobra.Command{
		Use:   "receive ADDRESS [flags]",
		Short: "Receive a message",
		Long: `Receive takes one message out of a queue and prints it and a newline; --raw
prints nothing but the message. It takes the oldest, or what one of these
selects:

  --type N     the oldest of type N
  --up-to N    the oldest of the lowest type that is at most N
  --except N   the oldest of any other type than N
  --peek POS   the one at position POS (0: the oldest), which stays in the queue

It waits until there is one; --peek doesn't. A message longer than --length is
an error and stays in the queue, unless --truncate lets it lose its end.`,
		Example: `  shmkit msg receive msg:0x5eed
  shmkit msg receive msg:0x5eed --type 7 --timeout 2s
  shmkit msg receive msg:0x5eed --peek 0 --json`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Queue](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(cmd); err != nil {
				return err
			}
			q, err := a.openQueue(args[0], "msg receive")
			if err != nil {
				return err
			}
			if err := a.canPrint(); err != nil {
				return err
			}
			typ, data, err := r.receive(cmd.Context(), q)
			if err != nil {
				return err
			}
			switch {
			case r.asJSON:
				return a.printJSON(newMessageJSON(typ, data))
			case !r.raw:
				data = append(data, '\n')
			}
			_, err = a.out.Write(data)
			return err
		},
	}
	flags := cmd.Flags()
	flags.Int64Var(&r.typ, "type", 0, "of type `N`")
	flags.Int64Var(&r.upTo, "up-to", 0, "of the lowest type that is at most `N`")
	flags.Int64Var(&r.except, "except", 0, "of any type but `N`")
	flags.Int64Var(&r.peek, "peek", 0, "the one at position `POS`, without taking it out")
	cmd.MarkFlagsMutuallyExclusive("type", "up-to", "except", "peek")
	flags.Var(&r.length, "length", "longest message to take")
	flags.BoolVar(&r.truncate, "truncate", false, "cut a message that is longer than --length")
	flags.BoolVar(&r.raw, "raw", false, "print the message without a newline")
	jsonFlag(cmd, &r.asJSON, "print one JSON object")
	cmd.MarkFlagsMutuallyExclusive("raw", "json")
	r.wait.register(cmd)
	return cmd
}

// receive is what to receive and how.
type receive struct {
	typ, upTo, except, peek int64
	peeking                 bool
	length                  sizeFlag
	truncate, raw, asJSON   bool
	wait                    waitFlags
	selector                sysv.Selector
}

// check checks the flags and makes the selector of them.
func (r *receive) check(cmd *cobra.Command) error {
	for _, f := range []struct {
		name  string
		value int64
		make  func(int64) sysv.Selector
	}{{"type", r.typ, sysv.Type}, {"up-to", r.upTo, sysv.UpTo}, {"except", r.except, sysv.Except}} {
		if !cmd.Flags().Changed(f.name) {
			continue
		}
		if f.value < 1 {
			return usagef("--%s %d: message types begin at 1", f.name, f.value)
		}
		r.selector = f.make(f.value)
	}
	r.peeking = cmd.Flags().Changed("peek")
	if r.peek < 0 || r.peek > math.MaxInt32 {
		return usagef("--peek %d: positions are 0 to %d", r.peek, math.MaxInt32)
	}
	if r.length.n > math.MaxInt32 {
		return usagef("--length %d: no message is longer than %d bytes", r.length.n, math.MaxInt32)
	}
	if r.truncate && r.length.given { // else there is nothing to cut to
		r.selector = r.selector.Truncate()
	}
	return nil
}

// firstBuffer is long enough for most messages; the kernel tells when it isn't.
const firstBuffer = 64 << 10

func (r *receive) receive(ctx context.Context, q *sysv.MessageQueue) (typ int64, data []byte, err error) {
	into := func(receive func(buf []byte) (int64, int, error)) func() error {
		return func() (err error) {
			typ, data, err = r.fit(receive)
			return err
		}
	}
	if r.peeking {
		err = into(func(buf []byte) (int64, int, error) { return q.Peek(int(r.peek), r.truncate && r.length.given, buf) })()
		if errors.Is(err, sysv.ErrWouldBlock) {
			err = &waitError{fmt.Sprintf("message queue %s has no message at position %d", q, r.peek), err}
		}
		return typ, data, err
	}
	err = r.wait.do(ctx, q, "a message", func(ctx context.Context) error {
		return into(func(buf []byte) (int64, int, error) { return q.Receive(ctx, r.selector, buf) })()
	}, into(func(buf []byte) (int64, int, error) { return q.TryReceive(r.selector, buf) }))
	return typ, data, err
}

// fit receives into a buffer of --length, or one that grows until the message
// fits: one that doesn't stays in the queue.
func (r *receive) fit(receive func(buf []byte) (int64, int, error)) (int64, []byte, error) {
	size := firstBuffer
	if r.length.given {
		size = int(r.length.n)
	}
	for {
		buf := make([]byte, size)
		typ, n, err := receive(buf)
		if r.length.given || !errors.Is(err, syscall.E2BIG) || size == math.MaxInt32 {
			return typ, buf[:n], err
		}
		size = min(size*8, math.MaxInt32)
	}
}

// messageJSON is a message for programs. The keys are stable.
type messageJSON struct {
	Type  int64   `json:"type"`
	Bytes int     `json:"bytes"`
	Text  *string `json:"text"` // null if it isn't UTF-8
	// Base64 is the message whatever it is.
	Base64 string `json:"base64"`
}

func newMessageJSON(typ int64, data []byte) messageJSON {
	m := messageJSON{Type: typ, Bytes: len(data), Base64: base64.StdEncoding.EncodeToString(data)}
	if utf8.Valid(data) {
		text := string(data)
		m.Text = &text
	}
	return m
}
