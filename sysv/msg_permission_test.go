package sysv_test

import (
	"fmt"
	"io/fs"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestOthersMayNotOpenAQueueWithMoreThanTheModeGives(t *testing.T) {
	q := newQueue(t)
	a := asNobody(t)
	for mode, allowed := range map[fs.FileMode]map[int]bool{
		0o600: {0: true, 0o400: false, 0o200: false, 0o600: false},
		0o604: {0: true, 0o400: true, 0o200: false, 0o600: false},
		0o602: {0: true, 0o400: false, 0o200: true, 0o600: false},
		0o606: {0: true, 0o400: true, 0o200: true, 0o600: true},
	} {
		succeeds(t, q.SetMode(mode))
		for asked, ok := range allowed {
			_, err := a.do("msg-open %d %#o", q.Key(), asked)
			switch {
			case ok && err != nil:
				t.Errorf("mode %#o, asked for %#o: %v", mode, asked, err)
			case !ok && err == nil:
				t.Errorf("mode %#o, asked for %#o: works", mode, asked)
			case !ok:
				failsWith(t, err, syscall.EACCES)
				says(t, err, "open message queue", "uid 0 gid 0", fmt.Sprintf("mode %04o", uint32(mode)), "this process is uid 65534")
			}
		}
	}
}

func TestOthersMayDoWithAQueueWhatTheModeSays(t *testing.T) {
	q := newQueue(t)
	a := asNobody(t)
	const read, write = 0o004, 0o002
	for _, c := range []struct {
		command string
		needs   fs.FileMode
	}{
		{"msg-stat %d", read},
		{"msg-peek %d", read},
		{"msg-try-receive %d", read},
		{"msg-receive %d", read},
		{"msg-try-send %d 1 text", write},
		{"msg-send %d 1 text", write},
	} {
		for _, mode := range []fs.FileMode{0, read, write, read | write} {
			succeeds(t, q.TrySend(1, nil)) // something to receive
			succeeds(t, q.SetMode(0o600|mode))
			_, err := a.do(c.command, q.ID())
			switch {
			case mode&c.needs != 0 && err != nil:
				t.Errorf("mode %#o: %s: %v", mode, c.command, err)
			case mode&c.needs == 0 && err == nil:
				t.Errorf("mode %#o: %s works", mode, c.command)
			case mode&c.needs == 0:
				failsWith(t, err, syscall.EACCES)
				says(t, err, "uid 0 gid 0")
			}
		}
	}
}

func TestOnlyTheOwnerChangesAQueue(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.SetMode(0o666))
	a := asNobody(t)
	for _, command := range []string{"msg-mode %d 0600", "msg-owner %d 65534 65534", "msg-capacity %d 1", "msg-remove %d"} {
		_, err := a.do(command, q.ID())
		failsWith(t, err, syscall.EPERM)
		says(t, err, "uid 0 gid 0", "only owner, creator or root")
	}
}

func TestNewOwnerOfAQueueMayDoAll(t *testing.T) {
	q := newQueue(t)
	a := asNobody(t)
	succeeds(t, q.SetOwner(65534, -1))
	a.must("msg-send %d 1 text", q.ID())
	a.must("msg-mode %d 0200", q.ID())
	a.must("msg-capacity %d 100", q.ID()) // though it can no longer read it
	a.must("msg-owner %d -1 65534", q.ID())
	info, err := q.Stat()
	succeeds(t, err)
	if info.Mode != 0o200 || info.UID != 65534 || info.GID != 65534 || info.CreatorUID != 0 || info.Capacity != 100 {
		t.Errorf("%+v", info)
	}
	a.must("msg-remove %d", q.ID())
}

func TestCreatorKeepsItsRightsOverAQueue(t *testing.T) {
	testenv.RequireRoot(t)
	a := asNobody(t)
	id := number(a.must("msg-create %d", testenv.Key(t)))
	q, err := sysv.OpenQueueID(id)
	succeeds(t, err)
	succeeds(t, q.SetOwner(0, 0))
	a.must("msg-mode %d 0666", id)
	a.must("msg-remove %d", id)
}

func TestQueueOwnersThatAreNone(t *testing.T) {
	q := newQueue(t)
	for _, id := range []int{-2, 1<<32 - 1, 1 << 32, 1<<32 + 1} {
		for _, err := range []error{q.SetOwner(id, -1), q.SetOwner(-1, id)} {
			failsWith(t, err, syscall.EINVAL)
			isNot(t, err, fs.ErrNotExist)
		}
	}
}

