package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/queue"
)

func newPopCommand(a *app) *cobra.Command {
	var p popping
	var flags *kindFlags
	cmd := &cobra.Command{
		Use:   "pop NAME [flags]",
		Short: "Take items out of a work queue and print them",
		Long: `Pop takes items out of a queue and prints each as a line, or with --framed as
its length in 4 bytes, little endian, and its bytes. NAME is the name of the
queue, or its address, queue:NAME. Any number of pops may take from one queue:
each item goes to one of them.

It waits for more until it is interrupted; --count ends it after so many,
--drain when none is ready. Items that others have, and may give back, are not
waited for.

An item is out of the queue once it is written to standard output. If pop is
killed or interrupted before, or cannot write, the item is delivered again, to
another one or the same, and counts one delivery more: what was printed in part
is printed again. --marked prints that count and a tab in front of each line: 1
the first time.

A line cannot hold a newline: an item that has one is an error, and goes back.

With --json each item is an object on a line of its own: "sequence",
"deliveries", "bytes", and "text", or what is not UTF-8 as "base64". The other
of the two is null.

The queue is made if there is none, as push makes it, unless --drain or --nowait
is given: then it must exist.`,
		Example: `  shmkit pop jobs
  shmkit pop queue:jobs --count 1 --timeout 10s
  shmkit pop jobs --drain --json | jq -r .text`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.WorkQueues](a),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if p.count < 1 && cmd.Flags().Changed("count") {
				return usagef("--count must be at least 1, not %d", p.count)
			}
			if p.drain && (p.wait.noWait || p.wait.timeout.given) {
				return usagef("--drain does not wait: it goes with neither --nowait nor --timeout")
			}
			if err := errors.Join(p.wait.check(), a.canPrint()); err != nil {
				return err
			}
			q, err := a.openWorkQueue(args[0], "pop", flags, p.drain || p.wait.noWait)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, q.Close()) }()
			return p.run(cmd.Context(), a, q)
		},
	}
	cmd.Flags().Int64Var(&p.count, "count", 0, "end after `N` items (default: no bound)")
	cmd.Flags().BoolVar(&p.drain, "drain", false, "end when no item is ready")
	cmd.Flags().BoolVar(&p.marked, "marked", false, "print in front of each line how often its item was delivered")
	p.format.register(cmd, "what is printed of an item")
	p.wait.register(cmd)
	jsonFlag(cmd, &p.asJSON, "print each item as a JSON object on a line")
	cmd.MarkFlagsMutuallyExclusive("json", "framed", "marked")
	flags = newKindFlags(a, cmd, kind.WorkQueues.WorkQueueOptions)
	return cmd
}

// popping is what to pop and how to print it.
type popping struct {
	count                 int64
	drain, marked, asJSON bool
	format                messageFormat
	wait                  waitFlags
	buf                   []byte
}

func (p *popping) run(ctx context.Context, a *app, q *queue.Bytes) error {
	for n := int64(0); p.count == 0 || n < p.count; n++ {
		if err := ctx.Err(); err != nil { // a pop that finds an item does not look
			return err
		}
		item, err := p.next(ctx, q)
		if err == queue.ErrEmpty {
			return nil
		}
		if err != nil {
			return err
		}
		if err := p.print(a, &item); err != nil {
			return errors.Join(err, item.Retry())
		}
		if err := item.Done(); err != nil {
			return err
		}
	}
	return nil
}

// next takes an item; queue.ErrEmpty is the end.
func (p *popping) next(ctx context.Context, q *queue.Bytes) (item queue.BytesItem, err error) {
	if p.drain {
		return q.TryPop()
	}
	err = p.wait.do(ctx, text(q.Name()), "an item",
		func(ctx context.Context) (err error) { item, err = q.Pop(ctx); return err },
		func() (err error) { item, err = q.TryPop(); return err })
	return item, err
}

// print writes the item to standard output, in one piece. That is done with a copy: a write that
// was interrupted may go on after the item was given back.
func (p *popping) print(a *app, item *queue.BytesItem) (err error) {
	if p.asJSON {
		p.buf = append(p.buf[:0], jsonLine(newItemJSON(item))...)
	} else {
		front := ""
		if p.marked {
			front = fmt.Sprintf("%d\t", item.Deliveries())
		}
		if p.buf, err = p.format.appendMessage(p.buf[:0], front, item.Data()); err != nil {
			return fmt.Errorf("item %d: %w; it goes back into the queue", item.Sequence(), err)
		}
	}
	_, err = a.out.Write(p.buf)
	return err
}
