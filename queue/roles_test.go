package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

var _ = addRoles(map[string]shmtest.Role{
	"producer": inQueue(produce), "consumer": inQueue(consume), "holder": inQueue(hold), "lender": inQueue(lend),
	"taker": inQueue(take), "giver": inQueue(give), "quitter": inQueue(quit), "reader": inQueue(read), "opener": inQueue(nothing),
	"worker": inQueue(work), "passer": pass, "dier": inQueue(die), "looker": inQueue(look),
})

// inQueue is a role that opens the queue "jobs" in the directory that its first argument names.
func inQueue(f func(q *queue.Queue[job], args []string) error) shmtest.Role {
	return func(args []string) error {
		queue.SetLongest(time.Hour) // what is missed is not made good by it
		q, err := queue.Open[job]("jobs", &queue.Options{Dir: args[0]})
		if err != nil {
			return err
		}
		if err := f(q, args[1:]); err != nil {
			return err
		}
		return q.Close()
	}
}

func nothing(*queue.Queue[job], []string) error { return nil }

func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// produce pushes so many items, from a number on, by copy and in place.
func produce(q *queue.Queue[job], args []string) error {
	from, _ := strconv.ParseInt(args[0], 10, 64)
	n, _ := strconv.ParseInt(args[1], 10, 64)
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	c, cancel := soon()
	defer cancel()
	for k := from; k < from+n; k++ {
		if k%2 == 0 {
			if err := q.Push(c, &job{N: k}); err != nil {
				return err
			}
			continue
		}
		l, err := q.Loan(c)
		if err != nil {
			return err
		}
		l.Data().N = k
		if err := l.Push(); err != nil {
			return err
		}
	}
	return nil
}

// consume pops so many items; every third is retried when it comes for the first time.
func consume(q *queue.Queue[job], args []string) error {
	n, _ := strconv.Atoi(args[0])
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	c, cancel := soon()
	defer cancel()
	for k := 0; k < n; k++ {
		it, err := q.Pop(c)
		if err != nil {
			return err
		}
		if it.Data().N%3 == 0 && it.Deliveries() == 1 {
			k--
			err = it.Retry()
		} else {
			err = it.Done()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hold has so many items until it is told to leave.
func hold(q *queue.Queue[job], args []string) error {
	n, _ := strconv.Atoi(args[0])
	var all []queue.Item[job]
	for range n {
		it, err := q.TryPop()
		if err != nil {
			return err
		}
		all = append(all, it)
	}
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	if _, err := shmtest.Hear(); err != nil {
		return err
	}
	for i := range all {
		if err := all[i].Done(); err != nil {
			return err
		}
	}
	return nil
}

// lend has a loan until it is told to leave.
func lend(q *queue.Queue[job], _ []string) error {
	l, err := q.TryLoan()
	if err != nil {
		return err
	}
	l.Data().N = 99
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	if _, err := shmtest.Hear(); err != nil {
		return err
	}
	return l.Drop()
}

// take pops an item, trying once if it is told so, and is done with it.
func take(q *queue.Queue[job], args []string) error {
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	if len(args) > 0 {
		if _, err := shmtest.Hear(); err != nil {
			return err
		}
		it, err := q.TryPop()
		if err != nil {
			return err
		}
		return it.Done()
	}
	c, cancel := soon()
	defer cancel()
	it, err := q.Pop(c)
	if err != nil {
		return err
	}
	return it.Done()
}

// give pushes one item.
func give(q *queue.Queue[job], args []string) error {
	n, _ := strconv.ParseInt(args[0], 10, 64)
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	c, cancel := soon()
	defer cancel()
	return q.Push(c, &job{N: n})
}

// quit gives up in its sleep, and when it was woken.
func quit(q *queue.Queue[job], _ []string) error {
	c, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
	defer cancel()
	if _, err := q.Pop(c); !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("popped: %w", err)
	}
	return nil
}

// read keeps a dead letter, retries one, and is done with the next.
func read(q *queue.Queue[job], _ []string) error {
	for n := range 3 {
		it, err := q.PopDead()
		if err != nil {
			return err
		}
		switch n {
		case 0:
			err = it.Keep()
		case 1:
			err = it.Retry()
		default:
			err = it.Done()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// work is done with items, and writes down what it did, until it is dismissed.
func work(q *queue.Queue[job], args []string) error {
	page, err := shmtest.OpenLedger(args[0], args[1])
	if err != nil {
		return err
	}
	me, _ := strconv.ParseInt(args[1], 10, 64)
	for k := int64(1); ; k++ {
		select {
		case <-shmtest.Dismissed():
			return page.Close()
		default:
		}
		n := me<<32 | k
		if err := page.Note("push %d", n); err != nil {
			return err
		}
		switch err := q.TryPush(&job{N: n}); {
		case err == queue.ErrFull:
			err = page.Note("full %d", n)
			if err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			if err := page.Note("pushed %d", n); err != nil {
				return err
			}
		}
		it, err := q.TryPop()
		if err == queue.ErrEmpty {
			continue
		}
		if err != nil {
			return err
		}
		if err := page.Note("have %d %d", it.Data().N, it.Deliveries()); err != nil {
			return err
		}
		if it.Data().N%5 == 0 && it.Deliveries() == 1 {
			if err := errors.Join(page.Note("retry %d", it.Data().N), it.Retry()); err != nil {
				return err
			}
			continue
		}
		done := it.Data().N
		if err := errors.Join(page.Note("finish %d", done), it.Done(), page.Note("done %d", done)); err != nil {
			return err
		}
	}
}

// pass closes a handle in which somebody sleeps, who passes on what it may have been woken for.
func pass(args []string) error {
	q, err := queue.Open[job]("jobs", &queue.Options{Dir: args[0]})
	if err != nil {
		return err
	}
	asleep := make(chan struct{})
	var once sync.Once
	queue.SetPoint(func(name string) {
		if name == "wait:asleep" { // from here on it finds out only when it is woken
			once.Do(func() { close(asleep) })
		}
		shmtest.Point(name)
	})
	slept := make(chan error, 1)
	go func() {
		_, err := q.Pop(context.Background())
		slept <- err
	}()
	<-asleep
	if err := errors.Join(shmtest.Say("ready"), q.Close()); err != nil {
		return err
	}
	if err := <-slept; !errors.Is(err, queue.ErrClosed) {
		return fmt.Errorf("closed: %w", err)
	}
	return nil
}

// die is killed in the middle of taking an item.
func die(q *queue.Queue[job], _ []string) error {
	queue.SetPoint(func(name string) {
		if name == "claim:taken" {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	_, err := q.TryPop()
	return err
}

func look(q *queue.Queue[job], _ []string) error {
	_, err := q.Stat()
	return err
}
