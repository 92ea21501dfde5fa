package sysv_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestLimitsAreThoseOfTheKernel(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	check := func() {
		t.Helper()
		limits, err := sysv.ReadSegmentLimits()
		ok(t, err)
		for path, got := range map[string]uint64{
			"kernel/shmmax": limits.MaxBytes, "kernel/shmmni": limits.MaxSegments, "kernel/shmall": limits.MaxPages,
		} {
			if want := testenv.Sysctl(t, path); fmt.Sprint(got) != want {
				t.Errorf("%s is %s, the limits say %d", path, want, got)
			}
		}
		if limits.MinBytes != 1 {
			t.Errorf("the smallest segment has %d bytes", limits.MinBytes)
		}
	}
	check()
	testenv.SetSysctl(t, "kernel/shmmax", "123456789012345")
	testenv.SetSysctl(t, "kernel/shmmni", "17")
	testenv.SetSysctl(t, "kernel/shmall", "98765432109")
	check()
}

func TestASegmentAboveSHMMAXIsRefused(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/shmmax", "8192")
	seg, err := sysv.Create(1, 8192, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, seg) })
	for _, key := range []sysv.Key{2, sysv.Private} {
		_, err = sysv.Create(key, 8193, 0o600)
		wantError(t, err, invalid, "create segment sysv:", "8193", "kernel.shmmax = 8192")
	}
	// What exists stays, and can be opened.
	testenv.SetSysctl(t, "kernel/shmmax", "100")
	_, err = sysv.OpenOrCreate(1, 8192, 0o600)
	ok(t, err)
}

func TestSHMMNISegmentsAreTheMost(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	const most = 5
	testenv.SetSysctl(t, "kernel/shmmni", strconv.Itoa(most))
	var segs []*sysv.Segment
	for i := range most {
		seg, err := sysv.Create(sysv.Key(i+1), 1, 0o600)
		ok(t, err)
		t.Cleanup(func() { removeAtLast(t, seg) })
		segs = append(segs, seg)
	}
	for _, key := range []sysv.Key{100, sysv.Private} {
		_, err := sysv.Create(key, 1, 0o600)
		wantError(t, err, limitReached, "create segment sysv:", "5 segments exist", "kernel.shmmni = 5", "remove unused ones or raise it")
	}
	// Opening is not creating.
	_, err := sysv.OpenOrCreate(1, 1, 0o600)
	ok(t, err)
	// One that is marked counts until it is gone.
	m := attach(t, segs[0], nil)
	ok(t, segs[0].Remove())
	_, err = sysv.Create(100, 1, 0o600)
	wantError(t, err, limitReached, "kernel.shmmni = 5")
	closeOK(t, m)
	seg, err := sysv.Create(100, 1, 0o600)
	ok(t, err)
	removeAtLast(t, seg)
}

func TestSHMALLPagesAreTheMost(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	page := int64(pageSize)
	testenv.SetSysctl(t, "kernel/shmall", "10")
	first, err := sysv.Create(1, 7*page+1, 0o600) // 8 pages
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, first) })
	_, err = sysv.Create(2, 2*page+1, 0o600) // 3 pages
	wantError(t, err, limitReached, "create segment sysv:0x2", "8 of kernel.shmall = 10 pages", "needs 3", "remove unused segments or raise it")
	second, err := sysv.Create(2, 2*page, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, second) })
	limits, err := sysv.ReadSegmentLimits()
	ok(t, err)
	if limits.Pages != 10 || limits.MaxPages != 10 {
		t.Errorf("%d of %d pages", limits.Pages, limits.MaxPages)
	}
	_, err = sysv.Create(sysv.Private, 1, 0o600)
	wantError(t, err, limitReached, "10 of kernel.shmall = 10 pages", "needs 1")
	// Promises count too, touched or not, reserved or not.
	_, err = sysv.GetSegment(sysv.Private, 1, &sysv.SegmentOptions{NoReserve: true})
	wantError(t, err, limitReached, "kernel.shmall")
	// The pages come back with the segment: not when it is marked, but when it goes.
	m := attach(t, first, nil)
	ok(t, first.Remove())
	_, err = sysv.Create(3, 1, 0o600)
	wantError(t, err, limitReached)
	closeOK(t, m)
	third, err := sysv.Create(3, 8*page, 0o600)
	ok(t, err)
	removeAtLast(t, third)
	// A size whose number of pages overflows the sum is too much as well.
	_, err = sysv.Create(3, 1<<62, 0o600)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("4 EiB: %v", err)
	}
}

// chooseNextID makes id the identifier of the next segment. It is used up by that,
// and there is nothing to restore: the kernel does not take back its -1.
func chooseNextID(t *testing.T, id int) {
	t.Helper()
	err := os.WriteFile("/proc/sys/kernel/shm_next_id", []byte(strconv.Itoa(id)), 0)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the kernel does not let the next identifier be chosen: %v", err)
	}
	ok(t, err)
}

func TestTheNextIdentifierCanBeChosen(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	const id = 5
	chooseNextID(t, id)
	first, err := sysv.Create(1, 1, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, first) })
	if first.ID() != id {
		t.Errorf("id %d, want %d", first.ID(), id)
	}
	if next := testenv.Sysctl(t, "kernel/shm_next_id"); next != "-1" {
		t.Errorf("the choice holds once, but is %s now", next)
	}
	second, err := sysv.Create(2, 1, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, second) })
	if second.ID() == id {
		t.Error("the same id twice")
	}
	// A taken one is not honoured.
	chooseNextID(t, id)
	third, err := sysv.Create(3, 1, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, third) })
	if third.ID() == id || third.ID() == second.ID() {
		t.Errorf("id %d is taken", third.ID())
	}
}

