package testenv

import (
	"testing"
	"time"
)

// Failsafe bounds every wait of this package. It says nothing about how long
// something may take; it is there so that a hang becomes a failure with a name.
const Failsafe = 60 * time.Second

// Eventually waits until cond is true, for conditions that nobody signals: what
// another process or the kernel does. It fails the test, naming what, when the
// failsafe passes. cond is called from the calling goroutine.
func Eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !poll(Failsafe, cond) {
		t.Fatalf("still not true after %v: %s", Failsafe, what)
	}
}

// poll calls cond until it is true, or until limit has passed, and reports which.
// It is the one place in the tests that sleeps.
func poll(limit time.Duration, cond func() bool) bool {
	const longest = 20 * time.Millisecond
	deadline := time.Now().Add(limit)
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, longest) {
		if cond() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(pause)
	}
}
