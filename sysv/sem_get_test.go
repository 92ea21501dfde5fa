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

func TestNewSemaphoresAreZeroAndBelongToTheirMaker(t *testing.T) {
	begin := time.Now()
	key := sysv.Key(testenv.Key(t))
	s, err := sysv.CreateSemaphores(key, 10, 0o640)
	succeeds(t, err)
	got, err := s.Stat()
	succeeds(t, err)
	isRecent(t, "change time", got.ChangeTime, begin)

	want := sysv.SemaphoreSetInfo{
		Permission: sysv.Permission{
			Key: key, ID: s.ID(), Mode: 0o640, Seq: got.Seq,
			UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
			CreatorUID: uint32(os.Geteuid()), CreatorGID: uint32(os.Getegid()),
		},
		Count:      10,
		ChangeTime: got.ChangeTime,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	hasValues(t, s, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for i := range 10 {
		for what, read := range map[string]func(int) (int, error){
			"value": s.Value, "last pid": s.LastPID, "waiting": s.Waiting, "waiting for zero": s.WaitingForZero,
		} {
			if n, err := read(i); n != 0 || err != nil {
				t.Errorf("%s of new semaphore %d: %d, %v", what, i, n, err)
			}
		}
	}
}

func TestSemaphoresOfAnAbsentKeyDoNotExist(t *testing.T) {
	key := sysv.Key(testenv.Key(t))
	_, err := sysv.OpenSemaphores(key)
	failsWith(t, err, syscall.ENOENT, fs.ErrNotExist)
	isNot(t, err, sysv.ErrRemoved)
	says(t, err, "open semaphore set", fmt.Sprintf("sem:%#x", uint32(key)))
}

func TestCreatingSemaphoresUnderATakenKeyFails(t *testing.T) {
	s := newSemaphores(t, 3)
	_, err := sysv.CreateSemaphores(s.Key(), 3, 0o600)
	failsWith(t, err, syscall.EEXIST, fs.ErrExist)
	says(t, err, "create semaphore set", "has 3 semaphores")
}

func TestOpenOrCreateSemaphoresFindsTheExistingSet(t *testing.T) {
	s := newSemaphores(t, 3)
	for n := range 4 {
		found, err := sysv.OpenOrCreateSemaphores(s.Key(), n, 0o600)
		succeeds(t, err)
		if found.ID() != s.ID() {
			t.Errorf("asked for %d semaphores: id %d, expected %d", n, found.ID(), s.ID())
		}
	}
}

func TestOpenOrCreateSemaphoresMakesTheMissingSet(t *testing.T) {
	s, err := sysv.OpenOrCreateSemaphores(sysv.Key(testenv.Key(t)), 2, 0o600)
	succeeds(t, err)
	hasValues(t, s, 0, 0)
}

func TestMoreSemaphoresThanTheSetHas(t *testing.T) {
	s := newSemaphores(t, 3)
	for _, get := range []func() (*sysv.SemaphoreSet, error){
		func() (*sysv.SemaphoreSet, error) { return sysv.OpenOrCreateSemaphores(s.Key(), 4, 0o600) },
		func() (*sysv.SemaphoreSet, error) { return sysv.GetSemaphores(s.Key(), 4, nil) },
	} {
		_, err := get()
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, "exists with 3 semaphores", "4 were asked for")
	}
}

func TestNumberOfSemaphoresThatCannotBe(t *testing.T) {
	limits, err := sysv.ReadSemaphoreLimits()
	succeeds(t, err)
	key := sysv.Key(testenv.Key(t))
	for n, text := range map[int]string{
		0:                    "must be at least 1",
		-1:                   "must be at least 1, not -1",
		math.MinInt32:        "must be at least 1",
		math.MinInt:          "must be at least 1",
		-1<<32 + 1:           "must be at least 1", // the lower 32 bits are 1
		limits.MaxPerSet + 1: fmt.Sprintf("above the limit of %d", limits.MaxPerSet),
		math.MaxInt32:        "above the limit",
		1<<32 + 1:            "above the limit",
		math.MaxInt:          "above the limit",
	} {
		_, err := sysv.CreateSemaphores(key, n, 0o600)
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, text)
	}
	// Nor does such a number find an existing set.
	s := newSemaphores(t, 1)
	for _, n := range []int{-1, -1<<32 + 1, 1<<32 + 1} {
		_, err := sysv.GetSemaphores(s.Key(), n, nil)
		failsWith(t, err, syscall.EINVAL)
	}
}

