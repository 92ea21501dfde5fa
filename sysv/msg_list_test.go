package sysv_test

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// procQueues is what /proc/sysvipc/msg has to say of the queues.
func procQueues(queues []sysv.MessageQueueInfo) []procRow {
	var rows []procRow
	for _, q := range queues {
		row := procPermission(q.Permission, "msqid")
		row["cbytes"], row["qnum"] = fmt.Sprint(q.Bytes), fmt.Sprint(q.Messages)
		row["lspid"], row["lrpid"] = fmt.Sprint(q.LastSendPID), fmt.Sprint(q.LastReceivePID)
		row["stime"], row["rtime"], row["ctime"] = procTime(q.SendTime), procTime(q.ReceiveTime), procTime(q.ChangeTime)
		rows = append(rows, row)
	}
	return rows
}

func TestNoQueuesAreListedWhereThereAreNone(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	queues, err := sysv.MessageQueues()
	succeeds(t, err)
	limits, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	if len(queues) != 0 || limits.Queues != 0 || limits.Messages != 0 || limits.Bytes != 0 {
		t.Errorf("%v; %+v", queues, limits)
	}
}

func TestListedQueuesAreThoseOfProc(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	for i, mode := range []fs.FileMode{0o600, 0, 0o777, 0o604} {
		q := newQueue(t)
		for n := range i {
			succeeds(t, q.TrySend(1, make([]byte, 10*n)))
		}
		succeeds(t, q.SetMode(mode)) // also those that none may read
	}
	takesNothing(t, newQueue(t), sysv.Any())
	succeeds(t, newQueue(t).Remove()) // leaves a hole in the kernel's table
	last := newQueue(t)
	fill(t, last, 1, 2)
	takes(t, last, sysv.Any(), 1, "0")

	queues, err := sysv.MessageQueues()
	succeeds(t, err)
	if len(queues) != 6 {
		t.Errorf("%d queues are listed, expected 6", len(queues))
	}
	if diff := cmp.Diff(procTable(t, "msg"), procQueues(queues)); diff != "" {
		t.Errorf("(-/proc/sysvipc/msg +listed):\n%s", diff)
	}
	for _, listed := range queues {
		q, err := sysv.OpenQueueID(listed.ID)
		succeeds(t, err)
		info, err := q.Stat()
		succeeds(t, err)
		if diff := cmp.Diff(info, listed); diff != "" {
			t.Errorf("(-Stat +listed):\n%s", diff)
		}
	}
}

func TestUseOfQueuesIsTheTotalOfProc(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	for n := range 4 {
		q := newQueue(t)
		for range n {
			succeeds(t, q.TrySend(1, make([]byte, 100*n)))
		}
	}
	limits, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	rows := procTable(t, "msg")
	var messages, bytes int
	for _, row := range rows {
		messages += number(row["qnum"])
		bytes += number(row["cbytes"])
	}
	if limits.Queues != 4 || limits.Messages != 6 || limits.Bytes != 1400 {
		t.Errorf("%+v, expected 4 queues, 6 messages, 1400 bytes", limits)
	}
	if limits.Queues != len(rows) || limits.Messages != messages || int(limits.Bytes) != bytes {
		t.Errorf("%+v; /proc has %d queues, %d messages, %d bytes", limits, len(rows), messages, bytes)
	}
	if rootEverywhere() {
		a := asNobody(t) // may read none of them
		if got, want := a.must("msg-limits"), fmt.Sprintf("%+v", limits); got != want {
			t.Errorf("an unprivileged user reads %s, expected %s", got, want)
		}
	}
}

func TestQueueLimitsAreThoseOfTheSysctl(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	for _, change := range []bool{false, true} {
		if change {
			testenv.SetSysctl(t, "kernel/msgmni", "17")
			testenv.SetSysctl(t, "kernel/msgmax", "1234")
			testenv.SetSysctl(t, "kernel/msgmnb", "56789")
		}
		want := sysv.QueueLimits{
			MaxQueues:  number(testenv.Sysctl(t, "kernel/msgmni")),
			MaxMessage: number(testenv.Sysctl(t, "kernel/msgmax")),
			QueueBytes: number(testenv.Sysctl(t, "kernel/msgmnb")),
		}
		if got, err := sysv.ReadQueueLimits(); err != nil || got != want {
			t.Errorf("%+v, %v; expected %+v", got, err, want)
		}
	}
}

func TestQueuesAreLimited(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/msgmni", "2")
	first := newQueue(t)
	newQueue(t)
	_, err := sysv.CreateQueue(sysv.Private, 0o600)
	failsWith(t, err, syscall.ENOSPC)
	says(t, err, "create message queue", "2 queues exist", "kernel.msgmni = 2", "remove")
	_, err = sysv.OpenOrCreateQueue(first.Key(), 0o600) // an existing one is no new one
	succeeds(t, err)
	succeeds(t, first.Remove())
	newQueue(t)
}

func TestNewQueueHoldsWhatTheLimitSays(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	old := newQueue(t)
	before, err := old.Stat()
	succeeds(t, err)
	testenv.SetSysctl(t, "kernel/msgmnb", "10")
	q := newQueue(t)
	succeeds(t, q.TrySend(1, make([]byte, 10)))
	failsWith(t, q.TrySend(1, make([]byte, 1)), sysv.ErrWouldBlock)
	info, err := q.Stat()
	succeeds(t, err)
	if info.Capacity != 10 {
		t.Errorf("capacity %d, expected 10", info.Capacity)
	}
	after, err := old.Stat()
	succeeds(t, err)
	if after.Capacity != before.Capacity {
		t.Errorf("the limit changed a queue that exists: %d", after.Capacity)
	}
}

func TestMessageLengthIsLimited(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	q := newQueue(t)
	for _, limit := range []int{1, 100, 12_000} {
		testenv.SetSysctl(t, "kernel/msgmax", fmt.Sprint(limit))
		succeeds(t, q.TrySend(1, make([]byte, limit)))
		err := q.TrySend(1, make([]byte, limit+1))
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, fmt.Sprintf("%d bytes", limit+1), fmt.Sprintf("kernel.msgmax = %d", limit))
		_, n, err := q.TryReceive(sysv.Any(), make([]byte, limit))
		if n != limit || err != nil {
			t.Errorf("received %d bytes, %v; expected %d", n, err, limit)
		}
	}
}

func TestMessageLongerThanTheLimitBecameIsReceived(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	q := newQueue(t)
	succeeds(t, q.TrySend(1, make([]byte, 5000)))
	testenv.SetSysctl(t, "kernel/msgmax", "10")
	_, n, err := q.TryReceive(sysv.Any(), make([]byte, 5000))
	if n != 5000 || err != nil {
		t.Errorf("received %d bytes, %v", n, err)
	}
}

func TestOldIdentifierNeverMeansTheNewQueue(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/msgmni", "2")
	old := newQueue(t)
	succeeds(t, old.Remove())
	for range 200 {
		q, err := sysv.CreateQueue(sysv.Private, 0o600)
		succeeds(t, err)
		if q.ID() == old.ID() {
			t.Fatalf("the identifier %d is used again", q.ID())
		}
		failsWith(t, old.TrySend(1, nil), sysv.ErrRemoved)
		takesNothing(t, q, sysv.Any())
		succeeds(t, q.Remove())
	}
}
