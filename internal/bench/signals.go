package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"structs"
	"sync/atomic"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/sysv"
)

// A signal is an end that tells the other process something and carries nothing: the number of what it tells stands in
// a word beside it, where the other looks whether it is the right one.
type signal struct {
	r          *room
	tell, wait func(seq uint64) error
	undo       func() error // nil: nothing
}

func (s *signal) send(seq uint64) error {
	s.word(s.r.first).Store(seq)
	return s.tell(seq)
}

func (s *signal) receive(seq uint64) error {
	if err := s.wait(seq); err != nil {
		return err
	}
	if got := s.word(!s.r.first).Load(); got != seq {
		return fmt.Errorf("woken for %d at %d", seq, got)
	}
	return nil
}

func (s *signal) word(there bool) *atomic.Uint64 {
	if there {
		return &s.r.words.Data().Free[0].Word
	}
	return &s.r.words.Data().Free[1].Word
}

func (s *signal) memory() int64 { return -1 }

func (s *signal) close() error {
	if s.undo == nil {
		return nil
	}
	return s.undo()
}

// signalWays are all of them.
func signalWays() []way {
	return []way{
		futexWay(), eventWay(), condWay(), countingWay(), semaphoreWay(), eventfdWay(),
	}
}

// A futexWord is a word that one sleeps on.
type futexWord struct {
	_    structs.HostLayout
	Word atomic.Uint32
	_    [124]byte
}

// futexWay is futex(2) itself.
func futexWay() way {
	return way{name: "futex", about: "futex(2) on a word for each direction", open: func(r *room) (end, error) {
		words, err := shmkit.ViewSlice[futexWord](r.mem, 0, 2)
		if err != nil {
			return nil, err
		}
		out, in := &words.Data()[1-r.who()].Word, &words.Data()[r.who()].Word
		return &signal{r: r, undo: words.Close, tell: func(seq uint64) error {
			out.Store(uint32(seq))
			_, err := sys.FutexWake(out, 1)
			return err
		}, wait: func(seq uint64) error {
			for {
				v := in.Load()
				if v == uint32(seq) {
					return nil
				}
				if err := sys.FutexWait(in, v, 0); err != nil && !again(err) {
					return os.NewSyscallError("futex", err)
				}
			}
		}}, nil
	}}
}

// directions are the names of what one tells with and waits for.
func directions(r *room) (out, in string) {
	if r.first {
		return "there", "back"
	}
	return "back", "there"
}

// eventWay is two events that let one through.
func eventWay() way {
	return way{name: "Event", ours: true, about: "Set and Wait of a pshared.Event with auto reset", open: func(r *room) (end, error) {
		to, from := directions(r)
		out, err := pshared.OpenAutoEvent(to, lockOptions(r))
		if err != nil {
			return nil, err
		}
		in, err := pshared.OpenAutoEvent(from, lockOptions(r))
		if err != nil {
			return nil, errors.Join(err, out.Close())
		}
		return &signal{
			r: r, undo: func() error { return errors.Join(out.Close(), in.Close()) },
			tell: func(uint64) error { return out.Set() }, wait: func(uint64) error { return in.Wait(r.ctx) },
		}, nil
	}}
}

// countingWay is two semaphores of tokens.
func countingWay() way {
	return way{name: "CountingSemaphore", ours: true, about: "Post and Wait of a pshared.CountingSemaphore", open: func(r *room) (end, error) {
		to, from := directions(r)
		out, err := pshared.OpenCountingSemaphore(to, lockOptions(r))
		if err != nil {
			return nil, err
		}
		in, err := pshared.OpenCountingSemaphore(from, lockOptions(r))
		if err != nil {
			return nil, errors.Join(err, out.Close())
		}
		return &signal{
			r: r, undo: func() error { return errors.Join(out.Close(), in.Close()) },
			tell: func(uint64) error { return out.Post(1) }, wait: func(uint64) error { return in.Wait(r.ctx) },
		}, nil
	}}
}

// A turns is what a condition is about: whose turn it is.
type turns struct {
	_     structs.HostLayout
	Mu    pshared.MutexWord
	Conds [2]pshared.CondWord
	Told  [2]uint64
}

// condWay is a mutex with two conditions.
func condWay() way {
	return way{name: "Mutex and Cond", ours: true, about: "Signal and Wait of a pshared.Cond, under a Mutex", open: func(r *room) (end, error) {
		shared, err := pshared.Open[turns]("turns", lockOptions(r))
		if err != nil {
			return nil, err
		}
		d := shared.Data()
		mu := shared.Mutex(&d.Mu)
		mine, other := r.who(), 1-r.who()
		out, in := shared.Cond(&d.Conds[other]), shared.Cond(&d.Conds[mine])
		return &signal{r: r, undo: shared.Close, tell: func(seq uint64) error {
			if err := mu.Lock(r.ctx); err != nil {
				return err
			}
			d.Told[other] = seq
			return errors.Join(out.Signal(), mu.Unlock())
		}, wait: func(seq uint64) error {
			if err := mu.Lock(r.ctx); err != nil {
				return err
			}
			for d.Told[mine] < seq {
				if err := in.Wait(r.ctx, mu); err != nil {
					return err
				}
			}
			return mu.Unlock()
		}}, nil
	}}
}

// semaphoreWay is two System V semaphores.
func semaphoreWay() way {
	return way{
		name: "sysv semaphore", about: "semop(2)",
		prepare: func(p *props) error {
			set, err := sysv.CreateSemaphores(sysv.Private, 2, 0o600)
			if err != nil {
				return err
			}
			p.keep("sem", set.ID())
			return set.SetValues([]int{0, 0})
		},
		open: func(r *room) (end, error) {
			set, err := sysv.OpenSemaphoresID(r.ids[0])
			if err != nil {
				return nil, err
			}
			out, in := sysv.Post(1-r.who()), sysv.Wait(r.who())
			return &signal{r: r, tell: func(uint64) error { return set.TryOp(out) }, wait: func(uint64) error { return set.Op(r.ctx, in) }}, nil
		},
	}
}

// eventfdWay is two counters of the kernel.
func eventfdWay() way {
	return way{
		name: "eventfd", about: "write(2) and read(2) of an eventfd(2)",
		prepare: func(p *props) error {
			for range 2 {
				fd, err := sys.Eventfd()
				if err != nil {
					return os.NewSyscallError("eventfd2", err)
				}
				f := os.NewFile(uintptr(fd), "eventfd")
				p.give(f, f)
			}
			return nil
		},
		open: func(r *room) (end, error) {
			out, in := int(r.files[1-r.who()].Fd()), int(r.files[r.who()].Fd())
			one, got := make([]byte, 8), make([]byte, 8)
			binary.NativeEndian.PutUint64(one, 1)
			return &signal{r: r, tell: func(uint64) error {
				for {
					if _, err := syscall.Write(out, one); !again(err) {
						return os.NewSyscallError("write", err)
					}
				}
			}, wait: func(uint64) error {
				for {
					if _, err := syscall.Read(in, got); !again(err) {
						return os.NewSyscallError("read", err)
					}
				}
			}}, nil
		},
	}
}
