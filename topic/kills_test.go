package topic_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

var (
	_ = addRoles(workersOf[note, *note]("slots"))
	_ = addRoles(workersOf[frame, *frame]("chunks"))
)

func workersOf[T any, M message[T]](form string) map[string]shmtest.Role {
	return map[string]shmtest.Role{
		"pub " + form: inTopic(workPublishing[T, M]), "reliable " + form: inTopic(workReliable[T, M]), "best effort " + form: inTopic(workBestEffort[T, M]),
	}
}

func dismissed() bool {
	select {
	case <-shmtest.Dismissed():
		return true
	default:
		return false
	}
}

// workPublishing publishes numbers of its own, one by one, in batches and by loans, and writes down
// what it did, until it is dismissed.
func workPublishing[T any, M message[T]](t *topic.Topic[T], args []string) error {
	page, err := shmtest.OpenLedger(args[0], args[1])
	if err != nil {
		return err
	}
	p, err := t.Publisher()
	if err != nil {
		return err
	}
	if err := page.Note("lane %d %d", p.ID(), p.LaneIndex()); err != nil {
		return err
	}
	me, _ := strconv.ParseInt(args[1], 10, 64)
	batch := make([]T, 4)
	for k := int64(1); !dismissed(); {
		first, count := me<<32|k, int64(1)
		if k%3 == 0 {
			count = 4
		}
		if err := page.Note("send %d %d", first, count); err != nil {
			return err
		}
		for i := range count {
			M(&batch[i]).set(first + i)
		}
		sent := 0
		switch k % 3 {
		case 0:
			sent, err = p.TrySendBatch(batch)
		case 1:
			if err = p.TrySend(&batch[0]); err == nil {
				sent = 1
			}
		case 2:
			var l topic.Loan[T]
			if l, err = p.TryLoan(); err == nil {
				M(l.Data()).set(first)
				if err = l.Publish(); err == nil {
					sent = 1
				}
			}
		}
		if err == topic.ErrFull {
			err = nil
			time.Sleep(100 * time.Microsecond) // sleep-ok: those who are to read want to run, no harm if they do not
		}
		if err != nil {
			return err
		}
		if err := page.Note("sent %d %d", first, sent); err != nil {
			return err
		}
		k += count
	}
	if err := p.Close(); err != nil {
		return err
	}
	return page.Close()
}

func workReliable[T any, M message[T]](t *topic.Topic[T], args []string) error {
	return workReceiving[T, M](t, args, &topic.SubscriberOptions{})
}

func workBestEffort[T any, M message[T]](t *topic.Topic[T], args []string) error {
	return workReceiving[T, M](t, args, &topic.SubscriberOptions{BestEffort: true})
}

// workReceiving receives by view and by copy, sometimes holding views, and writes down what it got,
// until it is dismissed; and then what is left.
func workReceiving[T any, M message[T]](t *topic.Topic[T], args []string, o *topic.SubscriberOptions) error {
	page, err := shmtest.OpenLedger(args[0], args[1])
	if err != nil {
		return err
	}
	s, err := t.Subscriber(o)
	if err != nil {
		return err
	}
	if err := page.Note("joined"); err != nil {
		return err
	}
	got := func(n int64, i topic.Info) error {
		return page.Note("got %d %d %d %d", n, i.Publisher, i.Sequence, i.Missed)
	}
	var held []topic.Message[T]
	var numbers []int64
	for turn, left := 0, false; ; turn++ {
		if !left && dismissed() {
			left = true
			if err := page.Note("left"); err != nil {
				return err
			}
		}
		if turn%2 == 0 {
			var m T
			i, err := s.TryRead(&m)
			if err == topic.ErrEmpty {
				if left {
					break
				}
				time.Sleep(100 * time.Microsecond) // sleep-ok: those who publish want to run, no harm if they do not
				continue
			}
			if err == nil {
				err = got(M(&m).get(), i)
			}
			if err != nil {
				return err
			}
			continue
		}
		v, err := s.TryReceive()
		if err == topic.ErrEmpty {
			continue
		}
		if err == nil {
			held, numbers = append(held, v), append(numbers, M(v.Data()).get())
			err = got(M(v.Data()).get(), v.Info)
		}
		if err != nil {
			return err
		}
		if len(held) < 3 {
			continue
		}
		for i := range held {
			if n := M(held[i].Data()).get(); n != numbers[i] {
				return page.Note("view %d is %d now", numbers[i], n)
			}
			if err := held[i].Release(); err != nil {
				return err
			}
		}
		held, numbers = held[:0], numbers[:0]
	}
	for i := range held {
		if err := held[i].Release(); err != nil {
			return err
		}
	}
	if err := s.Close(); err != nil {
		return err
	}
	return page.Close()
}

func randomKills() int {
	switch {
	case shmtest.Soaking():
		return 2_000
	case testing.Short():
		return 30
	}
	return 200
}

// Publishers and subscribers are killed at random moments. Put together, nobody got what nobody
// published, or the same twice, or something torn; of each publisher, and of those who came in its
// place, all messages came in order, gaps exactly as told, and none to who is reliable; and who was
// reliable has all that was published while it was there.
func TestEveryMessageIsDeliveredAsPromisedAmidRandomKills(t *testing.T) {
	both(t, randomly[note, *note]("slots"), randomly[frame, *frame]("chunks"))
}

func randomly[T any, M message[T]](form string) func(t *testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		w := newWorld[T, M](t, topic.Options{Depth: 12, History: 4, Publishers: 3, Subscribers: 7, Held: 3, Loans: 2})
		dir := w.dir
		l := shmtest.NewLedger(t)
		// So many of each kind are alive at any time.
		type worker struct {
			kind string
			p    *shmtest.Proc
		}
		var living []worker
		for _, kind := range []string{"pub", "reliable", "best effort", "pub", "reliable"} {
			living = append(living, worker{kind: kind})
		}
		kinds := map[string]string{}
		shmtest.RandomKills(t, &shmtest.RandomOptions{Living: len(living), Kills: randomKills(), Ledger: l}, func(n int) *shmtest.Proc {
			for i := range living {
				at := &living[i]
				if at.p != nil && !at.p.Ended() {
					continue
				}
				who := fmt.Sprint(n + 1)
				kinds[who] = at.kind
				at.p = shmtest.Start(t, at.kind+" "+form, dir, l.Path(), who)
				return at.p
			}
			t.Fatal("all are alive")
			return nil
		})
		checkLedger(t, l.Entries(t), kinds)
		w.whole()
	}
}
