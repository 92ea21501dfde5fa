package bench

import (
	"errors"

	"github.com/shmkit/shmkit/queue"
)

// queueWay is two work queues, by copy or by loan.
func queueWay(loan bool) way {
	w := way{
		name: "queue", ours: true, about: "two queues, Push and Pop",
		open: func(r *room) (end, error) { return openQueues(r, loan) },
	}
	if loan {
		w.name, w.about = "queue loan", "two queues, messages made in place and looked at in place"
	}
	return w
}

type queues struct {
	r       *room
	loan    bool
	out, in *queue.Bytes
	buf     []byte
}

func openQueues(r *room, loan bool) (end, error) {
	o := &queue.Options{Dir: r.dir, MaxItem: r.Size, Capacity: slotsOf(r.Size), Members: 4}
	q := &queues{r: r, loan: loan, buf: make([]byte, r.Size)}
	there, err := queue.OpenBytes("there", o)
	if err != nil {
		return nil, err
	}
	back, err := queue.OpenBytes("back", o)
	if err != nil {
		return nil, errors.Join(err, there.Close())
	}
	q.out, q.in = there, back
	if !r.first {
		q.out, q.in = back, there
	}
	return q, nil
}

func (q *queues) send(seq uint64) error {
	if q.loan {
		l, err := q.room()
		if err != nil {
			return err
		}
		q.r.pay.put(l.Data()[:q.r.Size], seq)
		return l.Push(q.r.Size)
	}
	q.r.pay.put(q.buf, seq)
	if q.r.Wait == Block {
		return q.out.Push(q.r.ctx, q.buf)
	}
	for {
		if err := q.out.TryPush(q.buf); !errors.Is(err, queue.ErrFull) {
			return err
		}
	}
}

// room is room for a message.
func (q *queues) room() (queue.BytesLoan, error) {
	if q.r.Wait == Block {
		return q.out.Loan(q.r.ctx)
	}
	for {
		if l, err := q.out.TryLoan(); !errors.Is(err, queue.ErrFull) {
			return l, err
		}
	}
}

func (q *queues) receive(seq uint64) error {
	item, err := q.next()
	if err != nil {
		return err
	}
	if !q.loan {
		n := copy(q.buf, item.Data())
		if err := item.Done(); err != nil {
			return err
		}
		return q.r.pay.get(q.buf[:n], seq)
	}
	return errors.Join(q.r.pay.get(item.Data(), seq), item.Done())
}

func (q *queues) next() (queue.BytesItem, error) {
	if q.r.Wait == Block {
		return q.in.Pop(q.r.ctx)
	}
	for {
		if item, err := q.in.TryPop(); !errors.Is(err, queue.ErrEmpty) {
			return item, err
		}
	}
}

func (q *queues) memory() int64 {
	there, err := q.out.Stat()
	if err != nil {
		return -1
	}
	return 2 * there.Size
}

func (q *queues) close() error { return errors.Join(q.out.Close(), q.in.Close()) }
