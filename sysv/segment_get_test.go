package sysv_test

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/sysv"
)

func TestOpenOfAKeyThatNobodyHasIsNotExist(t *testing.T) {
	key := freeKey(t)
	_, err := sysv.Open(key)
	wantError(t, err, noSuchKey, "open segment", address(key))
	_, err = sysv.GetSegment(key, 1, &sysv.SegmentOptions{GetOptions: sysv.GetOptions{Mode: 0o600}})
	wantError(t, err, noSuchKey, "open segment", address(key))
}

// address is a segment's address in the words of the command.
func address(key sysv.Key) string { return fmt.Sprintf("sysv:%#x", uint32(key)) }

func TestCreateOfATakenKeyIsExist(t *testing.T) {
	seg := newSegment(t, 5000, 0o600)
	_, err := sysv.Create(seg.Key(), 5000, 0o600)
	wantError(t, err, keyTaken, "create segment", address(seg.Key()), "5000 bytes", fmt.Sprintf("process %d", os.Getpid()))
	// It is EEXIST whatever else would be wrong.
	_, err = sysv.Create(seg.Key(), 5001, 0o600)
	wantError(t, err, keyTaken)
}

func TestOpenFindsWhatCreateMade(t *testing.T) {
	seg := newSegment(t, 100, 0o640)
	for what, open := range map[string]func() (*sysv.Segment, error){
		"Open":                         func() (*sysv.Segment, error) { return sysv.Open(seg.Key()) },
		"OpenID":                       func() (*sysv.Segment, error) { return sysv.OpenID(seg.ID()) },
		"OpenOrCreate":                 func() (*sysv.Segment, error) { return sysv.OpenOrCreate(seg.Key(), 100, 0o600) },
		"OpenOrCreate of less":         func() (*sysv.Segment, error) { return sysv.OpenOrCreate(seg.Key(), 1, 0) },
		"OpenOrCreate of any size":     func() (*sysv.Segment, error) { return sysv.OpenOrCreate(seg.Key(), 0, 0) },
		"GetSegment without options":   func() (*sysv.Segment, error) { return sysv.GetSegment(seg.Key(), 100, nil) },
		"Exclusive alone says nothing": func() (*sysv.Segment, error) { return getExclusive(seg.Key()) },
	} {
		got, err := open()
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if got.ID() != seg.ID() || got.Key() != seg.Key() || got.String() != address(seg.Key()) {
			t.Errorf("%s: id %d, key %v, %s; want %d, %v", what, got.ID(), got.Key(), got, seg.ID(), seg.Key())
		}
	}
	if mode := stat(t, seg).Mode; mode != 0o640 {
		t.Errorf("opening with another mode changed it to %#o", mode)
	}
}

// getExclusive opens with Exclusive but without Create.
func getExclusive(key sysv.Key) (*sysv.Segment, error) {
	return sysv.GetSegment(key, 0, &sysv.SegmentOptions{GetOptions: sysv.GetOptions{Exclusive: true}})
}

func TestOpenOrCreateCreatesOnce(t *testing.T) {
	key := freeKey(t)
	first, err := sysv.OpenOrCreate(key, 100, 0o600)
	ok(t, err)
	second, err := sysv.OpenOrCreate(key, 50, 0o600)
	ok(t, err)
	if first.ID() != second.ID() {
		t.Errorf("ids %d and %d", first.ID(), second.ID())
	}
	if size := stat(t, second).Size; size != 100 {
		t.Errorf("size %d, want the 100 it was made with", size)
	}
}

func TestPrivateSegmentsAreAlwaysNew(t *testing.T) {
	o := &sysv.SegmentOptions{GetOptions: sysv.GetOptions{Mode: 0o600}}
	first, err := getPrivate(t, 10, o)
	ok(t, err)
	second, err := getPrivate(t, 10, o)
	ok(t, err)
	o.Create, o.Exclusive = true, true
	third, err := getPrivate(t, 10, o)
	ok(t, err)
	if first.ID() == second.ID() || second.ID() == third.ID() {
		t.Errorf("ids %d, %d, %d", first.ID(), second.ID(), third.ID())
	}
	if first.Key() != sysv.Private || first.String() != fmt.Sprintf("sysv:id=%d", first.ID()) {
		t.Errorf("key %v, %s", first.Key(), first)
	}
	opened, err := sysv.OpenID(first.ID())
	ok(t, err)
	if opened.Key() != sysv.Private || opened.ID() != first.ID() {
		t.Errorf("opened by id: key %v, id %d", opened.Key(), opened.ID())
	}
}

func TestPrivateCannotBeOpened(t *testing.T) {
	before := ownSegments(t)
	_, err := sysv.Open(sysv.Private)
	wantError(t, err, noSuchKey, "open segment sysv:private", "identifier")
	if after := ownSegments(t); after != before {
		t.Errorf("this process has %d segments, had %d", after, before)
	}
}

