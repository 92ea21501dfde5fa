package main

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// ledger is a program's own struct.
type ledger struct {
	Mu       pshared.MutexWord
	Accounts [2]struct {
		RW pshared.RWMutexWord
	}
}

// What stands in a struct is told of by those who know nothing of its type.
func TestStructsAreListedWithWhatIsHeldInThem(t *testing.T) {
	t.Setenv("SHMKIT_DIR", shmtest.Dir(t))
	s, err := pshared.Open[ledger]("ledger", nil)
	if err != nil {
		t.Fatal(err)
	}
	mu, rw := s.Mutex(&s.Data().Mu), s.RWMutex(&s.Data().Accounts[1].RW)
	for _, err := range []error{mu.Lock(t.Context()), rw.RLock(t.Context()), rw.RLock(t.Context())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	told := func(args ...string) string {
		t.Helper()
		r := runKinds(t, args...)
		if r.code != exitDone || r.err != "" {
			t.Errorf("shmkit %s: exit code %d\n%s", strings.Join(args, " "), r.code, r.err)
		}
		return r.out
	}
	if got := told("ls", "struct"); !strings.Contains(got, "struct:ledger") || !strings.Contains(got, "main.ledger") {
		t.Errorf("ls:\n%s", got)
	}
	got := told("stat", "struct:ledger")
	for _, line := range []string{"0 Mu mutex held", "8 Accounts[0].RW rwmutex unlocked", "24 Accounts[1].RW rwmutex read", "(read 2)", "Mu, Accounts[1].RW read 2"} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), line) {
			t.Errorf("stat does not say %q:\n%s", line, got)
		}
	}
	refused(t, runKinds(t, "rm", "struct:ledger"), exitFailed, "struct:ledger")
	refused(t, runKinds(t, "recover", "--reset", "struct:ledger"), exitFailed, "struct:ledger")
	for _, err := range []error{mu.Unlock(), rw.RUnlock(), rw.RUnlock(), s.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	refused(t, runKinds(t, "stat", "struct:ledger"), exitFailed, "struct:ledger")
}
