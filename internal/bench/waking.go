package bench

import (
	"bytes"
	"fmt"
	"os"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// A waking is a side of wake-ups: B sleeps until A tells it, and says when it ran; A makes sure that it sleeps before.
// What is recorded is from just before A tells until B runs. The clock is the machine's.
type waking struct {
	end
	r      *room
	seq    uint64
	thread *os.File // the state of B's thread, in A
	sum    int64
}

// calm is how long a thread has slept before it is woken.
const calm = 20 * time.Microsecond

func (w *waking) run(n int, rec *recorder) error {
	m := w.r.words.Data()
	seen, at, tid := &m.Free[6].Word, &m.Free[7].Word, &m.Free[5].Word
	w.sum = 0
	if !w.r.first {
		tid.Store(uint64(os.Getpid())<<32 | uint64(sys.Gettid()))
	}
	for range n {
		w.seq++
		if !w.r.first {
			if err := w.receive(w.seq); err != nil {
				return err
			}
			at.Store(uint64(sys.MonotonicNow()))
			seen.Store(w.seq)
			continue
		}
		await(tid, 1)
		if err := w.asleep(tid.Load()); err != nil {
			return err
		}
		begin := int64(sys.MonotonicNow())
		if err := w.send(w.seq); err != nil {
			return err
		}
		await(seen, w.seq)
		took := int64(at.Load()) - begin
		rec.add(took)
		w.sum += took
	}
	return nil
}

// asleep waits until B's thread sleeps, and then a little.
func (w *waking) asleep(who uint64) (err error) {
	if w.thread == nil {
		if w.thread, err = os.Open(fmt.Sprintf("/proc/%d/task/%d/stat", who>>32, uint32(who))); err != nil {
			return err
		}
	}
	var text [128]byte
	for state := byte('R'); state != 'S'; {
		n, err := w.thread.ReadAt(text[:], 0)
		if n == 0 && err != nil {
			return err
		}
		// "812 (shmkit) S …"
		if at := bytes.IndexByte(text[:n], ')'); at >= 0 && at+2 < n {
			state = text[at+2]
		}
	}
	for begin := now(); now()-begin < int64(calm); {
	}
	return nil
}

func (w *waking) spent() int64 { return w.sum }

func (w *waking) close() error {
	if w.thread != nil {
		if err := w.thread.Close(); err != nil {
			return err
		}
	}
	return w.end.close()
}
