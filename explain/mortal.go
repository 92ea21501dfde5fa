package explain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/sysv"
)

// The processes of death: each takes locks, and is killed when it has one, or lives on.

// mortalMemory is the descriptor of the memory.
const mortalMemory = 3

// A taking is what a process tells of a lock that it has asked for.
type taking struct {
	Got      string
	From, To time.Duration // monotonic
}

// A mortal is one of the processes.
type mortal struct {
	data  *legacy
	mu    *pshared.Mutex
	rw    *pshared.RWMutex
	sets  [2]*sysv.SemaphoreSet // taken without undo, and with
	spoil string                // "release KIND": who is to die gives it back first; "noundo"; "norepair"
}

// mortalRole does what it is told with locks.
func mortalRole(a *actor) error {
	shared, err := pshared.OpenMemfd[legacy](os.NewFile(mortalMemory, "legacy"), nil)
	if err != nil {
		return err
	}
	d := shared.Data()
	m := &mortal{data: d, mu: shared.Mutex(&d.Mu), rw: shared.RWMutex(&d.RW), spoil: a.args[2]}
	for i := range m.sets {
		if m.sets[i], err = openSemaphore(a.args[i]); err != nil {
			return err
		}
	}
	if err := a.say("ready"); err != nil {
		return err
	}
	for {
		line, err := a.hear()
		if err != nil {
			return err
		}
		answer, err := m.obey(line)
		if err != nil && !errors.Is(err, pshared.ErrNotHeld) {
			return fmt.Errorf("%s: %w", line, err)
		}
		if err := a.say("%s", answer); err != nil {
			return err
		}
	}
}

func (m *mortal) obey(line string) (answer string, err error) {
	var verb, kind string
	var ms int
	if _, err := fmt.Sscan(line, &verb, &kind); err != nil {
		return "", err
	}
	switch verb {
	case "take":
		if _, err := fmt.Sscan(line, &verb, &kind, &ms); err != nil {
			return "", err
		}
		return m.take(kind, time.Duration(ms)*time.Millisecond)
	case "unlock":
		return "ok", m.unlock(kind)
	case "reset":
		return "ok", m.mu.Reset()
	case "repair":
		if m.spoil != "norepair" {
			m.data.Right += 10
		}
		consistent := m.mu.MakeConsistent
		if kind == "write" {
			consistent = m.rw.MakeConsistent
		}
		return "ok", errors.Join(consistent(), m.unlock(kind))
	}
	return "", fmt.Errorf("what is %q?", line)
}

// take takes a lock. Who has no time to wait is to be killed, with half of the work done.
func (m *mortal) take(kind string, wait time.Duration) (string, error) {
	dies := wait == 0
	if dies {
		wait = patience // nobody is in its way
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	t := taking{From: sys.MonotonicNow()}
	err := m.lock(ctx, kind, t.From+wait)
	t.To = sys.MonotonicNow()
	if t.Got, err = got(err); err != nil {
		return "", err
	}
	if dies && kind != "read" {
		m.data.Left -= 10
	}
	if dies && m.spoil == "release "+kind {
		if err := m.unlock(kind); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(t)
	return string(text), err
}

func (m *mortal) lock(ctx context.Context, kind string, deadline time.Duration) error {
	switch kind {
	case "plain":
		return m.lockPlain(deadline)
	case "sysv":
		return m.sets[0].Op(ctx, sysv.Wait(0))
	case "undo":
		if m.spoil == "noundo" {
			return m.sets[1].Op(ctx, sysv.Wait(0))
		}
		return m.sets[1].Op(ctx, sysv.Wait(0).Undo())
	case "mutex":
		return m.mu.Lock(ctx)
	case "read":
		return m.rw.RLock(ctx)
	case "write":
		return m.rw.Lock(ctx)
	}
	return fmt.Errorf("what is %q?", kind)
}

// lockPlain takes the lock that says nothing of its owner.
func (m *mortal) lockPlain(deadline time.Duration) error {
	for !m.data.Plain.CompareAndSwap(0, 1) {
		left := deadline - sys.MonotonicNow()
		if left <= 0 {
			return context.DeadlineExceeded
		}
		// Whatever it says, the word and the clock are looked at again.
		_ = sys.FutexWait(words.Atomic(&m.data.Plain), 1, left)
	}
	return nil
}

func (m *mortal) unlock(kind string) error {
	switch kind {
	case "plain":
		m.data.Plain.Store(0)
		return nil
	case "sysv":
		return m.sets[0].Op(context.Background(), sysv.Post(0))
	case "undo":
		return m.sets[1].Op(context.Background(), sysv.Post(0).Undo())
	case "mutex":
		return m.mu.Unlock()
	case "read":
		return m.rw.RUnlock()
	case "write":
		return m.rw.Unlock()
	}
	return fmt.Errorf("what is %q?", kind)
}
