package sysv_test

import (
	"fmt"
	"io/fs"
	"math"
	"os/exec"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestSetModeChangesTheModeAlone(t *testing.T) {
	seg := newSegment(t, 100, 0o600)
	m := attach(t, seg, nil)
	before := stat(t, seg)
	for _, mode := range []fs.FileMode{0o640, 0o777, 0o400, 0o604} {
		ok(t, seg.SetMode(mode))
		before.Mode = mode
		if diff := cmp.Diff(before, stat(t, seg), cmpopts.IgnoreFields(sysv.SegmentInfo{}, "ChangeTime")); diff != "" {
			t.Errorf("after SetMode(%#o) (-want +got):\n%s", mode, diff)
		}
	}
	// Mappings that exist keep what they have.
	ok(t, seg.SetMode(0))
	if _, err := m.WriteAt([]byte{1}, 0); err != nil {
		t.Error(err)
	}
}

func TestSetModeTakesNineBits(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	for _, mode := range []fs.FileMode{0o1000, 0o2600, 0o10000, fs.ModeDir, math.MaxUint32} {
		wantError(t, seg.SetMode(mode), invalid, "set mode of segment "+seg.String(), "nine permission bits")
	}
	if mode := stat(t, seg).Mode; mode != 0o600 {
		t.Errorf("a refused change made the mode %#o", mode)
	}
}

func TestSetModeKeepsTheMarks(t *testing.T) {
	testenv.RequireRoot(t)
	seg := newSegment(t, 1, 0o600)
	attach(t, seg, nil)
	ok(t, seg.Lock())
	ok(t, seg.Remove())
	ok(t, seg.SetMode(0o644))
	if info := stat(t, seg); !info.Locked || !info.Removed || info.Mode != 0o644 {
		t.Errorf("got %+v", info)
	}
	ok(t, seg.Unlock())
}

func TestSetOwnerChangesTheOwnerAlone(t *testing.T) {
	testenv.RequireRoot(t)
	seg := newSegment(t, 100, 0o640)
	want := stat(t, seg)
	for _, c := range []struct{ uid, gid int }{{1, -1}, {-1, 2}, {3, 4}, {-1, -1}, {math.MaxUint32 - 1, 0}, {0, math.MaxUint32 - 1}} {
		ok(t, seg.SetOwner(c.uid, c.gid))
		if c.uid >= 0 {
			want.UID = uint32(c.uid)
		}
		if c.gid >= 0 {
			want.GID = uint32(c.gid)
		}
		if diff := cmp.Diff(want, stat(t, seg), cmpopts.IgnoreFields(sysv.SegmentInfo{}, "ChangeTime")); diff != "" {
			t.Errorf("after SetOwner(%d, %d) (-want +got):\n%s", c.uid, c.gid, diff)
		}
	}
}

// 1<<32 would be root, once cut to 32 bits.
func TestSetOwnerTakesNumbersThatFit(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	before := stat(t, seg)
	for _, n := range []int{-2, math.MinInt, math.MinInt32, math.MaxUint32, 1 << 32, 1<<32 + 5, math.MaxInt} {
		wantError(t, seg.SetOwner(n, -1), invalid, "set owner of segment "+seg.String(), fmt.Sprint(n))
		wantError(t, seg.SetOwner(-1, n), invalid, "set owner of segment "+seg.String(), fmt.Sprint(n))
	}
	if diff := cmp.Diff(before, stat(t, seg)); diff != "" {
		t.Errorf("a refused change did something (-before +after):\n%s", diff)
	}
}

func TestSetOwnerToAUserThatTheNamespaceDoesNotKnowSaysSo(t *testing.T) {
	// A user namespace that knows one user, who is root in it.
	o := startInUserNamespace(t)
	o.does("create 1 1 0600")
	o.does("set-owner 0 0")
	o.failsTo("set-owner 12345 -1", invalid, "set owner of segment sysv:0x1", "user namespace")
	o.failsTo("set-owner -1 12345", invalid, "set owner of segment sysv:0x1", "user namespace")
}

// startInUserNamespace starts another process in a new user and IPC namespace.
func startInUserNamespace(t *testing.T) other {
	t.Helper()
	try := exec.Command("/proc/self/exe", "-test.run=^$")
	try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWIPC}
	if err := try.Run(); err != nil {
		t.Skipf("the kernel refuses user namespaces: %v", err)
	}
	return startOther(t, &testenv.StartOptions{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWIPC})
}

