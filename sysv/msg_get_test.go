package sysv_test

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestNewQueueIsEmptyAndBelongsToItsMaker(t *testing.T) {
	begin := time.Now()
	key := sysv.Key(testenv.Key(t))
	q, err := sysv.CreateQueue(key, 0o640)
	succeeds(t, err)
	limits, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	got, err := q.Stat()
	succeeds(t, err)
	isRecent(t, "change time", got.ChangeTime, begin)

	want := sysv.MessageQueueInfo{
		Permission: sysv.Permission{
			Key: key, ID: q.ID(), Mode: 0o640, Seq: got.Seq,
			UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
			CreatorUID: uint32(os.Geteuid()), CreatorGID: uint32(os.Getegid()),
		},
		Capacity:   uint64(limits.QueueBytes),
		ChangeTime: got.ChangeTime,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestQueueOfAnAbsentKeyDoesNotExist(t *testing.T) {
	key := sysv.Key(testenv.Key(t))
	_, err := sysv.OpenQueue(key)
	failsWith(t, err, syscall.ENOENT, fs.ErrNotExist)
	isNot(t, err, sysv.ErrRemoved)
	says(t, err, "open message queue", fmt.Sprintf("msg:%#x", uint32(key)))
}

func TestCreatingAQueueUnderATakenKeyFails(t *testing.T) {
	q := newQueue(t)
	_, err := sysv.CreateQueue(q.Key(), 0o600)
	failsWith(t, err, syscall.EEXIST, fs.ErrExist)
	says(t, err, "create message queue", q.String())
}

func TestOpenOrCreateQueueFindsTheExistingQueue(t *testing.T) {
	q := newQueue(t)
	for _, get := range []func() (*sysv.MessageQueue, error){
		func() (*sysv.MessageQueue, error) { return sysv.OpenOrCreateQueue(q.Key(), 0o600) },
		func() (*sysv.MessageQueue, error) { return sysv.OpenQueue(q.Key()) },
		func() (*sysv.MessageQueue, error) { return sysv.OpenQueueID(q.ID()) },
		func() (*sysv.MessageQueue, error) { return sysv.GetQueue(q.Key(), nil) },
		func() (*sysv.MessageQueue, error) {
			return sysv.GetQueue(q.Key(), &sysv.GetOptions{Exclusive: true}) // alone it means nothing
		},
	} {
		found, err := get()
		succeeds(t, err)
		if *found != *q {
			t.Errorf("found %v with id %d, expected %v with id %d", found, found.ID(), q, q.ID())
		}
	}
}

func TestOpenOrCreateQueueMakesTheMissingQueue(t *testing.T) {
	q, err := sysv.OpenOrCreateQueue(sysv.Key(testenv.Key(t)), 0o600)
	succeeds(t, err)
	succeeds(t, q.TrySend(1, nil))
}

func TestPrivateQueuesAreAlwaysNew(t *testing.T) {
	ids := map[int]bool{}
	for _, o := range []*sysv.GetOptions{nil, {Create: true, Mode: 0o600}, {Create: true, Exclusive: true, Mode: 0o600}} {
		q, err := sysv.GetQueue(sysv.Private, o)
		succeeds(t, err)
		defer func() { succeeds(t, q.Remove()) }()
		if q.Key() != sysv.Private || q.String() != fmt.Sprintf("msg:id=%d", q.ID()) {
			t.Errorf("key %v, address %v", q.Key(), q)
		}
		ids[q.ID()] = true
	}
	if len(ids) != 3 {
		t.Errorf("the same queue twice: %v", ids)
	}
}

func TestPrivateKeyFindsNoQueue(t *testing.T) {
	_, err := sysv.OpenQueue(sysv.Private) // and makes none, as msgget would
	failsWith(t, err, syscall.ENOENT, fs.ErrNotExist)
	says(t, err, "Private")
}

func TestUnknownQueueIDs(t *testing.T) {
	q := newQueue(t)
	for _, id := range []int{-1, math.MinInt, math.MaxInt32, q.ID() + 1<<32, q.ID() - 1<<32} {
		_, err := sysv.OpenQueueID(id)
		failsWith(t, err, syscall.EINVAL, fs.ErrNotExist)
		says(t, err, "no such identifier")
	}
}

func TestQueueModeHasNineBits(t *testing.T) {
	key := sysv.Key(testenv.Key(t))
	_, err := sysv.CreateQueue(key, 0o1600)
	failsWith(t, err, syscall.EINVAL)
	says(t, err, "nine permission bits")
	q := newQueue(t)
	err = q.SetMode(0o1600)
	failsWith(t, err, syscall.EINVAL)
	isNot(t, err, fs.ErrNotExist)
}

func TestRemovedQueueIsGone(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.TrySend(1, []byte("lost")))
	succeeds(t, q.Remove())
	buf := make([]byte, 8)
	for what, do := range map[string]func() error{
		"remove":       q.Remove,
		"stat":         func() error { _, err := q.Stat(); return err },
		"set mode":     func() error { return q.SetMode(0o600) },
		"set owner":    func() error { return q.SetOwner(-1, -1) },
		"set capacity": func() error { return q.SetCapacity(1) },
		"send":         func() error { return q.Send(background, 1, nil) },
		"try send":     func() error { return q.TrySend(1, nil) },
		"receive":      func() error { _, _, err := q.Receive(background, sysv.Any(), buf); return err },
		"try receive":  func() error { _, _, err := q.TryReceive(sysv.Any(), buf); return err },
		"peek":         func() error { _, _, err := q.Peek(0, false, buf); return err },
		"open by id":   func() error { _, err := sysv.OpenQueueID(q.ID()); return err },
	} {
		t.Run(what, func(t *testing.T) {
			err := do()
			failsWith(t, err, fs.ErrNotExist, sysv.ErrRemoved)
			says(t, err, "message queue")
		})
	}
	_, err := sysv.OpenQueue(q.Key())
	failsWith(t, err, syscall.ENOENT, fs.ErrNotExist)
}

// The three kinds of object have keys of their own.
func TestOneKeyNamesOneObjectOfEachKind(t *testing.T) {
	key := sysv.Key(testenv.Key(t))
	_, err := sysv.CreateQueue(key, 0o600)
	succeeds(t, err)
	_, err = sysv.OpenSemaphores(key)
	failsWith(t, err, fs.ErrNotExist)
	_, err = sysv.CreateSemaphores(key, 1, 0o600)
	succeeds(t, err)
	_, err = sysv.Open(key)
	failsWith(t, err, fs.ErrNotExist)
	_, err = sysv.Create(key, 1, 0o600)
	succeeds(t, err)
}
