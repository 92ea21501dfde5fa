package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/queue"
)

func newPushCommand(a *app) *cobra.Command {
	var wait waitFlags
	var format messageFormat
	var asJSON bool
	var flags *kindFlags
	cmd := &cobra.Command{
		Use:   "push NAME [flags]",
		Short: "Put lines into a work queue, for pop to take",
		Long: `Push puts each line of its standard input into a queue, as an item of its own,
from where one "shmkit pop" takes it. NAME is the name of the queue, or its
address, queue:NAME. The newline is not part of the item; an empty line is an
empty item, and what stands behind the last newline is one too. With --framed
the input is messages of any bytes, each with its length in front: 4 bytes,
little endian.

The queue is made if there is none. What it is made with, --capacity and the
like, must be what it was made with if there is one. It goes when nobody has it
open and nothing is in it, unless it is --persistent or was made by shmkit
create.

It waits while the queue is full, for each item at most --timeout. It ends at
the end of its input. An item that is longer than the queue was made for is an
error. With any error push says how many it has pushed: these are in the queue,
and none after.`,
		Example: `  seq 100 | shmkit push jobs
  shmkit push queue:jobs --capacity 10 --timeout 5s < urls
  shmkit push jobs --deliveries 3 --framed < messages`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.WorkQueues](a),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := wait.check(); err != nil {
				return err
			}
			if err := a.canRead(); err != nil {
				return err
			}
			q, err := a.openWorkQueue(args[0], "push", flags, false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, q.Close()) }()
			s, err := q.Stat()
			if err != nil {
				return err
			}
			p := pushing{address: q.Name(), format: format}
			in := newMessageReader(&input{cmd.Context(), a.in}, format, s.MaxItem)
			if err := p.all(cmd.Context(), q, in, &wait); err != nil {
				return p.failed(a, in, err)
			}
			if asJSON {
				return a.printJSON(pushedJSON{q.Name(), p.items, p.bytes})
			}
			return nil
		},
	}
	flags = newKindFlags(a, cmd, kind.WorkQueues.WorkQueueOptions)
	format.register(cmd, "an item of the input")
	wait.register(cmd)
	jsonFlag(cmd, &asJSON, "print one JSON object at the end")
	return cmd
}

// pushedJSON is what was pushed, for programs. The keys are stable.
type pushedJSON struct {
	Address string `json:"address"`
	Items   int64  `json:"items"`
	Bytes   int64  `json:"bytes"` // of the items
}

// pushing is what was pushed so far.
type pushing struct {
	address      string
	format       messageFormat
	items, bytes int64
}

// all pushes every message of the input.
func (p *pushing) all(ctx context.Context, q *queue.Bytes, in *messageReader, wait *waitFlags) error {
	for {
		item, err := in.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := wait.do(ctx, text(p.address), "room",
			func(ctx context.Context) error { return q.Push(ctx, item) },
			func() error { return q.TryPush(item) }); err != nil {
			return err
		}
		p.items++
		p.bytes += int64(len(item))
	}
}

// failed says with an error what of the input is in the queue, if not all that was read is.
func (p *pushing) failed(a *app, in *messageReader, err error) error {
	if errors.Is(err, errTooLong) {
		err = fmt.Errorf("%w for an item of %s (--max-item when it is made)", err, oneLine(p.address))
	}
	said := fmt.Sprintf("%s pushed, and nothing of the input after", p.format.nouns(p.items)+" "+wasWere(p.items))
	if errors.Is(err, context.Canceled) { // by the user, who is not told of that
		if in.part || in.got > p.items {
			fmt.Fprintf(a.err, "shmkit push: interrupted: %s\n", said)
		}
		return err
	}
	return fmt.Errorf("%w; %s", err, said)
}

func wasWere(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// text is a name as what waitFlags want.
type text string

func (t text) String() string { return oneLine(string(t)) }
