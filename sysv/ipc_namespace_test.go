package sysv_test

import (
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// The key of these tests means nothing outside: each runs in a namespace that
// begins empty.
const namespaceKey = 0x5eed

// inNewNamespace starts agents that are, in the two ways there are, in another
// namespace than the test.
func inNewNamespace(t *testing.T) map[string]*agent {
	t.Helper()
	unshared := startAgent(t, nil)
	unshared.must("unshare")
	return map[string]*agent{
		"clone":   startAgent(t, &testenv.StartOptions{Cloneflags: syscall.CLONE_NEWIPC}),
		"unshare": unshared,
	}
}

func TestNamespaceHasSemaphoresOfItsOwn(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	s, err := sysv.CreateSemaphores(namespaceKey, 1, 0o600)
	succeeds(t, err)
	defer func() { succeeds(t, s.Remove()) }()
	succeeds(t, s.SetValue(0, 7))

	here := startAgent(t, nil)
	if id := number(here.must("sem-open %d 0", namespaceKey)); id != s.ID() {
		t.Errorf("a process in the same namespace finds id %d, expected %d", id, s.ID())
	}
	_, err = here.do("sem-create %d 1", namespaceKey)
	failsWith(t, err, syscall.EEXIST)

	for how, a := range inNewNamespace(t) {
		t.Run(how, func(t *testing.T) {
			_, err := a.do("sem-open %d 0", namespaceKey)
			failsWith(t, err, syscall.ENOENT)
			id := a.must("sem-create %d 2", namespaceKey)
			a.must("sem-op %s 0:1 1:2", id)
			if got := a.must("sem-values %s", id); got != "[1 2]" {
				t.Errorf("values there: %s", got)
			}
			hasValues(t, s, 7)
			a.must("sem-remove %s", id)
			hasValues(t, s, 7)
		})
	}
}

func TestNamespaceHasQueuesOfItsOwn(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	q, err := sysv.CreateQueue(namespaceKey, 0o600)
	succeeds(t, err)
	defer func() { succeeds(t, q.Remove()) }()
	succeeds(t, q.TrySend(1, []byte("outside")))

	here := startAgent(t, nil)
	if id := number(here.must("msg-open %d 0", namespaceKey)); id != q.ID() {
		t.Errorf("a process in the same namespace finds id %d, expected %d", id, q.ID())
	}
	_, err = here.do("msg-create %d", namespaceKey)
	failsWith(t, err, syscall.EEXIST)

	for how, a := range inNewNamespace(t) {
		t.Run(how, func(t *testing.T) {
			_, err := a.do("msg-open %d 0", namespaceKey)
			failsWith(t, err, syscall.ENOENT)
			id := a.must("msg-create %d", namespaceKey)
			_, err = a.do("msg-try-receive %s", id)
			failsWith(t, err, syscall.ENOMSG)
			a.must("msg-send %s 2 inside", id)
			if got := a.must("msg-receive %s", id); got != `2 "inside"` {
				t.Errorf("received there: %s", got)
			}
			a.must("msg-remove %s", id)
		})
	}
	takes(t, q, sysv.Any(), 1, "outside")
	takesNothing(t, q, sysv.Any())
}

func TestNamespaceHasLimitsAndUseOfItsOwn(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	newSemaphores(t, 3)
	newQueue(t)
	testenv.SetSysctl(t, "kernel/sem", "11 22 33 44")
	testenv.SetSysctl(t, "kernel/msgmni", "55")
	for how, a := range inNewNamespace(t) {
		t.Run(how, func(t *testing.T) {
			const sem = "{MaxSets:32000 MaxSemaphores:1024000000 MaxPerSet:32000 MaxOps:500 MaxValue:32767 Sets:0 Semaphores:0}"
			if got := a.must("sem-limits"); got != sem {
				t.Errorf("%s, expected the kernel's defaults, and nothing used: %s", got, sem)
			}
			const msg = "{MaxQueues:32000 MaxMessage:8192 QueueBytes:16384 Queues:0 Messages:0 Bytes:0}"
			if got := a.must("msg-limits"); got != msg {
				t.Errorf("%s, expected the kernel's defaults, and nothing used: %s", got, msg)
			}
		})
	}
}

// A namespace ends with its last process, and everything in it.
func TestWhatIsInANamespaceEndsWithIt(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	for how, a := range inNewNamespace(t) {
		t.Run(how, func(t *testing.T) {
			a.must("sem-create %d 1", namespaceKey)
			a.must("msg-create %d", namespaceKey)
			a.Kill()
			_, err := sysv.OpenSemaphores(namespaceKey)
			failsWith(t, err, syscall.ENOENT)
			_, err = sysv.OpenQueue(namespaceKey)
			failsWith(t, err, syscall.ENOENT)
		})
	}
}
