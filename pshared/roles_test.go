package pshared_test

import (
	"maps"
	"testing"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// addRoles adds a primitive's other processes to roles, when the package is initialised.
func addRoles(more map[string]shmtest.Role) bool {
	maps.Copy(roles, more)
	return true
}

// sleepers is how many goroutines, of all members, sleep for something in an object that has
// a name.
func sleepers(t testing.TB, dir string, kind object.Kind, name string) (n int) {
	t.Helper()
	i, err := object.Look(object.ChooseDir(dir), kind, name, nil)
	if err != nil || i.Err != nil {
		t.Fatal(err, i.Err)
	}
	for _, m := range i.Members {
		if m.Alive {
			n += m.Waiting
		}
	}
	return n
}

// allSleep waits until so many of them do, or the victim, if there is one, is dead.
func allSleep(t testing.TB, dir string, kind object.Kind, name string, n int, victim *shmtest.Proc) {
	t.Helper()
	shmtest.Eventually(t, "all sleep", func() bool {
		return victim != nil && victim.Ended() || sleepers(t, dir, kind, name) == n
	})
}

// openScene opens a struct that the processes of a test share; it is closed with the test.
func openScene[T any](t testing.TB, dir string) *pshared.Shared[T] {
	t.Helper()
	s, err := pshared.Open[T]("scene", &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// inScene is a role that opens such a struct, named by its first argument.
func inScene[T any](f func(s *pshared.Shared[T], args []string) error) shmtest.Role {
	return func(args []string) error {
		s, err := pshared.Open[T]("scene", &pshared.Options{Dir: args[0]})
		if err != nil {
			return err
		}
		if err := f(s, args[1:]); err != nil {
			return err
		}
		return s.Close()
	}
}

// countPoint makes a role count, in shared memory, how often it comes to a point.
func countPoint(name string, add func()) {
	pshared.SetPoint(func(at string) {
		if at == name {
			add()
		}
		shmtest.Point(at)
	})
}

// done reports whether something begun has ended, without waiting for it.
func done[T any](c <-chan T) bool { return len(c) > 0 }