// An identifier may come to mean another segment, by the kernel's counting or by
// somebody's choice. Who holds the old one gets the new one: there is nothing to
// tell them apart, and the package says so by calling it an identifier.
func TestAReusedIdentifierMeansTheNewSegment(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	old, err := sysv.Create(1, 10, 0o600)
	ok(t, err)
	ok(t, old.Remove())
	chooseNextID(t, old.ID())
	next, err := sysv.Create(2, 20000, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, next) })
	if next.ID() != old.ID() {
		t.Skipf("the kernel gave id %d, not %d", next.ID(), old.ID())
	}
	if m := attach(t, old, nil); m.Len() != 20000 {
		t.Errorf("the mapping has %d bytes, the segment that it is of 20000", m.Len())
	}
}

func TestOldIdentifiersStayUnknownWhenTheirPlaceIsUsedAgain(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	old, err := sysv.Create(1, 1, 0o600)
	ok(t, err)
	ok(t, old.Remove())
	// The same place in the kernel's table, counted once more.
	chooseNextID(t, old.ID()+places)
	next, err := sysv.Create(2, 1, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, next) })
	if next.ID() != old.ID()+places {
		t.Skipf("the kernel gave id %d, not %d", next.ID(), old.ID()+places)
	}
	_, err = old.Stat()
	wantGone(t, err, "stat segment "+old.String())
	_, err = old.Attach(nil)
	wantGone(t, err, "attach segment "+old.String())
	wantGone(t, old.Remove(), "remove segment "+old.String())
	wantGone(t, old.SetMode(0o640), "set mode of segment "+old.String())
	info := stat(t, next)
	if info.Mode != 0o600 || info.Removed || int(info.Seq) != next.ID()/places {
		t.Errorf("id %d, whose place was used %d times before: %+v", next.ID(), info.Seq, info)
	}
}

func TestForcedRemovalTakesWhatNobodyHas(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/shm_rmid_forced", "1")
	// Ours goes with its last mapping, unmarked.
	seg, err := sysv.Create(1, 1, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, seg) })
	first, second := attach(t, seg, nil), attach(t, seg, nil)
	closeOK(t, first)
	if info := stat(t, seg); info.Removed || info.Attached != 1 {
		t.Errorf("with one mapping left: %+v", info)
	}
	closeOK(t, second)
	_, err = seg.Stat()
	wantGone(t, err, "stat segment sysv:0x1")

	// That of a process that ends goes with it, …
	o := startOther(t, nil)
	o.does("create 2 1 0600")
	_, err = sysv.Open(2)
	ok(t, err)
	o.Kill()
	_, err = sysv.Open(2)
	wantError(t, err, noSuchKey)

	// … or, if somebody else is attached, with the last of those.
	o = startOther(t, nil)
	o.does("create 3 1 0600")
	orphan, err := sysv.Open(3)
	ok(t, err)
	m := attach(t, orphan, nil)
	o.Kill()
	if info := stat(t, orphan); info.Attached != 1 {
		t.Errorf("after the end of its maker: %+v", info)
	}
	_, err = m.WriteAt([]byte{1}, 0)
	ok(t, err)
	closeOK(t, m)
	_, err = sysv.Open(3)
	wantError(t, err, noSuchKey)
}

func TestForcedRemovalCollectsOrphansWhenSwitchedOn(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	o := startOther(t, nil)
	o.does("create 1 1 0600")
	o.Kill()
	orphan, err := sysv.Open(1) // without the switch it outlives its maker
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, orphan) })
	testenv.SetSysctl(t, "kernel/shm_rmid_forced", "1")
	if _, err := sysv.Open(1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an orphan without mappings after switching on: %v", err)
	}
}

func TestNamespacesKeepSegmentsApart(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	seg, err := sysv.Create(1, 100, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, seg) })
	m := attach(t, seg, nil)
	_, err = m.WriteAt([]byte("first"), 0)
	ok(t, err)

	here := startOther(t, nil)
	here.does("open 1 100 0600")
	here.does("attach")
	if got := here.does("read 5"); got != `"first"` {
		t.Errorf("in the same namespace another process reads %s", got)
	}

	cloned := startOther(t, &testenv.StartOptions{Cloneflags: syscall.CLONE_NEWIPC})
	unshared := startOther(t, nil)
	unshared.does("unshare")
	for what, o := range map[string]other{"clone": cloned, "unshare": unshared} {
		if list := o.does("list"); list != "[]" {
			t.Errorf("%s: a new namespace has %s", what, list)
		}
		o.failsTo("open 1 0 0", noSuchKey)
		o.failsTo(fmt.Sprintf("open-id %d", seg.ID()+places), noSuchID)
		o.does("create 1 50 0600") // exclusively
		o.does("attach")
		o.does("write other")
	}
	if got := here.does("read 5"); got != `"first"` {
		t.Errorf("afterwards the first namespace reads %s", got)
	}
	// What is attached stays, whatever the namespace of the process becomes.
	moved := startOther(t, nil)
	moved.does("open 1 0 0")
	moved.does("attach")
	moved.does("unshare")
	if got := moved.does("read 5"); got != `"first"` {
		t.Errorf("a mapping after unshare reads %s", got)
	}
	moved.failsTo("open 1 0 0", noSuchKey)
	wantAttached(t, seg, 3)
}

// places is how many places the kernel's table of identifiers has.
const places = 32768