func TestReceiverWhosePermissionGoesIsRefused(t *testing.T) {
	q := newQueue(t)
	a := asNobody(t)
	succeeds(t, q.SetMode(0o666))
	a.begin("msg-receive %d", q.ID())
	testenv.Eventually(t, "the receiver blocks", func() bool { return testenv.InSyscall(t, a.Pid(), syscall.SYS_MSGRCV) })
	succeeds(t, q.SetMode(0o600)) // unlike for semaphores the kernel looks again
	_, err := a.end()
	failsWith(t, err, syscall.EACCES)
}

func TestCapacityAboveTheLimitNeedsAPrivilege(t *testing.T) {
	q := newQueue(t)
	limits, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	a := asNobody(t)
	succeeds(t, q.SetOwner(65534, -1))
	a.must("msg-capacity %d %d", q.ID(), limits.QueueBytes)
	_, err = a.do("msg-capacity %d %d", q.ID(), limits.QueueBytes+1)
	failsWith(t, err, syscall.EPERM)
	says(t, err, "set capacity of message queue", fmt.Sprintf("kernel.msgmnb = %d", limits.QueueBytes), "CAP_SYS_RESOURCE")
	info, err := q.Stat()
	succeeds(t, err)
	if info.Capacity != uint64(limits.QueueBytes) {
		t.Errorf("capacity %d", info.Capacity)
	}
}

func TestCapacityThatDoesNotFitIsNotCut(t *testing.T) {
	q := newQueue(t)
	before, err := q.Stat()
	succeeds(t, err)
	for _, capacity := range []uint64{1 << 31, 1 << 32, 1<<32 + 1, 1 << 63, math.MaxUint64} {
		err := q.SetCapacity(capacity)
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, fmt.Sprint(capacity))
	}
	if now, err := q.Stat(); now != before || err != nil {
		t.Errorf("%+v, %v; it was %+v", now, err, before)
	}
}

func TestAnyChangeOfAQueueAboveTheLimitNeedsThePrivilege(t *testing.T) {
	testenv.RequireRoot(t)
	if !testenv.InPrivateIPC(t) {
		return
	}
	q := newQueue(t)
	succeeds(t, q.SetCapacity(1000))
	testenv.SetSysctl(t, "kernel/msgmnb", "999")
	a := startAgent(t, &testenv.StartOptions{DropCaps: []testenv.Capability{testenv.CapSysResource}})
	_, err := a.do("msg-mode %d 0644", q.ID())
	failsWith(t, err, syscall.EPERM)
	says(t, err, "set mode of message queue", "kernel.msgmnb = 999")
	a.must("msg-capacity %d 999", q.ID())
	a.must("msg-mode %d 0644", q.ID())
}

func TestUnreadableQueuesAreFoundAndListed(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.TrySend(1, nil))
	a := asNobody(t)
	want := fmt.Sprintf("%v 1 0600", q.Key())
	if got := a.must("msg-listed %d", q.ID()); got != want {
		t.Errorf("listed as %q, expected %q", got, want)
	}
	_, err := a.do("msg-stat %d", q.ID())
	failsWith(t, err, syscall.EACCES)
	says(t, err, q.String())
}

func TestQueueChangesAdvanceTheChangeTime(t *testing.T) {
	q := newQueue(t)
	for _, change := range []func() error{
		func() error { return q.SetMode(0o644) },
		func() error { return q.SetCapacity(100) },
	} {
		before, err := q.Stat()
		succeeds(t, err)
		begin := time.Now()
		testenv.Eventually(t, "the change time advances", func() bool {
			succeeds(t, change())
			now, err := q.Stat()
			succeeds(t, err)
			isRecent(t, "change time", now.ChangeTime, begin)
			return now.ChangeTime.After(before.ChangeTime)
		})
	}
}

func TestChangingOneThingOfAQueueKeepsTheOthers(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.TrySend(1, []byte("text")))
	before, err := q.Stat()
	succeeds(t, err)
	succeeds(t, q.SetMode(0o421))
	succeeds(t, q.SetOwner(-1, -1))
	succeeds(t, q.SetCapacity(77))
	now, err := q.Stat()
	succeeds(t, err)
	before.Mode, before.Capacity, before.ChangeTime = 0o421, 77, now.ChangeTime
	if now != before {
		t.Errorf("now %+v\nbefore %+v", now, before)
	}
}