func TestPrivateSemaphoresAreAlwaysNew(t *testing.T) {
	var ids [3]int
	for i, o := range []*sysv.GetOptions{
		nil, {Create: true, Mode: 0o600}, {Create: true, Exclusive: true, Mode: 0o600},
	} {
		s, err := sysv.GetSemaphores(sysv.Private, 1, o)
		succeeds(t, err)
		defer func() { succeeds(t, s.Remove()) }()
		if s.Key() != sysv.Private || s.String() != fmt.Sprintf("sem:id=%d", s.ID()) {
			t.Errorf("key %v, address %v", s.Key(), s)
		}
		ids[i] = s.ID()
	}
	if ids[0] == ids[1] || ids[1] == ids[2] || ids[0] == ids[2] {
		t.Errorf("the same set twice: %v", ids)
	}
}

func TestPrivateKeyFindsNoSemaphores(t *testing.T) {
	_, err := sysv.OpenSemaphores(sysv.Private)
	failsWith(t, err, syscall.ENOENT, fs.ErrNotExist)
	says(t, err, "Private")
}

func TestSemaphoresAreFoundByID(t *testing.T) {
	s := newSemaphores(t, 1)
	found, err := sysv.OpenSemaphoresID(s.ID())
	succeeds(t, err)
	if *found != *s {
		t.Errorf("found %v with key %v, expected %v with key %v", found, found.Key(), s, s.Key())
	}
}

func TestUnknownSemaphoreIDs(t *testing.T) {
	s := newSemaphores(t, 1)
	for _, id := range []int{-1, math.MinInt, math.MaxInt32, s.ID() + 1<<32, s.ID() - 1<<32} {
		_, err := sysv.OpenSemaphoresID(id)
		failsWith(t, err, syscall.EINVAL, fs.ErrNotExist)
		says(t, err, "no such identifier")
	}
}

func TestSemaphoreModeHasNineBits(t *testing.T) {
	key := sysv.Key(testenv.Key(t))
	for _, mode := range []fs.FileMode{0o1600, 0o2600, 0o4600, 0o10600, fs.ModeDir | 0o600} {
		_, err := sysv.CreateSemaphores(key, 1, mode)
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, "nine permission bits")
	}
	s := newSemaphores(t, 1)
	err := s.SetMode(0o1600)
	failsWith(t, err, syscall.EINVAL)
	isNot(t, err, fs.ErrNotExist)
}

func TestUmaskDoesNotCountForSemaphores(t *testing.T) {
	old := syscall.Umask(0o777)
	s, err := sysv.CreateSemaphores(sysv.Key(testenv.Key(t)), 1, 0o666)
	syscall.Umask(old)
	succeeds(t, err)
	if info, err := s.Stat(); err != nil || info.Mode != 0o666 {
		t.Errorf("mode %v, %v", info.Mode, err)
	}
}

func TestExclusiveAloneFindsSemaphores(t *testing.T) {
	s := newSemaphores(t, 1)
	found, err := sysv.GetSemaphores(s.Key(), 0, &sysv.GetOptions{Exclusive: true})
	succeeds(t, err)
	if found.ID() != s.ID() {
		t.Errorf("id %d, expected %d", found.ID(), s.ID())
	}
}

func TestRemovedSemaphoresAreGone(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.Remove())
	for what, do := range map[string]func() error{
		"remove":      s.Remove,
		"stat":        func() error { _, err := s.Stat(); return err },
		"set mode":    func() error { return s.SetMode(0o600) },
		"set owner":   func() error { return s.SetOwner(-1, -1) },
		"value":       func() error { _, err := s.Value(0); return err },
		"values":      func() error { _, err := s.Values(); return err },
		"set value":   func() error { return s.SetValue(0, 1) },
		"set values":  func() error { return s.SetValues([]int{1, 2}) },
		"last pid":    func() error { _, err := s.LastPID(0); return err },
		"waiting":     func() error { _, err := s.Waiting(0); return err },
		"operate":     func() error { return s.Op(background, sysv.Post(0)) },
		"try":         func() error { return s.TryOp(sysv.Post(0)) },
		"open by id":  func() error { _, err := sysv.OpenSemaphoresID(s.ID()); return err },
		"wait for it": func() error { return s.Op(background, sysv.Wait(0)) },
	} {
		t.Run(what, func(t *testing.T) {
			err := do()
			failsWith(t, err, fs.ErrNotExist, sysv.ErrRemoved)
			says(t, err, "semaphore set")
		})
	}
	_, err := sysv.OpenSemaphores(s.Key())
	failsWith(t, err, syscall.ENOENT, fs.ErrNotExist)
}
