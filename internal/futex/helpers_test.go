package futex

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/internal/words"
)

// long is a bound that no test lives to see.
const long = time.Hour

// forEachWay runs the test once for each way a front can sleep.
func forEachWay(t *testing.T, test func(t *testing.T)) {
	for _, w := range []struct {
		name          string
		polled, older bool
	}{
		{"direct", false, false},
		{"polled", true, false},
		{"direct before 5.16", false, true},
		{"polled before 5.16", true, true},
	} {
		t.Run(w.name, func(t *testing.T) {
			if !w.older && !haveWaitv() {
				t.Skip("the kernel has no futex_waitv (Linux 5.16)")
			}
			withoutWaitv.Store(w.older)
			t.Cleanup(func() { withoutWaitv.Store(false) })
			if w.polled {
				takeAllSlots(t)
			}
			test(t)
			testenv.Eventually(t, "no waiter is left", func() bool { return waiting() == 0 })
		})
	}
}

// takeAllSlots leaves no slot to anybody until the test ends.
func takeAllSlots(t *testing.T) {
	t.Helper()
	testenv.Eventually(t, "all slots are free", func() bool { return slotsTaken.CompareAndSwap(0, 1<<directSleepers-1) })
	t.Cleanup(func() { slotsTaken.Store(0) })
}

// frontsAsleep is how many fronts have gone to sleep, or are about to.
func frontsAsleep() int {
	direct, polled := fronts()
	if direct == directSleepers && polled > 0 { // by takeAllSlots, or really
		return polled
	}
	return direct + polled
}

// awaitTurn does what a lock's waiter does: it waits until the word is not v.
func awaitTurn(ctx context.Context, word *words.Uint32, v uint32, bound time.Duration) error {
	w := Enter(word)
	defer w.Leave()
	for word.Load() == v {
		if err := w.Sleep(ctx, v, bound); err != nil {
			return err
		}
	}
	return nil
}

// awaitChange is the same with Wait.
func awaitChange(ctx context.Context, word *words.Uint32, v uint32, bound time.Duration) error {
	for word.Load() == v {
		if err := Wait(ctx, word, v, bound); err != nil {
			return err
		}
	}
	return nil
}

// awaits are both kinds of waiting.
var awaits = []struct {
	name  string
	await func(ctx context.Context, word *words.Uint32, v uint32, bound time.Duration) error
}{{"turns", awaitTurn}, {"wait", awaitChange}}

// start runs f and returns where its error will be.
func start(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// ended waits for what start began.
func ended(t testing.TB, what string, done <-chan error) error {
	t.Helper()
	limit := time.NewTimer(testenv.Failsafe)
	defer limit.Stop()
	select {
	case err := <-done:
		return err
	case <-limit.C:
		t.Fatalf("still waiting after %v: %s", testenv.Failsafe, what)
		return nil
	}
}

func wake(t testing.TB, word *words.Uint32, n int) int {
	t.Helper()
	woken, err := Wake(word, n)
	if err != nil {
		t.Fatal(err)
	}
	return woken
}

// status reads a number from /proc/self/status.
func status(t testing.TB, field string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(rest))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in /proc/self/status", field)
	return 0
}
