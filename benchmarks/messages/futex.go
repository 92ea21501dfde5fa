package main

import (
	"structs"
	"sync/atomic"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// rawFutex is the least that it takes in Go to wake somebody: a futex, on a locked thread.
func rawFutex() work {
	return wakes(work{name: "futex", op: "asleep to running by a raw futex, Go"}, func(r *room, _ bool) (sleeper, error) {
		v, err := shmkit.View[futexWord](r.mem, 512)
		return futexSleeper{v}, err
	})
}

type futexWord struct {
	_    structs.HostLayout
	word atomic.Uint32
	_    [124]byte
}

type futexSleeper struct {
	*shmkit.TypedView[futexWord]
}

func (f futexSleeper) sleep(k uint64, _ bool) error {
	word := &f.Data().word
	for word.Load() != uint32(k) {
		err := sys.FutexWait(word, uint32(k)-1, 0)
		if err != nil && err != syscall.EAGAIN && err != syscall.EINTR {
			return err
		}
	}
	return nil
}

func (f futexSleeper) wake(k uint64) error {
	word := &f.Data().word
	word.Store(uint32(k))
	_, err := sys.FutexWake(word, 1)
	return err
}

func (f futexSleeper) close() error { return f.Close() }
