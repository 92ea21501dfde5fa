package sysv_test

import (
	"io/fs"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/sysv"
)

func TestWaitersAreCounted(t *testing.T) {
	const sleepers = 5
	s := newSemaphores(t, 3)
	succeeds(t, s.SetValue(1, 1))
	for _, kind := range []struct {
		what  string
		op    sysv.Op
		count func(int) (int, error)
		free  func() error
	}{
		{"to grow", sysv.Wait(0), s.Waiting, func() error { return s.SetValue(0, sleepers) }},
		{"to be 0", sysv.Zero(1), s.WaitingForZero, func() error { return s.SetValue(1, 0) }},
	} {
		t.Run(kind.what, func(t *testing.T) {
			done := make(chan error, sleepers)
			for range sleepers {
				go func() { done <- s.Op(background, kind.op) }()
			}
			if kind.op == sysv.Wait(0) {
				eventuallyWaiting(t, s, 0, sleepers)
			} else {
				eventuallyZeroWaiting(t, s, 1, sleepers)
			}
			for i := range 3 {
				grow, err := s.Waiting(i)
				succeeds(t, err)
				zero, err := s.WaitingForZero(i)
				succeeds(t, err)
				counted := 0
				if i == 0 && kind.op == sysv.Wait(0) || i == 1 && kind.op == sysv.Zero(1) {
					counted = sleepers
				}
				if grow+zero != counted {
					t.Errorf("semaphore %d: %d wait for it to grow and %d for 0", i, grow, zero)
				}
			}
			succeeds(t, kind.free())
			for range sleepers {
				succeeds(t, result(t, done))
			}
			if n, err := kind.count(0); n != 0 || err != nil {
				t.Errorf("afterwards %d wait, %v", n, err)
			}
		})
	}
}

func TestWaitersInOtherProcessesAreCounted(t *testing.T) {
	const sleepers = 5
	s := newSemaphores(t, 1)
	var agents [sleepers]*agent
	for i := range agents {
		agents[i] = startAgent(t, nil)
		agents[i].begin("sem-op %d 0:-1", s.ID())
		eventuallyWaiting(t, s, 0, i+1)
	}
	for i, a := range agents[:2] { // who dies no longer waits
		a.Kill()
		eventuallyWaiting(t, s, 0, sleepers-i-1)
	}
	succeeds(t, s.Op(background, sysv.Add(0, sleepers-2)))
	for _, a := range agents[2:] {
		_, err := a.end()
		succeeds(t, err)
	}
	hasValues(t, s, 0)
}

func TestStepWaitsForOneSemaphoreAtATime(t *testing.T) {
	s := newSemaphores(t, 2)
	both := start(func() error { return s.Op(background, sysv.Wait(0), sysv.Wait(1)) })
	eventuallyWaiting(t, s, 0, 1)
	if n, err := s.Waiting(1); n != 0 || err != nil {
		t.Errorf("%d wait for the second semaphore, %v", n, err)
	}
	succeeds(t, s.Op(background, sysv.Post(0)))
	eventuallyWaiting(t, s, 1, 1)
	if n, err := s.Waiting(0); n != 0 || err != nil {
		t.Errorf("%d still wait for the first semaphore, %v", n, err)
	}
	succeeds(t, s.Op(background, sysv.Post(1)))
	succeeds(t, result(t, both))
}

func TestWhoCanGoOnDoesNotQueueBehindWhoCannot(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.SetValue(0, 1))
	two := start(func() error { return s.Op(background, sysv.Add(0, -2)) })
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.Op(background, sysv.Wait(0))) // passes the one that came first
	one := start(func() error { return s.Op(background, sysv.Wait(0)) })
	eventuallyWaiting(t, s, 0, 2)
	succeeds(t, s.Op(background, sysv.Post(0)))
	succeeds(t, result(t, one)) // is woken before it, too
	unfinished(t, two)
	succeeds(t, s.Op(background, sysv.Add(0, 2)))
	succeeds(t, result(t, two))
}

func TestRemovalWakesEveryWaiter(t *testing.T) {
	const sleepers = 20
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(1, 1))
	done := make(chan error, 2*sleepers)
	for range sleepers {
		go func() { done <- s.Op(background, sysv.Wait(0)) }()
		go func() { done <- s.Op(background, sysv.Zero(1)) }()
	}
	eventuallyWaiting(t, s, 0, sleepers)
	eventuallyZeroWaiting(t, s, 1, sleepers)
	succeeds(t, s.Remove())
	for range 2 * sleepers {
		err := result(t, done)
		failsWith(t, err, syscall.EIDRM, sysv.ErrRemoved, fs.ErrNotExist)
		says(t, err, "operate on semaphore set", s.String())
	}
}

func TestRemovalWakesWaitersOfOtherProcesses(t *testing.T) {
	s := newSemaphores(t, 1)
	a := startAgent(t, nil)
	a.begin("sem-op %d 0:-1", s.ID())
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.Remove())
	_, err := a.end()
	failsWith(t, err, syscall.EIDRM)
}

func TestWaiterKeepsWaitingWhenThePermissionGoes(t *testing.T) {
	s := newSemaphores(t, 1)
	a := asNobody(t)
	succeeds(t, s.SetMode(0o666))
	a.begin("sem-op %d 0:-1", s.ID())
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.SetMode(0o600))
	succeeds(t, s.Op(background, sysv.Post(0)))
	_, err := a.end()
	succeeds(t, err)
}
