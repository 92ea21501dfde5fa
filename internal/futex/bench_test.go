package futex

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/internal/words"
)

const tick = 50 * time.Millisecond

// A way to hand a word back and forth.
type way struct {
	name  string
	await func(word *words.Uint32, v uint32) // until the word is not v

	begin, end func()
}

func nothing() {}

// ways to sleep: the kernel's own, which all others are measured against, on a thread
// of its own, and what this package makes of it.
func ways(ctx context.Context) []way {
	raw := func(word *words.Uint32, v uint32) {
		for word.Load() == v {
			_ = sys.FutexWait(words.Atomic(word), v, 0)
		}
	}
	return []way{
		{"raw", raw, runtime.LockOSThread, runtime.UnlockOSThread},
		{"rawUnlocked", raw, nothing, nothing},
		{"turns", func(word *words.Uint32, v uint32) {
			if word.Load() != v {
				return
			}
			w := Enter(word)
			for word.Load() == v {
				_ = w.Sleep(context.Background(), v, tick)
			}
			w.Leave()
		}, nothing, nothing},
		{"turnsCancellable", func(word *words.Uint32, v uint32) {
			if word.Load() != v {
				return
			}
			w := Enter(word)
			for word.Load() == v {
				_ = w.Sleep(ctx, v, tick)
			}
			w.Leave()
		}, nothing, nothing},
		{"wait", func(word *words.Uint32, v uint32) {
			for word.Load() == v {
				_ = Wait(context.Background(), word, v, tick)
			}
		}, nothing, nothing},
	}
}

var benchRoles = map[string]testenv.Role{"pong": pong}

// blockRounds is how many round trips are made one way before it is the other's turn:
// on a machine with neighbours only what was measured within the same few milliseconds
// can be compared.
const blockRounds = 200

// pong answers PATH WAY BLOCKS: the way raw and another one by turns.
func pong(args []string) error {
	m, err := mapMemory(args[0])
	if err != nil {
		return err
	}
	which, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	blocks, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fmt.Fprintln(os.Stdout, "ready")
	all := ways(ctx)
	v := uint32(0)
	for b := range blocks {
		w := all[0]
		if b%2 == 1 {
			w = all[which]
		}
		w.begin()
		for range blockRounds {
			w.await(m.word(0), v)
			v++
			m.word(1).Store(v)
			if _, err := Wake(m.word(1), 1); err != nil {
				return err
			}
		}
		w.end()
	}
	return nil
}

// BenchmarkPingPong is a round trip between two processes, both of which sleep, and how
// many times as long it takes as the kernel's own on locked threads (x-raw, of the
// medians of blocks).
func BenchmarkPingPong(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	all := ways(ctx)
	for n, w := range all {
		b.Run(w.name, func(b *testing.B) {
			m := newMemory(b, 2)
			blocks := 2 * ((b.N + 2*blockRounds - 1) / (2 * blockRounds))
			p := testenv.Start(b, "pong", m.path, strconv.Itoa(n), strconv.Itoa(blocks))
			p.Expect("ready")
			var took [2][]time.Duration
			v := uint32(0)
			b.ReportAllocs()
			b.ResetTimer()
			for k := range blocks {
				w := w
				if k%2 == 0 {
					w = all[0]
				}
				w.begin()
				begin := time.Now()
				for range blockRounds {
					m.word(0).Store(v + 1)
					_, _ = Wake(m.word(0), 1)
					w.await(m.word(1), v)
					v++
				}
				took[k%2] = append(took[k%2], time.Since(begin)/blockRounds)
				w.end()
			}
			b.StopTimer()
			raw, other := median(took[0]), median(took[1])
			b.ReportMetric(float64(other), "ns/trip")
			b.ReportMetric(float64(other)/float64(raw), "x-raw")
			if err := p.Wait(); err != nil {
				b.Error(err)
			}
		})
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// BenchmarkWakeToRun is the time from a wake-up to the goroutine that waited for it,
// with so many that wait on words of their own. The wake-up comes from a goroutine of the
// same process, which then parks.
func BenchmarkWakeToRun(b *testing.B) {
	for _, words := range []int{1, 64, 1000} {
		b.Run(strconv.Itoa(words), func(b *testing.B) {
			m := newMemory(b, words+1)
			over := m.word(words)
			ctx, cancel := context.WithCancel(context.Background())
			var all sync.WaitGroup
			var begin atomic.Int64
			took := make(chan time.Duration, 1)
			for i := range words {
				all.Go(func() {
					word := m.word(i)
					for v := uint32(0); ; v++ {
						w := Enter(word)
						for word.Load() == v && w.Sleep(ctx, v, time.Hour) == nil {
						}
						latency := time.Duration(now() - begin.Load())
						w.Leave()
						if over.Load() != 0 {
							return
						}
						took <- latency
					}
				})
			}
			testenv.Eventually(b, "all sleep", func() bool { return settled(words) })
			latencies := make([]time.Duration, 0, b.N)
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				word := m.word(i % words)
				word.Add(1)
				begin.Store(now())
				_, _ = Wake(word, 1)
				latencies = append(latencies, <-took)
			}
			b.StopTimer()
			b.ReportMetric(float64(median(latencies)), "ns/median")
			over.Store(1)
			cancel()
			all.Wait()
		})
	}
}
