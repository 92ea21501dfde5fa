package sysv_test

import (
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// procSemaphores is what /proc/sysvipc/sem has to say of the sets.
func procSemaphores(sets []sysv.SemaphoreSetInfo) []procRow {
	var rows []procRow
	for _, s := range sets {
		row := procPermission(s.Permission, "semid")
		row["nsems"] = fmt.Sprint(s.Count)
		row["otime"], row["ctime"] = procTime(s.OpTime), procTime(s.ChangeTime)
		rows = append(rows, row)
	}
	return rows
}

func TestNoSemaphoresAreListedWhereThereAreNone(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	sets, err := sysv.SemaphoreSets()
	succeeds(t, err)
	limits, err := sysv.ReadSemaphoreLimits()
	succeeds(t, err)
	if len(sets) != 0 || limits.Sets != 0 || limits.Semaphores != 0 {
		t.Errorf("%v; %d sets of %d semaphores", sets, limits.Sets, limits.Semaphores)
	}
}

func TestListedSemaphoresAreThoseOfProc(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	for i, mode := range []fs.FileMode{0o600, 0, 0o777, 0o604} {
		s := newSemaphores(t, 1+7*i)
		succeeds(t, s.Op(background, sysv.Post(0)))
		succeeds(t, s.SetMode(mode)) // also those that none may read
	}
	private, err := sysv.CreateSemaphores(sysv.Private, 5, 0o600)
	succeeds(t, err)
	defer func() { succeeds(t, private.Remove()) }()
	succeeds(t, newSemaphores(t, 3).Remove()) // leaves a hole in the kernel's table
	newSemaphores(t, 2)

	sets, err := sysv.SemaphoreSets()
	succeeds(t, err)
	if len(sets) != 6 {
		t.Errorf("%d sets are listed, expected 6", len(sets))
	}
	if diff := cmp.Diff(procTable(t, "sem"), procSemaphores(sets)); diff != "" {
		t.Errorf("(-/proc/sysvipc/sem +listed):\n%s", diff)
	}
	for _, listed := range sets {
		s, err := sysv.OpenSemaphoresID(listed.ID)
		succeeds(t, err)
		info, err := s.Stat()
		succeeds(t, err)
		if diff := cmp.Diff(info, listed); diff != "" {
			t.Errorf("(-Stat +listed):\n%s", diff)
		}
	}
}

func TestUseOfSemaphoresIsTheTotalOfProc(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	for _, n := range []int{1, 250, 32, 8} {
		newSemaphores(t, n)
	}
	limits, err := sysv.ReadSemaphoreLimits()
	succeeds(t, err)
	rows, total := procTable(t, "sem"), 0
	for _, row := range rows {
		total += number(row["nsems"])
	}
	if limits.Sets != len(rows) || limits.Sets != 4 || limits.Semaphores != total || limits.Semaphores != 291 {
		t.Errorf("%d sets and %d semaphores, expected 4 and 291; /proc has %d and %d", limits.Sets, limits.Semaphores, len(rows), total)
	}
	if rootEverywhere() {
		a := asNobody(t) // may read none of them
		if got, want := a.must("sem-limits"), fmt.Sprintf("%+v", limits); got != want {
			t.Errorf("an unprivileged user reads %s, expected %s", got, want)
		}
	}
}

func TestSemaphoreLimitsAreThoseOfTheSysctl(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	for _, sem := range []string{"", "77 7777 17 27"} {
		if sem != "" {
			testenv.SetSysctl(t, "kernel/sem", sem)
		}
		var want sysv.SemaphoreLimits
		_, err := fmt.Sscan(testenv.Sysctl(t, "kernel/sem"), &want.MaxPerSet, &want.MaxSemaphores, &want.MaxOps, &want.MaxSets)
		succeeds(t, err)
		want.MaxValue = sysv.MaxSemaphoreValue
		if got, err := sysv.ReadSemaphoreLimits(); err != nil || got != want {
			t.Errorf("%+v, %v; expected %+v", got, err, want)
		}
	}
}

func TestSemaphoresInASetAreLimited(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/sem", "5 32000 100 100") // SEMMSL
	newSemaphores(t, 5)
	_, err := sysv.CreateSemaphores(sysv.Private, 6, 0o600)
	failsWith(t, err, syscall.EINVAL)
	says(t, err, "6 semaphores are above the limit of 5")
}

func TestSetThatIsLargerThanTheLimitBecameStillWorks(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	s := newSemaphores(t, 10)
	testenv.SetSysctl(t, "kernel/sem", "5 32000 100 100")
	succeeds(t, s.SetValues(slices.Repeat([]int{1}, 10)))
	succeeds(t, s.Op(background, sysv.Wait(9)))
	found, err := sysv.OpenSemaphores(s.Key())
	succeeds(t, err)
	hasValues(t, found, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0)
}

func TestSemaphoresOfAllSetsAreLimited(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/sem", "100 12 100 100") // SEMMNS
	first := newSemaphores(t, 8)
	newSemaphores(t, 4)
	_, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
	failsWith(t, err, syscall.ENOSPC)
	says(t, err, "12 semaphores exist", "limit is 12", "needs 1", "SEMMNS")
	succeeds(t, first.Remove())
	newSemaphores(t, 8)
}

func TestSetsAreLimited(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/sem", "100 32000 100 3") // SEMMNI
	first := newSemaphores(t, 1)
	newSemaphores(t, 1)
	newSemaphores(t, 1)
	_, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
	failsWith(t, err, syscall.ENOSPC)
	says(t, err, "create semaphore set", "3 sets exist", "limit is 3", "SEMMNI", "remove")
	_, err = sysv.OpenOrCreateSemaphores(first.Key(), 1, 0o600) // an existing one is no new one
	succeeds(t, err)
	succeeds(t, first.Remove())
	newSemaphores(t, 1)
}

func TestOperationsInAStepAreLimited(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	s := newSemaphores(t, 1)
	for _, limit := range []int{1, 20, 700} {
		testenv.SetSysctl(t, "kernel/sem", fmt.Sprintf("100 32000 %d 100", limit)) // SEMOPM
		succeeds(t, s.SetValue(0, 0))
		ops := slices.Repeat([]sysv.Op{sysv.Post(0)}, limit+1)
		succeeds(t, s.Op(background, ops[1:]...))
		hasValues(t, s, limit)
		err := s.TryOp(ops...)
		failsWith(t, err, syscall.E2BIG)
		says(t, err, fmt.Sprintf("%d operations in one step, the limit is %d", limit+1, limit))
		hasValues(t, s, limit)
	}
}

// The kernel uses the place of a removed set again, under another identifier.
func TestOldIdentifierNeverMeansTheNewSet(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/sem", "100 32000 100 2")
	old := newSemaphores(t, 1)
	succeeds(t, old.Remove())
	for range 200 {
		s, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
		succeeds(t, err)
		if s.ID() == old.ID() {
			t.Fatalf("the identifier %d is used again", s.ID())
		}
		failsWith(t, old.TryOp(sysv.Post(0)), sysv.ErrRemoved)
		hasValues(t, s, 0)
		succeeds(t, s.Remove())
	}
}
