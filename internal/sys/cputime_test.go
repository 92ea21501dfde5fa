package sys_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// The clock of a thread goes while it works, never faster than the time, and not while it sleeps.
func TestThreadCPUTimeIsTheThreadsOwn(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start, began := sys.MonotonicNow(), sys.ThreadCPUTime()
	for sys.ThreadCPUTime()-began < 2*time.Millisecond {
	}
	worked := sys.ThreadCPUTime()
	if passed := sys.MonotonicNow() - start; worked-began > passed {
		t.Errorf("%v of CPU time in %v", worked-began, passed)
	}
	time.Sleep(50 * time.Millisecond) // sleep-ok: it is what is measured
	if d := sys.ThreadCPUTime() - worked; d >= 50*time.Millisecond {
		t.Errorf("%v of CPU time while asleep for 50 ms", d)
	}
}
