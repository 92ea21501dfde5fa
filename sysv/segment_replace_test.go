package sysv_test

import (
	"fmt"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

func TestReplaceAttachesAtTheAddressOfAnother(t *testing.T) {
	page := int64(pageSize)
	for _, c := range []struct{ old, new int64 }{
		{page, page}, {page, 1}, {1, page}, {4 * page, 4*page - 1}, {4 * page, page}, {3*page + 1, 2*page + 1},
	} {
		for _, o := range []sysv.AttachOptions{{}, {ReadOnly: true}} {
			for _, exposed := range []bool{false, true} {
				from, to := newSegment(t, c.old, 0o600), newSegment(t, c.new, 0o600)
				old := attach(t, from, nil)
				if exposed {
					old.Bytes()[0] = 1
				}
				o.Replace = old
				m := attach(t, to, &o)
				if m.Addr() != old.Addr() || int64(m.Len()) != c.new || m.Name() != to.String() || !old.Closed() {
					t.Errorf("%d bytes by %d: got %v; the old is closed: %t", c.old, c.new, m, old.Closed())
				}
				wantAttached(t, from, 0)
				wantAttached(t, to, 1)
				if o.ReadOnly {
					wantPermissions(t, m, "r--s")
				} else {
					wantPermissions(t, m, "rw-s")
					m.Bytes()[c.new-1] = 1
				}
				closeOK(t, m)
				wantAttached(t, to, 0)
			}
		}
	}
}

func TestReplaceByALongerSegmentIsRefused(t *testing.T) {
	from, to := newSegment(t, int64(pageSize), 0o600), newSegment(t, int64(pageSize)+1, 0o600)
	old := attach(t, from, nil)
	_, err := old.WriteAt([]byte("stay"), 0)
	ok(t, err)
	_, err = to.Attach(&sysv.AttachOptions{Replace: old})
	wantError(t, err, invalid, "attach segment "+to.String(), from.String(),
		fmt.Sprintf("%d bytes do not fit the %d bytes", 2*pageSize, pageSize))
	wantAttached(t, to, 0)
	wantAttached(t, from, 1)
	b := make([]byte, 4)
	if _, err := old.ReadAt(b, 0); err != nil || string(b) != "stay" {
		t.Errorf("the old mapping reads %q, %v", b, err)
	}
}

func TestReplaceTakesItsAddressFromTheOldMapping(t *testing.T) {
	old := attach(t, newSegment(t, 1, 0o600), nil)
	seg := newSegment(t, 1, 0o600)
	_, err := seg.Attach(&sysv.AttachOptions{Replace: old, Addr: old.Addr()})
	wantError(t, err, invalid, "attach segment "+seg.String(), "Addr must be 0")
	if old.Closed() {
		t.Error("the old mapping was closed")
	}
}

func TestReplaceOfAMappingInUseIsRefused(t *testing.T) {
	old := attach(t, newSegment(t, 64, 0o600), nil)
	v, err := shmkit.View[uint64](old, 0)
	ok(t, err)
	seg := newSegment(t, 64, 0o600)
	_, err = seg.Attach(&sysv.AttachOptions{Replace: old})
	wantError(t, err, "shmkit.ErrInUse", "replace", old.Name())
	closeOK(t, v)
	closeOK(t, old)
	_, err = seg.Attach(&sysv.AttachOptions{Replace: old})
	wantError(t, err, "fs.ErrClosed", "replace", old.Name())
	wantAttached(t, seg, 0)
}

func TestReplaceWithoutPermissionKeepsTheOldMapping(t *testing.T) {
	seg := newSegment(t, 100, 0o604)
	nobody := startNobody(t)
	nobody.does(fmt.Sprintf("create %d 100 0600", freeKey(t)))
	nobody.does("attach")
	nobody.does("write mine")
	nobody.does(fmt.Sprintf("open-id %d", seg.ID()))
	nobody.failsTo("replace", accessDenied, "attach segment "+seg.String(), "mode 0604")
	if got := nobody.does("read 4"); got != `"mine"` {
		t.Errorf("the old mapping reads %s", got)
	}
	wantAttached(t, seg, 0)
	ok(t, seg.SetMode(0o606))
	nobody.does("replace")
	wantAttached(t, seg, 1)
	nobody.does("write root")
	b := make([]byte, 4)
	if _, err := attach(t, seg, nil).ReadAt(b, 0); err != nil || string(b) != "root" {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestReplaceByTheSameSegmentWorks(t *testing.T) {
	seg := newSegment(t, 100, 0o700)
	m := attach(t, seg, nil)
	_, err := m.WriteAt([]byte{7}, 50)
	ok(t, err)
	exec := attach(t, seg, &sysv.AttachOptions{Replace: m, Exec: true, ReadOnly: true})
	wantPermissions(t, exec, "r-xs")
	wantAttached(t, seg, 1)
	b := []byte{0}
	if _, err := exec.ReadAt(b, 50); err != nil || b[0] != 7 {
		t.Errorf("read %d, %v", b[0], err)
	}
	// Also when nothing but that mapping keeps the segment.
	ok(t, seg.Remove())
	again := attach(t, seg, &sysv.AttachOptions{Replace: exec})
	if _, err := again.ReadAt(b, 50); err != nil || b[0] != 7 {
		t.Errorf("a removed segment reads %d, %v", b[0], err)
	}
	closeOK(t, again)
	_, err = seg.Stat()
	wantGone(t, err)
}