// ownSegments counts the segments that this process made.
func ownSegments(t *testing.T) (n int) {
	t.Helper()
	all, err := sysv.Segments()
	ok(t, err)
	for _, s := range all {
		if s.CreatorPID == os.Getpid() {
			n++
		}
	}
	return n
}

func TestANewSegmentNeedsASize(t *testing.T) {
	key := freeKey(t)
	_, err := sysv.Create(key, 0, 0o600)
	wantError(t, err, invalid, "create segment "+address(key), "at least 1 byte")
	_, err = sysv.OpenOrCreate(key, 0, 0o600)
	wantError(t, err, invalid, "at least 1 byte")
	for _, create := range []bool{false, true} {
		_, err = getPrivate(t, 0, &sysv.SegmentOptions{GetOptions: sysv.GetOptions{Create: create}})
		wantError(t, err, invalid, "segment sysv:private", "at least 1 byte")
	}
	for _, size := range []int64{-1, -4096, math.MinInt64, math.MinInt32} {
		_, err = sysv.Create(key, size, 0o600)
		wantError(t, err, invalid, "create segment "+address(key), fmt.Sprintf("size %d is negative", size))
	}
	if _, err := sysv.Open(key); err == nil {
		t.Error("a refused creation left a segment")
	}
}

func TestModesAreTheNinePermissionBits(t *testing.T) {
	// The umask is not asked.
	defer syscall.Umask(syscall.Umask(0o777))
	for _, mode := range []fs.FileMode{0, 0o1, 0o246, 0o600, 0o644, 0o777} {
		seg, err := sysv.Create(freeKey(t), 1, mode)
		ok(t, err)
		all, err := sysv.Segments()
		ok(t, err)
		for _, info := range all {
			if info.ID == seg.ID() && info.Mode != mode {
				t.Errorf("made with mode %#o, it has %#o", mode, info.Mode)
			}
		}
	}
	for _, mode := range []fs.FileMode{0o1000, 0o1600, 0o4000, 0o10000, fs.ModeDir | 0o600, fs.ModeSetuid, math.MaxUint32} {
		key := freeKey(t)
		_, err := sysv.Create(key, 1, mode)
		wantError(t, err, invalid, "create segment "+address(key), "nine permission bits")
		if _, err := sysv.Open(key); err == nil {
			t.Errorf("mode %#o: a segment was made", mode)
		}
	}
}

func TestASegmentBeginsAsZeros(t *testing.T) {
	seg := newSegment(t, 3*int64(pageSize)+1, 0o600)
	for i, b := range attach(t, seg, nil).Bytes() {
		if b != 0 {
			t.Fatalf("byte %d is %d", i, b)
		}
	}
}

func TestKeysPrintAsTheToolsShowThem(t *testing.T) {
	for key, want := range map[sysv.Key]string{0: "0x00000000", 0x5eed: "0x00005eed", -1: "0xffffffff", math.MinInt32: "0x80000000"} {
		if got := key.String(); got != want {
			t.Errorf("key %d prints as %s, want %s", int32(key), got, want)
		}
	}
}

func TestKeysOfAllBitsWork(t *testing.T) {
	// The sign bit belongs to the key like the others.
	key := freeKey(t) ^ math.MinInt32
	seg, err := sysv.Create(key, 1, 0o600)
	if err != nil {
		t.Skipf("somebody has the key: %v", err)
	}
	t.Cleanup(func() { removeAtLast(t, seg) })
	if got := stat(t, seg).Key; got != key {
		t.Errorf("the kernel has key %v, want %v", got, key)
	}
	again, err := sysv.Open(key)
	ok(t, err)
	if again.ID() != seg.ID() {
		t.Errorf("opened id %d, want %d", again.ID(), seg.ID())
	}
}

func TestIdentifiersAreNotCut(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	for _, id := range []int{seg.ID() + 1<<32, seg.ID() - 1<<32, seg.ID() | 1<<31, -1, math.MinInt, math.MaxInt, math.MaxInt32} {
		got, err := sysv.OpenID(id)
		if err == nil {
			t.Errorf("OpenID(%d) found %v; the segment has id %d", id, got, seg.ID())
			continue
		}
		wantGone(t, err, "open segment", "sysv:")
	}
}

func TestRemovedKeysCanBeUsedAgain(t *testing.T) {
	key := freeKey(t)
	seen := map[int]bool{}
	for i := range 10 {
		seg, err := sysv.Create(key, int64(i+1), 0o600)
		ok(t, err)
		if seen[seg.ID()] {
			t.Errorf("id %d was given twice in a row", seg.ID())
		}
		seen[seg.ID()] = true
		if size := stat(t, seg).Size; size != int64(i+1) {
			t.Errorf("size %d, want %d", size, i+1)
		}
		ok(t, seg.Remove())
	}
}
