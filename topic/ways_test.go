package topic_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// sheet is a message that stands in its slot, and does not fit in the first cache line of it.
type sheet struct {
	N    int64
	Text [128]byte
	Last int64
}

func (m *sheet) set(n int64) { stamp(&m.N, m.Text[:], &m.Last, n) }
func (m *sheet) get() int64  { return stamped(m.N, m.Text[:], m.Last) }

// In these tests a message says its sequence number, and behind how many deaths its publisher came:
// what one left half done must not be taken for what another did.
const (
	rank    = 1_000_000
	theLast = 9 // the rank of the message that nothing follows
)

func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// begin runs f in a goroutine.
func begin(f func() error) <-chan error {
	c := make(chan error, 1)
	go func() { c <- f() }()
	return c
}

// sleepers is how many goroutines, of all living members, sleep.
func sleepers(t testing.TB, dir string) (n int) {
	t.Helper()
	i, err := object.Look(object.ChooseDir(dir), object.Topic, "news", nil)
	if err != nil || i.Err != nil {
		t.Fatal(err, i.Err)
	}
	for _, m := range i.Members {
		n += int(m.Waiting)
	}
	return n
}

// asleep waits until so many sleep, or the victim, if there is one, is dead.
func asleep(t testing.TB, dir string, n int, victim *shmtest.Proc) {
	t.Helper()
	shmtest.Eventually(t, "all sleep", func() bool {
		return victim != nil && victim.Ended() || sleepers(t, dir) >= n
	})
}

// publish publishes n messages of a rank, in every way there is, and tells sent of each that it has.
func publish[T any, M message[T]](p *topic.Publisher[T], r, n int64, sent func(last int64) error) error {
	c, cancel := soon()
	defer cancel()
	next := int64(p.Tail()) + 1
	for end := next + n; next < end; {
		var m T
		M(&m).set(r*rank + next)
		var err error
		count := int64(1)
		switch next % 5 {
		case 0:
			err = p.Send(c, &m)
		case 1:
			if err = p.TrySend(&m); err == topic.ErrFull {
				err = p.Send(c, &m)
			}
		case 2: // of two loans the second
			var a, b topic.Loan[T]
			if a, err = p.Loan(c); err != nil {
				return err
			}
			if b, err = p.TryLoan(); err == topic.ErrFull { // and if there is room for one only, the first
				a, b, err = topic.Loan[T]{}, a, nil
			}
			if err != nil {
				return err
			}
			M(b.Data()).set(r*rank + next)
			err = b.Publish()
			if a.Data() != nil {
				M(a.Data()).set(7)
				err = errors.Join(err, a.Drop())
			}
		default:
			count = min(3, end-next)
			batch := make([]T, count)
			for i := range batch {
				M(&batch[i]).set(r*rank + next + int64(i))
			}
			var done int
			done, err = p.SendBatch(c, batch)
			if err == nil && done != len(batch) {
				err = fmt.Errorf("%d of %d sent", done, len(batch))
			}
		}
		if err != nil {
			return err
		}
		next += count
		if sent != nil {
			if err := sent(next - 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// A course is what a subscriber sees of one lane.
type course struct {
	last  uint64 // sequence number
	ranks int64  // of the last message
}

// see checks the next message: gaps are exactly as told, nothing is torn or comes twice.
func (k *course) see(n int64, i topic.Info, reliable bool) error {
	switch {
	case n < 0:
		return fmt.Errorf("message %d is torn", i.Sequence)
	case uint64(n%rank) != i.Sequence:
		return fmt.Errorf("message %d says that it is %d", i.Sequence, n)
	case k.last != 0 && i.Sequence != k.last+1+i.Missed, reliable && i.Missed != 0:
		return fmt.Errorf("message %d behind %d, missed %d", i.Sequence, k.last, i.Missed)
	case n/rank < k.ranks:
		return fmt.Errorf("message %d is of rank %d, the one before of %d", i.Sequence, n/rank, k.ranks)
	}
	k.last, k.ranks = i.Sequence, n/rank
	return nil
}

// follow receives in every way there is, until it has seen the last message or so many.
func follow[T any, M message[T]](s *topic.Subscriber[T], k *course, reliable bool, most int) error {
	c, cancel := soon()
	defer cancel()
	held := make([]topic.Message[T], 2)
	copies := make([]T, 3)
	for seen, way := 0, 0; seen < most && k.ranks != theLast; way++ {
		switch way % 4 {
		case 0:
			m, err := s.Receive(c)
			if err != nil {
				return err
			}
			if err := errors.Join(k.see(M(m.Data()).get(), m.Info, reliable), m.Release()); err != nil {
				return err
			}
			seen++
		case 1:
			i, err := s.Read(c, &copies[0])
			if err != nil {
				return err
			}
			if err := k.see(M(&copies[0]).get(), i, reliable); err != nil {
				return err
			}
			seen++
		case 2:
			n, err := s.ReceiveBatch(c, held[:min(2, most-seen)])
			if err != nil {
				return err
			}
			for i := range n {
				if err := k.see(M(held[i].Data()).get(), held[i].Info, reliable); err != nil {
					return err
				}
			}
			for i := range n {
				if err := held[n-1-i].Release(); err != nil {
					return err
				}
			}
			seen += n
		case 3:
			before := s.Missed()
			n, err := s.ReadBatch(c, copies[:min(3, most-seen)])
			if err != nil {
				return err
			}
			missed := s.Missed() - before
			for i := range n {
				number := M(&copies[i]).get()
				if number < 0 {
					return fmt.Errorf("message %d is torn", i)
				}
				// Which ones were missed is not told, but how many.
				info := topic.Info{Sequence: uint64(number % rank)}
				if k.last != 0 {
					info.Missed = info.Sequence - k.last - 1
				}
				if info.Missed > missed {
					return fmt.Errorf("message %d behind %d, missed %d", number, k.last, missed)
				}
				missed -= info.Missed
				if err := k.see(number, info, reliable); err != nil {
					return err
				}
			}
			seen += n
		}
	}
	return nil
}

// midBatch reports whether a point is behind the writing of a message of a batch that is not the first.
func midBatch(point string) bool { return point == "batch:behind" || point == "batch:put" }