func TestLockMarksTheSegmentUntilUnlock(t *testing.T) {
	testenv.RequireRoot(t)
	seg := newSegment(t, 100, 0o600)
	before := stat(t, seg)
	if before.Locked {
		t.Error("locked from the start")
	}
	want := before
	want.Locked = true
	for range 2 { // twice is no error
		ok(t, seg.Lock())
		if diff := cmp.Diff(want, stat(t, seg)); diff != "" {
			t.Errorf("after Lock (-want +got):\n%s", diff)
		}
	}
	for range 2 {
		ok(t, seg.Unlock())
		if diff := cmp.Diff(before, stat(t, seg)); diff != "" {
			t.Errorf("after Unlock (-want +got):\n%s", diff)
		}
	}
}

func TestRemoveWithoutMappingsIsAtOnce(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	ok(t, seg.Remove())
	_, err := sysv.Open(seg.Key())
	wantError(t, err, noSuchKey)
	_, err = sysv.OpenID(seg.ID())
	wantGone(t, err, "open segment")
}

func TestARemovedSegmentLivesAsLongAsItsMappings(t *testing.T) {
	seg := newSegment(t, 100, 0o600)
	m := attach(t, seg, nil)
	for range 6 { // as often as one likes
		ok(t, seg.Remove())
	}
	if _, err := m.WriteAt([]byte{7}, 99); err != nil {
		t.Fatal(err)
	}
	info := stat(t, seg)
	if !info.Removed || info.Key != sysv.Private || info.Attached != 1 || info.Mode != 0o600 {
		t.Errorf("got %+v; want it marked, without a key", info)
	}
	// The key names nothing any more …
	_, err := sysv.Open(seg.Key())
	wantError(t, err, noSuchKey)
	// … but the identifier does.
	byID, err := sysv.OpenID(seg.ID())
	ok(t, err)
	if byID.Key() != sysv.Private {
		t.Errorf("opened by id it has the key %v", byID.Key())
	}
	b := []byte{0}
	second := attach(t, byID, nil)
	if _, err := second.ReadAt(b, 99); err != nil || b[0] != 7 {
		t.Errorf("read %d, %v", b[0], err)
	}
	// And the key is free for another.
	next, err := sysv.Create(seg.Key(), 5, 0o600)
	ok(t, err)
	if next.ID() == seg.ID() {
		t.Error("the new segment has the identifier of the old one")
	}
	if _, err := attach(t, next, nil).ReadAt(b, 0); err != nil || b[0] != 0 {
		t.Errorf("the new segment reads %d, %v", b[0], err)
	}
	closeOK(t, m)
	closeOK(t, second)
	_, err = seg.Stat()
	wantGone(t, err)
}

func TestEverythingOnARemovedSegmentIsNotExist(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	ok(t, seg.Remove())
	for op, use := range map[string]func() error{
		"stat":         func() error { _, err := seg.Stat(); return err },
		"attach":       func() error { _, err := seg.Attach(nil); return err },
		"set owner of": func() error { return seg.SetOwner(0, 0) },
		"set mode of":  func() error { return seg.SetMode(0o600) },
		"remove":       seg.Remove,
		"lock":         seg.Lock,
		"unlock":       seg.Unlock,
		"open":         func() error { _, err := sysv.OpenID(seg.ID()); return err },
	} {
		name := seg.String()
		if op == "open" { // which knows no key
			name = fmt.Sprintf("sysv:id=%d", seg.ID())
		}
		wantGone(t, use(), op+" segment "+name)
	}
}
