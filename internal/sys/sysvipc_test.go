package sys_test

import (
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// What package sysv has no way to ask for, so that only its tests here can show
// the answers of the kernel.

func newSet(t *testing.T, n int) int {
	t.Helper()
	id, err := sys.Semget(testenv.Key(t), n, sys.IPC_CREAT|sys.IPC_EXCL|0o600)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newQueue(t *testing.T) int {
	t.Helper()
	id, err := sys.Msgget(testenv.Key(t), sys.IPC_CREAT|sys.IPC_EXCL|0o600)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func refusedWith(t *testing.T, err error, want syscall.Errno) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, expected %v", err, want)
	}
}

func TestTimeoutsThatAreNone(t *testing.T) {
	id := newSet(t, 1)
	post := []sys.Sembuf{{Delta: 1}} // refused although it need not wait
	for _, c := range []struct{ sec, nsec int64 }{
		{0, 1_000_000_000}, {0, -1}, {-1, 0}, {0, math.MaxInt64}, {math.MinInt64, 0},
	} {
		refusedWith(t, sys.SemtimedopSpec(id, post, c.sec, c.nsec), syscall.EINVAL)
	}
	refusedWith(t, sys.Semtimedop(id, post, -1), syscall.EINVAL)
	if v, err := sys.SemGet(id, 0, sys.GETVAL); v != 0 || err != nil {
		t.Errorf("value %d, %v", v, err)
	}
	if err := sys.SemtimedopSpec(id, post, 0, 999_999_999); err != nil {
		t.Error(err)
	}
}

func TestTimeoutIsEAGAINNotBeforeItsTime(t *testing.T) {
	id := newSet(t, 1)
	wait := []sys.Sembuf{{Delta: -1}}
	for _, timeout := range []time.Duration{0, 1, time.Microsecond, 20 * time.Millisecond} {
		for {
			begin := time.Now()
			err := sys.Semtimedop(id, wait, timeout)
			if errors.Is(err, syscall.EINTR) {
				continue // by the runtime; the layers above hide it
			}
			refusedWith(t, err, syscall.EAGAIN)
			if waited := time.Since(begin); waited < timeout {
				t.Errorf("waited %v, was to wait %v", waited, timeout)
			}
			break
		}
	}
}

func TestUnknownCommands(t *testing.T) {
	set, queue := newSet(t, 1), newQueue(t)
	for _, cmd := range []int{-1, 99, math.MaxInt32} {
		refusedWith(t, sys.SemControl(set, cmd), syscall.EINVAL)
		refusedWith(t, sys.MsgControl(queue, cmd), syscall.EINVAL)
		refusedWith(t, sys.ShmControl(0, cmd), syscall.EINVAL)
	}
}

func TestUnknownIdentifiers(t *testing.T) {
	set, queue := newSet(t, 1), newQueue(t)
	if err := errors.Join(sys.SemRemove(set), sys.MsgRemove(queue)); err != nil {
		t.Fatal(err)
	}
	for _, set := range []int{-1, set} {
		_, err := sys.SemGet(set, 0, sys.GETVAL)
		refusedWith(t, err, syscall.EINVAL)
		refusedWith(t, sys.SemRemove(set), syscall.EINVAL)
		refusedWith(t, sys.Semop(set, []sys.Sembuf{{Delta: 1}}), syscall.EINVAL)
	}
	buf := make([]byte, sys.MsgHeader)
	binary.NativeEndian.PutUint64(buf, 1)
	for _, queue := range []int{-1, queue} {
		refusedWith(t, sys.MsgRemove(queue), syscall.EINVAL)
		refusedWith(t, sys.Msgsnd(queue, buf, 0), syscall.EINVAL)
		_, err := sys.Msgrcv(queue, buf, 0, 0)
		refusedWith(t, err, syscall.EINVAL)
	}
}

func TestNoOperations(t *testing.T) {
	refusedWith(t, sys.Semop(newSet(t, 1), nil), syscall.EINVAL)
}

func TestMessageBuffersWithoutATypeAreRefused(t *testing.T) {
	queue := newQueue(t)
	for n := range sys.MsgHeader {
		refusedWith(t, sys.Msgsnd(queue, make([]byte, n), sys.IPC_NOWAIT), syscall.EINVAL)
		_, err := sys.Msgrcv(queue, make([]byte, n), 0, sys.IPC_NOWAIT)
		refusedWith(t, err, syscall.EINVAL)
	}
}

func TestCopyNeedsNoWaitAndNoExcept(t *testing.T) {
	queue, buf := newQueue(t), make([]byte, sys.MsgHeader)
	for _, flags := range []int{0, sys.IPC_NOWAIT | sys.MSG_EXCEPT} {
		_, err := sys.Msgrcv(queue, buf, 0, sys.MSG_COPY|flags)
		refusedWith(t, err, syscall.EINVAL)
	}
}

// The three ways to ask for one object agree, and its index is found among those
// that the info command counts.
func TestStatByIndexIsStatByIdentifier(t *testing.T) {
	set := newSet(t, 3)
	var byID sys.SemidDS
	if _, err := sys.SemStat(set, sys.IPC_STAT, &byID); err != nil {
		t.Fatal(err)
	}
	var info sys.Seminfo
	highest, err := sys.SemLimits(sys.SEM_INFO, &info)
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []int{sys.SEM_STAT, sys.SEM_STAT_ANY} {
		found := false
		for i := 0; i <= highest; i++ {
			var ds sys.SemidDS
			if id, err := sys.SemStat(i, cmd, &ds); err == nil && id == set {
				found = true
				if ds != byID {
					t.Errorf("command %d: %+v, expected %+v", cmd, ds, byID)
				}
			}
		}
		if !found {
			t.Errorf("command %d: the set is not among the indexes up to %d", cmd, highest)
		}
	}

	queue := newQueue(t)
	var msgByID sys.MsqidDS
	if _, err := sys.MsgStat(queue, sys.IPC_STAT, &msgByID); err != nil {
		t.Fatal(err)
	}
	var use sys.Msginfo
	if highest, err = sys.MsgLimits(sys.MSG_INFO, &use); err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []int{sys.MSG_STAT, sys.MSG_STAT_ANY} {
		found := false
		for i := 0; i <= highest; i++ {
			var ds sys.MsqidDS
			if id, err := sys.MsgStat(i, cmd, &ds); err == nil && id == queue {
				found = true
				if ds != msgByID {
					t.Errorf("command %d: %+v, expected %+v", cmd, ds, msgByID)
				}
			}
		}
		if !found {
			t.Errorf("command %d: the queue is not among the indexes up to %d", cmd, highest)
		}
	}
}

func TestIndexesBehindTheHighestAreNone(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	newSet(t, 1)
	newQueue(t)
	for _, cmd := range []int{sys.SEM_STAT, sys.SEM_STAT_ANY} {
		_, err := sys.SemStat(1, cmd, new(sys.SemidDS))
		refusedWith(t, err, syscall.EINVAL)
	}
	for _, cmd := range []int{sys.MSG_STAT, sys.MSG_STAT_ANY} {
		_, err := sys.MsgStat(1, cmd, new(sys.MsqidDS))
		refusedWith(t, err, syscall.EINVAL)
	}
}

func TestInfoCommandsTellLimitsAndUse(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/sem", "11 222 33 44")
	testenv.SetSysctl(t, "kernel/msgmni", "55")
	newSet(t, 3)
	newSet(t, 4)
	newQueue(t)

	var limits, use sys.Seminfo
	if _, err := sys.SemLimits(sys.IPC_INFO, &limits); err != nil {
		t.Fatal(err)
	}
	highest, err := sys.SemLimits(sys.SEM_INFO, &use)
	if err != nil || highest != 1 {
		t.Fatalf("highest index %d, %v", highest, err)
	}
	if limits.Semmsl != 11 || limits.Semmns != 222 || limits.Semopm != 33 || limits.Semmni != 44 || limits.Semvmx != 32767 {
		t.Errorf("limits %+v", limits)
	}
	if use.Semusz != 2 || use.Semaem != 7 || use.Semmsl != limits.Semmsl || use.Semmni != limits.Semmni {
		t.Errorf("use %+v", use)
	}
	var queues sys.Msginfo
	if highest, err = sys.MsgLimits(sys.MSG_INFO, &queues); err != nil || highest != 0 {
		t.Fatalf("highest index %d, %v", highest, err)
	}
	if queues.Msgmni != 55 || queues.Msgpool != 1 || queues.Msgmap != 0 || queues.Msgtql != 0 {
		t.Errorf("%+v", queues)
	}
}

func TestInterruptEndsTheSystemCallOfAThread(t *testing.T) {
	id := newSet(t, 1)
	tid := make(chan int, 1)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		tid <- sys.Gettid()
		done <- sys.Semop(id, []sys.Sembuf{{Delta: -1}})
	}()
	testenv.Eventually(t, "the thread blocks", func() bool {
		n, err := sys.SemGet(id, 0, sys.GETNCNT)
		return n == 1 && err == nil
	})
	if err := sys.Interrupt(<-tid); err != nil {
		t.Error(err)
	}
	refusedWith(t, <-done, syscall.EINTR)
	refusedWith(t, sys.Interrupt(math.MaxInt32), syscall.ESRCH)
}
