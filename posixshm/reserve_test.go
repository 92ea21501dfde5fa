package posixshm_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// One every 300 µs or so.
func TestReservingUnderSignals(t *testing.T) {
	const size = 128 << 20
	d := newDir(t)
	if free(t, d) < 2*size {
		t.Skipf("/dev/shm has too little free")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := sys.Gettid()
	stop, stopped := make(chan bool), make(chan int)
	go func() {
		sent := 0
		for last := time.Now(); ; {
			select {
			case <-stop:
				stopped <- sent
				return
			default:
			}
			if time.Since(last) < 300*time.Microsecond {
				runtime.Gosched()
				continue
			}
			last = time.Now()
			if err := sys.Interrupt(thread); err != nil {
				t.Error(err)
			}
			sent++
		}
	}()
	obj := create(t, d, "/frames", size, nil)
	close(stop)
	t.Logf("%d signals", <-stopped)
	if info := stat(t, obj); info.Size != size || info.Allocated != size {
		t.Errorf("%+v", info)
	}
	ok(t, obj.Remove())
}
