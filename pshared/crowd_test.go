package pshared_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// threads is how many this process has.
func threads(t testing.TB) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\nThreads:")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

type crowded struct {
	Mu [1000]pshared.MutexWord
	N  [1000]int64
}

// 12,000 goroutines wait at once, of which the kernel sees a few, and all get the lock.
func TestACrowdIsServed(t *testing.T) {
	for _, locks := range []int{1, 1000} {
		t.Run(strconv.Itoa(locks), func(t *testing.T) {
			dir := shmtest.Dir(t)
			opts := &pshared.Options{Dir: dir}
			mine, err := pshared.Open[crowded]("x", opts)
			if err != nil {
				t.Fatal(err)
			}
			defer mine.Close()
			s, err := pshared.Open[crowded]("x", opts)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for i := range locks {
				lock(t, mine.Mutex(&mine.Data().Mu[i]))
			}
			crowd := 12_000
			if testing.Short() {
				crowd = 2000
			}
			var all sync.WaitGroup
			var waiting, served atomic.Int64
			ctx := limited(t)
			for n := range crowd {
				mu := s.Mutex(&s.Data().Mu[n%locks])
				all.Go(func() {
					waiting.Add(1)
					if err := mu.Lock(ctx); err != nil {
						t.Error(err)
						return
					}
					s.Data().N[n%locks]++
					served.Add(1)
					if err := mu.Unlock(); err != nil {
						t.Error(err)
					}
				})
			}
			shmtest.Eventually(t, "all wait", func() bool {
				i := s.Waiting()
				return waiting.Load() == int64(crowd) && i == crowd
			})
			if n := threads(t); n > 500 {
				t.Errorf("%d threads", n)
			}
			if served.Load() != 0 {
				t.Error("somebody got a held lock")
			}
			for i := range locks {
				unlock(t, mine.Mutex(&mine.Data().Mu[i]))
			}
			all.Wait()
			total := int64(0)
			for _, n := range s.Data().N {
				total += n
			}
			if total != int64(crowd) || served.Load() != int64(crowd) {
				t.Errorf("%d of %d were served, counted %d", served.Load(), crowd, total)
			}
		})
	}
}
