package topic_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/words"
)

// Who publishes stores a word by Release64, unlocks a mutex, and then looks at another word; who sleeps, or moves a
// cursor, does the same the other way round. One of the two sees what the other has stored: unlocking is a fence, on the
// processors that there is assembly for. Without it neither does, now and then, which shows that there is something to see.
func TestUnlockingIsAFence(t *testing.T) {
	if runtime.NumCPU() == 1 || runtime.GOMAXPROCS(0) == 1 {
		t.Skip("needs two CPUs")
	}
	rounds := 30_000
	if race.Enabled || testing.Short() {
		rounds /= 10
	}
	if n := neither(rounds, func(mu *sync.Mutex) { mu.Unlock() }, func(*sync.Mutex) {}); n != 0 {
		t.Errorf("%d of %d times neither saw what the other had stored", n, rounds)
	}
	if n := neither(rounds, func(*sync.Mutex) {}, func(mu *sync.Mutex) { mu.Unlock() }); n == 0 {
		t.Log("without unlocking as well: this machine shows no difference")
	}
}

// neither has two threads store a word each, and look at the other's, and returns how often neither saw anything. Each
// has a mutex of its own, which between is called with between the two, and after behind them.
func neither(rounds int, between, after func(*sync.Mutex)) (n int) {
	var cells [2]struct {
		word words.Uint64
		_    [120]byte
		mu   sync.Mutex
		saw  uint64
		_    [104]byte
	}
	var there [2]struct {
		round atomic.Int64
		_     [120]byte
	}
	meet := func(me int, round int64) {
		there[me].round.Store(round)
		for looks := 1; there[1-me].round.Load() < round; looks++ {
			if looks%10_000 == 0 {
				runtime.Gosched()
			}
		}
	}
	run := func(me int) {
		mine, others := &cells[me], &cells[1-me]
		for i := range int64(rounds) {
			mine.mu.Lock()
			meet(me, 3*i+1)
			words.Release64(&mine.word, 1)
			between(&mine.mu)
			mine.saw = others.word.Load()
			after(&mine.mu)
			meet(me, 3*i+2)
			if me == 0 && mine.saw == 0 && others.saw == 0 {
				n++
			}
			mine.word.Store(0)
			meet(me, 3*i+3)
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { run(1) })
	run(0)
	wg.Wait()
	return n
}
