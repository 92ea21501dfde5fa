package sys_test

import (
	"runtime"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
)

func TestAThreadIsBoundToCPUs(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := sys.CPUs()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := sys.UsableCPUs(); err != nil || n != len(before) || n == 0 || !slices.IsSorted(before) {
		t.Errorf("%d usable CPUs, %v, and these: %v", n, err, before)
	}
	defer func() {
		if err := sys.UseCPUs(before...); err != nil {
			t.Error(err)
		}
		if after, err := sys.CPUs(); err != nil || !slices.Equal(after, before) {
			t.Errorf("%v afterwards, %v before; %v", after, before, err)
		}
	}()
	last := before[len(before)-1:]
	if err := sys.UseCPUs(last...); err != nil {
		t.Fatal(err)
	}
	if now, err := sys.CPUs(); err != nil || !slices.Equal(now, last) {
		t.Errorf("%v, want %v; %v", now, last, err)
	}
	sys.Yield()
}
