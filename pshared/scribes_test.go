package pshared_test

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/shmkit/shmkit/shmtest"
)

// Scribes are the participants of the tests that kill at random: they take their turns until
// they are dismissed or killed, and write down all they do.

// untilDismissed takes turns, counted from n, until the test sends the role home, and closes
// then what there is to close.
func untilDismissed(n int64, turn func(n int64) error, end ...closer) (err error) {
	for ; ; n++ {
		select {
		case <-shmtest.Dismissed():
			for _, c := range end {
				err = errors.Join(err, c.Close())
			}
			return err
		default:
		}
		if err := turn(n); err != nil {
			return err
		}
	}
}

// forAMoment does something with a deadline that is different in each turn: who gives up must
// leave nothing behind either.
func forAMoment(n int64, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(n%7+1)*time.Millisecond)
	defer cancel()
	if err := f(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

func (b *teller) turn(n int64) error {
	return forAMoment(n, func(ctx context.Context) error {
		_, err := b.work(ctx)
		return err
	})
}

func (c *clerk) turn(n int64) error {
	return forAMoment(n, func(ctx context.Context) error {
		if n%3 != 0 {
			return c.read(ctx)
		}
		_, err := c.write(ctx)
		return err
	})
}

func (b *bather) turn(n int64) error {
	return forAMoment(n, func(ctx context.Context) error {
		if n%2 != 0 {
			return b.take(ctx)
		}
		return b.bathe(ctx, n/2%poolPermits+1)
	})
}

// scribe, rwScribe and poolScribe are roles; their argument is the ledger.
func scribe(b *teller, args []string) (err error) {
	if b.notes, err = takeNotes(args[0], b.who); err != nil {
		return err
	}
	return untilDismissed(b.who, b.turn, b.s, b.notes)
}

func rwScribe(c *clerk, args []string) (err error) {
	if c.notes, err = takeNotes(args[0], c.who); err != nil {
		return err
	}
	return untilDismissed(c.who, c.turn, c.s, c.notes)
}

func poolScribe(b *bather, args []string) (err error) {
	if b.notes, err = takeNotes(args[0], b.who); err != nil {
		return err
	}
	return untilDismissed(b.who, b.turn, b.s, b.notes)
}

// Fates are what became of the participants of a ledger, who have the numbers of RandomKills
// from 1.
type fates struct {
	killed map[int]bool
	lastAt map[string]time.Duration // when each wrote last
}

func fatesIn(entries []shmtest.Entry, killed map[int]bool) *fates {
	f := &fates{killed, map[string]time.Duration{}}
	for _, e := range entries {
		f.lastAt[e.Who] = e.At
	}
	return f
}

// dead reports whether somebody was killed, and gone whether that can have been before at.
func (f *fates) dead(who string) bool {
	n, err := strconv.Atoi(who)
	return err == nil && f.killed[n-1]
}

func (f *fates) gone(who string, at time.Duration) bool { return f.dead(who) && f.lastAt[who] < at }

// asking notes that something is asked for, and the answer, if it is one.
func (n *notes) asking(answer string, f func() error) error {
	if err := n.note("ask"); err != nil {
		return err
	}
	err := f()
	if err != nil {
		answer = "gave up"
	}
	return errors.Join(n.note("%s", answer), err)
}

// answers counts the entries that are one.
func answers(entries []shmtest.Entry, one string) (n int) {
	for _, e := range entries {
		if e.Text == one {
			n++
		}
	}
	return n
}

// asking is how many were killed before they wrote down the answer.
func (f *fates) asking(entries []shmtest.Entry) (n int) {
	last := map[string]string{}
	for _, e := range entries {
		last[e.Who] = e.Text
	}
	for who, text := range last {
		if text == "ask" && f.dead(who) {
			n++
		}
	}
	return n
}
