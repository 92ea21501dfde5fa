package pshared_test

import (
	"errors"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// OpenMutex of a readers/writers lock is its writing side.
func TestMutexOfAReadersWritersLock(t *testing.T) {
	dir := shmtest.Dir(t)
	rw, err := pshared.OpenRWMutex("x", &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	m, err := pshared.OpenMutex("x", &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := rw.RLock(limited(t)); err != nil {
		t.Fatal(err)
	}
	if held, err := m.TryLock(); held || err != nil {
		t.Errorf("TryLock beside a reader: %t, %v", held, err)
	}
	mine := begin(func() error { return m.Lock(limited(t)) })
	shmtest.Eventually(t, "the gate is closed", func() bool {
		held, err := rw.TryRLock()
		if held {
			err = errors.Join(err, rw.RUnlock())
		}
		if err != nil {
			t.Fatal(err)
		}
		return !held
	})
	if err := errors.Join(rw.RUnlock(), <-mine); err != nil {
		t.Fatal(err)
	}
	if held, err := rw.TryRLock(); held || err != nil {
		t.Errorf("TryRLock beside a writer: %t, %v", held, err)
	}
	if held, err := rw.TryLock(); held || err != nil {
		t.Errorf("TryLock beside a writer: %t, %v", held, err)
	}
	if err := m.Close(); !errors.Is(err, pshared.ErrHeld) {
		t.Errorf("Close of what is held: %v", err)
	}
	if err := rw.Unlock(); !errors.Is(err, pshared.ErrNotHeld) {
		t.Errorf("Unlock of what another holds: %v", err)
	}
	if err := errors.Join(m.Unlock(), m.MakeConsistent()); !errors.Is(err, pshared.ErrNotHeld) {
		t.Errorf("MakeConsistent of what is not held: %v", err)
	}
	if err := errors.Join(m.Close(), rw.Close()); err != nil {
		t.Error(err)
	}
	// The other way round there is nothing to share.
	m, err = pshared.OpenMutex("x", &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pshared.OpenRWMutex("x", &pshared.Options{Dir: dir}); !errors.Is(err, pshared.ErrType) {
		t.Errorf("OpenRWMutex of a mutex: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
