package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/queue"
)

func newDeadCommand(a *app) *cobra.Command {
	var d letters
	cmd := &cobra.Command{
		Use:   "dead NAME [flags]",
		Short: "Show the dead letters of a work queue, put back or drop them",
		Long: `Dead shows the items of a queue that were delivered as often as is allowed and
not done with. NAME is the name of the queue, or its address, queue:NAME. They
stay.

With --retry they are put back into the queue, as if they had never been
delivered, and with --drop they are taken out, once they are printed.
--sequence, once for each, chooses some of them. Where the queue is full --retry
puts back what fits and fails. A letter that comes while dead reads as many as
are kept counts as dropped.

An item is shown as text on a line, cut after 60 characters; --json prints one
array with all of it, as pop does.`,
		Example: `  shmkit dead jobs
  shmkit dead queue:jobs --retry --sequence 17
  shmkit dead jobs --drop --json > letters.json`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.WorkQueues](a),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if d.drop {
				if err := a.canPrint(); err != nil {
					return err
				}
			}
			q, err := a.openWorkQueue(args[0], "dead", nil, true)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, q.Close()) }()
			return d.run(a, q)
		},
	}
	cmd.Flags().BoolVar(&d.retry, "retry", false, "put them back into the queue")
	cmd.Flags().BoolVar(&d.drop, "drop", false, "take them out")
	cmd.Flags().Int64SliceVar(&d.sequences, "sequence", nil, "only the one with sequence number `N`")
	cmd.MarkFlagsMutuallyExclusive("retry", "drop")
	jsonFlag(cmd, &d.asJSON, "print one JSON array")
	return cmd
}

// letters is what to do with which dead letters.
type letters struct {
	retry, drop, asJSON bool
	sequences           []int64
}

// run takes all of them and gives back those that stay, so that what it prints is what there
// was at one time. Should it be killed, they all are dead letters as before.
func (d *letters) run(a *app, q *queue.Bytes) (err error) {
	var chosen, others []queue.BytesItem
	held := func() []*queue.BytesItem {
		var all []*queue.BytesItem
		for i := range others {
			all = append(all, &others[i])
		}
		for i := range chosen {
			all = append(all, &chosen[i])
		}
		return all
	}
	defer func() {
		for _, l := range held() {
			if e := l.Keep(); e != nil && !errors.Is(e, queue.ErrNotHeld) {
				err = errors.Join(err, e)
			}
		}
	}()
	missing := slices.Clone(d.sequences)
	for {
		l, err := q.PopDead()
		if err == queue.ErrEmpty {
			break
		}
		if err != nil {
			return err
		}
		if n := slices.Index(missing, int64(l.Sequence())); d.sequences == nil || n >= 0 {
			chosen = append(chosen, l)
			if n >= 0 {
				missing = slices.Delete(missing, n, n+1)
			}
		} else {
			others = append(others, l)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s has no dead letter %d", oneLine(q.Name()), missing[0])
	}
	told := make([]itemJSON, len(chosen))
	for i := range chosen {
		told[i] = newItemJSON(&chosen[i])
	}
	switch {
	case d.retry:
		for i := range chosen {
			if err := chosen[i].Retry(); err != nil {
				err = fmt.Errorf("%s: %w: %d of %d put back", oneLine(q.Name()), err, i, len(chosen))
				return errors.Join(d.print(a, told[:i]), err)
			}
		}
	case !d.drop: // before they are printed, which may take its time
		for _, l := range held() {
			if err := l.Keep(); err != nil {
				return err
			}
		}
	}
	if err := d.print(a, told); err != nil || !d.drop {
		return err
	}
	for i := range chosen {
		if err := chosen[i].Done(); err != nil {
			return err
		}
	}
	return nil
}

// shownOfItem is how many characters of an item a table shows.
const shownOfItem = 60

func (d *letters) print(a *app, told []itemJSON) error {
	if d.asJSON {
		return a.printJSON(told)
	}
	t := &table{columns: []kind.Column{
		{Heading: "SEQUENCE", Right: true}, {Heading: "DELIVERIES", Right: true}, {Heading: "BYTES", Right: true}, {Heading: "ITEM"},
	}}
	for _, l := range told {
		shown := "not text"
		if l.Text != nil {
			shown = oneLine(*l.Text)
			if r := []rune(shown); len(r) > shownOfItem {
				shown = string(r[:shownOfItem-1]) + "…"
			}
		}
		t.rows = append(t.rows, []string{fmt.Sprint(l.Sequence), fmt.Sprint(l.Deliveries), fmt.Sprint(l.Bytes), shown})
	}
	if len(told) == 0 {
		_, err := fmt.Fprintln(a.out, "none")
		return err
	}
	return t.write(a.out, a, "")
}
