package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/topic"
)

func newEchoCommand(a *app) *cobra.Command {
	var e echoing
	cmd := &cobra.Command{
		Use:        "echo NAME [flags]",
		SuggestFor: []string{"subscribe", "sub"},
		Short:      "Subscribe to a topic and print its messages",
		Long: `Echo subscribes to a topic and prints each message as a line, or with --framed as
its length in 4 bytes, little endian, and its bytes; with --hex in hexadecimal.
NAME is the name of the topic, or its address, topic:NAME. First come the messages
that the topic keeps of each publisher, as many as its history has, or --history.
It waits for more until it is interrupted, or --count messages were printed.

Publishers wait for it if it does not keep up, unless the topic was made so that
they wait for nobody. With --best-effort they do not: they overwrite what it has
not read, and it says on standard error how many messages it has missed.

Messages that are values of a type, of programs that use the library, are printed
in hexadecimal, as they are in memory. A line cannot hold a newline: a message
that has one is an error, unless it is printed otherwise.

With --json each message is an object on a line of its own: "sequence" and
"publisher", how many it "missed" in front of it, "time_ns" of the clock
CLOCK_MONOTONIC if the topic has timestamps, "bytes", and "text", or what is not
UTF-8 or of a type as "base64". The other of the two is null.

If there is no topic it makes one of bytes, with settings that nobody gave, so that
nothing is missed that is published from then on. --existing waits instead until
somebody else makes it: a program that needs a type of its own, or settings. With
--nowait it must exist.`,
		Example: `  shmkit echo log
  shmkit echo topic:numbers --count 10 --history 0
  shmkit echo camera --best-effort --framed > frames
  shmkit echo log --json | jq -r .text`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Topics](a),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := errors.Join(e.check(cmd), a.canPrint()); err != nil {
				return err
			}
			addr, k, err := a.topicOf(args[0], "echo")
			if err != nil {
				return err
			}
			if e.wait.noWait {
				e.s, err = k.Subscribe(addr, e.options())
			} else {
				e.s, err = a.subscribe(cmd.Context(), addr, k, e.options(), "echo", e.existing)
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.s.Close()) }()
			return e.run(cmd.Context(), a)
		},
	}
	cmd.Flags().Int64Var(&e.count, "count", 0, "end after `N` messages (default: no bound)")
	cmd.Flags().IntVar(&e.history, "history", 0, "begin with the last `N` messages of each publisher, as far as they are kept (default: all that are)")
	cmd.Flags().BoolVar(&e.bestEffort, "best-effort", false, "keep no publisher waiting, and miss messages")
	cmd.Flags().BoolVar(&e.existing, "existing", false, "do not make the topic, but wait until there is one")
	e.format.register(cmd, "what is printed of a message")
	cmd.Flags().BoolVar(&e.hex, "hex", false, "print each message in hexadecimal, on a line")
	e.wait.register(cmd)
	jsonFlag(cmd, &e.asJSON, "print each message as a JSON object on a line")
	cmd.MarkFlagsMutuallyExclusive("json", "framed", "hex")
	cmd.MarkFlagsMutuallyExclusive("existing", "nowait")
	return cmd
}

// echoing is what to receive, and how to print it.
type echoing struct {
	count                             int64
	history                           int
	historyGiven                      bool
	bestEffort, existing, hex, asJSON bool
	typed, timed                      bool
	format                            messageFormat
	wait                              waitFlags
	s                                 *topic.BytesSubscriber
	buf                               []byte
	n                                 int64 // messages in buf, and printed
}

func (e *echoing) check(cmd *cobra.Command) error {
	e.historyGiven = cmd.Flags().Changed("history")
	switch {
	case e.count < 1 && cmd.Flags().Changed("count"):
		return usagef("--count must be at least 1, not %d", e.count)
	case e.history < 0:
		return usagef("--history must be at least 0, not %d", e.history)
	}
	return e.wait.check()
}

// options is how to subscribe.
func (e *echoing) options() topic.SubscriberOptions {
	o := topic.SubscriberOptions{BestEffort: e.bestEffort, History: e.history}
	if e.historyGiven && e.history == 0 {
		o.History = -1
	}
	return o
}

// printAtOnce is so much output that is printed even if there is more.
const printAtOnce = 64 << 10

func (e *echoing) run(ctx context.Context, a *app) error {
	s, err := e.s.Stat()
	if err != nil {
		return err
	}
	e.typed, e.timed = e.s.Type() != topic.BytesType, s.Timestamps
	e.hex = e.hex || e.typed && !e.format.framed && !e.asJSON
	tell := missedTeller{a: a, verb: "echo"}
	if !e.asJSON {
		defer func() { tell.last(e.s.Missed()) }()
	}
	for e.more() {
		if err := ctx.Err(); err != nil { // a subscriber that finds a message does not look
			return err
		}
		e.buf = e.buf[:0]
		failed := e.wait.do(ctx, text(e.s.Name()), "a message",
			func(ctx context.Context) error { m, err := e.s.Receive(ctx); return e.take(m, err) },
			func() error { m, err := e.s.TryReceive(); return e.take(m, err) })
		for failed == nil && e.more() && len(e.buf) < printAtOnce {
			m, err := e.s.TryReceive()
			if err == topic.ErrEmpty {
				break
			}
			failed = e.take(m, err)
		}
		if len(e.buf) > 0 {
			if _, err := a.out.Write(e.buf); err != nil {
				return err
			}
		}
		if failed != nil {
			return failed
		}
		if !e.asJSON {
			tell.missed(e.s.Missed())
		}
	}
	return nil
}

func (e *echoing) more() bool { return e.count == 0 || e.n < e.count }

// take appends a message to what is to be printed, and releases it.
func (e *echoing) take(m topic.BytesMessage, err error) error {
	if err != nil {
		return err
	}
	e.n++
	switch {
	case e.asJSON:
		e.buf = append(e.buf, jsonLine(newPublicationJSON(m.Info, m.Data(), e.typed, e.timed))...)
	case e.hex:
		e.buf = append(hex.AppendEncode(e.buf, m.Data()), '\n')
	default:
		if e.buf, err = e.format.appendMessage(e.buf, "", m.Data()); err != nil {
			err = fmt.Errorf("message %d of publisher %d: %w, as does --hex", m.Sequence, m.Publisher, err)
		}
	}
	return errors.Join(err, m.Release())
}
