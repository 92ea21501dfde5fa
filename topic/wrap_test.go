package topic_test

import (
	"encoding/binary"
	"errors"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// preset makes a topic whose lane has come to a number, as if all before had been published, with all
// of the history there can be; and whose counters are about to wrap around.
func preset[T any, M message[T]](t *testing.T, v uint64, o topic.Options) *world[T, M] {
	o.Publishers = 1
	w := newWorld[T, M](t, o)
	body, messages, err := w.topic.Raw()
	must(t, err)
	put := binary.NativeEndian.PutUint64
	lane := w.topic.LaneAt(0)
	put(messages[lane+64:], v)    // tail
	put(messages[lane+128:], v+2) // reclaimed
	put(messages[lane+136:], v+2) // erased
	stat, err := w.topic.Stat()
	must(t, err)
	for i := range uint64(stat.Ring) {
		put(messages[w.topic.SlotAt(0, v+2+2*i):], v+2+2*i)
	}
	binary.NativeEndian.PutUint32(messages[8:], 1<<32-2) // ids
	binary.NativeEndian.PutUint32(body[0:], 1<<32-4)     // bell
	put(body[64:], 1<<64-2)                              // joins
	binary.NativeEndian.PutUint32(body[128:], 1<<32-6)   // room
	return w
}

// sequenceAt is the sequence number of v.
func sequenceAt(v uint64) uint64 { return v / 2 }

// near are numbers before v wraps around, or before its sign does, by so many messages and less.
func near(messages uint64, f func(v uint64)) {
	for _, end := range []uint64{0, 1 << 63} {
		for back := uint64(1); back <= messages; back++ {
			f(end - 2*back)
		}
	}
}

func TestNumbersThatWrapAround(t *testing.T) {
	both(t, wrapAround[note, *note], wrapAround[frame, *frame])
}

// Batches, loans, history, skipping, adoption and eviction go on over the end as before it.
func wrapAround[T any, M message[T]](t *testing.T) {
	near(12, func(v uint64) {
		t.Run("", func(t *testing.T) {
			w := preset[T, M](t, v, topic.Options{Depth: 5, History: 3, Subscribers: 3, Held: 2, Loans: 1})
			p := w.publisher()
			s := w.subscriber(topic.SubscriberOptions{})
			slow := w.subscriber(topic.SubscriberOptions{BestEffort: true})
			n := int64(0)
			sequence := sequenceAt(v)
			get := func(s *topic.Subscriber[T], want int64) {
				t.Helper()
				m, err := s.TryReceive()
				must(t, err)
				number := M(m.Data()).get()
				if at := (v + 2*uint64(number)) / 2; number != want || m.Sequence != at {
					t.Fatalf("message %d, want %d; its number is %d, want %d (behind %d)", number, want, m.Sequence, at, sequence)
				}
				must(t, m.Release())
			}
			for range 4 {
				w.send(p, n+1, n+2)
				batch := make([]T, 3)
				for i := range batch {
					M(&batch[i]).set(n + 3 + int64(i))
				}
				k, err := p.TrySendBatch(batch)
				must(t, err)
				if k != 3 {
					t.Fatalf("%d sent", k)
				}
				for i := range int64(5) {
					get(s, n+1+i)
				}
				n += 5
				l, err := p.TryLoan()
				must(t, err)
				M(l.Data()).set(n + 1)
				must(t, l.Publish())
				n++
				get(s, n)
			}
			// The best effort one learns exactly what it missed.
			var m T
			i, err := slow.TryRead(&m)
			must(t, err)
			if got := M(&m).get(); i.Missed != uint64(got)-1 || slow.Missed() != i.Missed || i.Missed == 0 {
				t.Errorf("message %d, missed %d, %d", got, i.Missed, slow.Missed())
			}
			w.read(slow, M(&m).get()+1, n)
			w.nothing(slow)
			// History.
			late := w.subscriber(topic.SubscriberOptions{})
			for k := n - 2; k <= n; k++ {
				get(late, k)
			}
			must(t, late.Close())
			// Who is behind is waited for.
			for k := range int64(8) {
				w.send(p, n+1+k, n+1+k)
			}
			if err := p.TrySend(&m); err != topic.ErrFull {
				t.Fatalf("full, and sent: %v", err)
			}
			// And the lane is adopted.
			must(t, p.Close())
			q := w.publisher()
			if err := q.TrySend(&m); err != topic.ErrFull {
				t.Fatalf("adopted when full, and sent: %v", err)
			}
			for k := range int64(8) {
				get(s, n+1+k)
			}
			n += 8
			w.send(q, n+1, n+8)
			for k := range int64(8) {
				get(s, n+1+k)
			}
			if retired, err := q.Audit(); retired != 0 || err != nil {
				t.Errorf("%d chunks are retired: %v", retired, err)
			}
			if q.ID() > 2 {
				t.Errorf("publisher %d", q.ID())
			}
		})
	})
}

// A lane is adopted from who was killed in a batch across the end, and a dead subscriber behind it is
// evicted; who sleeps meanwhile is woken though the bells wrap around.
func TestDeathsAsNumbersWrapAround(t *testing.T) {
	t.Run("in slots", wrapDeaths[sheet, *sheet]("slots"))
	t.Run("in chunks", wrapDeaths[frame, *frame]("chunks"))
}

func wrapDeaths[T any, M message[T]](form string) func(t *testing.T) {
	return func(t *testing.T) {
		near(3, func(v uint64) {
			t.Run("", func(t *testing.T) {
				w := preset[T, M](t, v, topic.Options{Depth: 5, History: 3, Subscribers: 3, Held: 2, Loans: 1})
				s := w.subscriber(topic.SubscriberOptions{})
				reading := begin(func() error {
					c, cancel := soon()
					defer cancel()
					for n := int64(1); n <= 40; n++ {
						m, err := s.Receive(c)
						if err != nil {
							return err
						}
						number := M(m.Data()).get()
						if number > 0 && uint64(number) < 1000 && m.Sequence != (v+2*uint64(number))/2 || number < 1 {
							return errors.New("a message in the wrong place")
						}
						if err := m.Release(); err != nil {
							return err
						}
					}
					return nil
				})
				asleep(t, w.dir, 1, nil)
				d := shmtest.Start(t, "idler "+form, w.dir)
				d.Expect("ready")
				d.Kill()
				e := shmtest.Start(t, "batch dier "+form, w.dir)
				if sig := e.ExitSignal(); sig != syscall.SIGKILL {
					t.Fatalf("%v\n%s", e.Wait(), e.Stderr())
				}
				p := w.publisher()
				for n := int64(1); n <= 40; n++ {
					var m T
					M(&m).set(n)
					must(t, p.Send(limited(t), &m)) // past the dead one
				}
				must(t, <-reading)
				must(t, p.Close())
				must(t, s.Close())
				w.whole()
			})
		})
	}
}

var (
	_ = addRoles(map[string]shmtest.Role{"batch dier slots": inTopic(publishAndDie[sheet, *sheet]), "batch dier chunks": inTopic(publishAndDie[frame, *frame])})
)
