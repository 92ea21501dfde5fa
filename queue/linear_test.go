package queue_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

// What a queue does, one step after the other, in the order of docs/abi/queue.md: a loan takes room;
// pushing it makes it an item, behind all others; what is popped is what was pushed first of all
// that are ready, also when it was retried.
const (
	linearItems    = 64
	linearCapacity = 3
)

type linearCall struct {
	what string
	id   uint8 // of push, done and retry
}

type linearBack struct {
	ok         bool
	id         uint8 // of pop
	deliveries int8
}

type linearState struct {
	live, next uint8
	place      [linearItems]uint8 // 0 not pushed
	ready      [linearItems]bool
	deliveries [linearItems]int8
}

var linearModel = porcupine.Model{
	Init: func() any { return linearState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(linearState), input.(linearCall), output.(linearBack)
		switch in.what {
		case "loan":
			if !out.ok {
				return s.live == linearCapacity, s
			}
			s.live++
			return s.live <= linearCapacity, s
		case "push":
			s.next++
			s.place[in.id], s.ready[in.id] = s.next, true
			return true, s
		case "pop":
			first := -1
			for id, is := range s.ready {
				if is && (first < 0 || s.place[id] < s.place[first]) {
					first = id
				}
			}
			if !out.ok {
				return first < 0, s
			}
			if first != int(out.id) {
				return false, s
			}
			s.ready[first] = false
			s.deliveries[first]++
			return s.deliveries[first] == out.deliveries, s
		case "done":
			s.live--
		case "retry":
			s.ready[in.id] = true
		}
		return true, s
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%v: %v", in, out) },
}

// Histories of several goroutines with two handles are those of a queue that does one thing after
// the other.
func TestHistoriesAreThoseOfAQueue(t *testing.T) {
	dir := shmtest.Dir(t)
	handles := []*queue.Queue[job]{mustOpen(t, dir, queue.Options{Capacity: linearCapacity}), mustOpen(t, dir, queue.Options{})}
	rounds := 100
	if shmtest.Soaking() {
		rounds = 10_000
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for round := range rounds {
		var mu sync.Mutex
		var history []porcupine.Operation
		began := time.Now()
		var all sync.WaitGroup
		for who := range 4 {
			rng := rand.New(rand.NewPCG(seed, uint64(round*4+who)))
			q := handles[who%2]
			all.Go(func() {
				do := func(what string, id uint8, f func() (linearBack, error)) linearBack {
					call := time.Since(began)
					out, err := f()
					back := time.Since(began)
					if err != nil && err != queue.ErrEmpty && err != queue.ErrFull {
						t.Errorf("%s: %v", what, err)
					}
					out.ok = err == nil
					mu.Lock()
					defer mu.Unlock()
					history = append(history, porcupine.Operation{ClientId: who, Input: linearCall{what, id}, Call: int64(call), Output: out, Return: int64(back)})
					return out
				}
				for k := range 6 {
					var l queue.Loan[job]
					if do("loan", 0, func() (_ linearBack, err error) { l, err = q.TryLoan(); return }).ok {
						id := uint8(who*16 + k)
						l.Data().N = int64(id)
						do("push", id, func() (linearBack, error) { return linearBack{}, l.Push() })
					}
					var it queue.Item[job]
					out := do("pop", 0, func() (linearBack, error) {
						var err error
						if it, err = q.TryPop(); err != nil {
							return linearBack{}, err
						}
						return linearBack{id: uint8(it.Data().N), deliveries: int8(it.Deliveries())}, nil
					})
					switch {
					case !out.ok:
					case rng.IntN(3) == 0:
						do("retry", out.id, func() (linearBack, error) { return linearBack{}, it.Retry() })
					default:
						do("done", out.id, func() (linearBack, error) { return linearBack{}, it.Done() })
					}
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		if !porcupine.CheckOperations(linearModel, history) {
			t.Fatalf("round %d is not the history of a queue: %v", round, history)
		}
		for {
			it, err := handles[0].TryPop()
			if err == queue.ErrEmpty {
				break
			}
			must(t, err)
			must(t, it.Done())
		}
	}
}
