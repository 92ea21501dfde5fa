package sysv_test

import (
	"errors"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

func TestDetachIsNotRemove(t *testing.T) {
	seg := newSegment(t, 100, 0o600)
	m := attach(t, seg, nil)
	_, err := m.WriteAt([]byte("still here"), 90)
	ok(t, err)
	closeOK(t, m)
	wantAttached(t, seg, 0)
	// Nobody is attached, and the bytes persist.
	again, err := sysv.Open(seg.Key())
	ok(t, err)
	b := make([]byte, 10)
	if _, err := attach(t, again, nil).ReadAt(b, 90); err != nil || string(b) != "still here" {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestDetachingTwiceDetachesOnce(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	m, other := attach(t, seg, nil), attach(t, seg, nil)
	closeOK(t, m)
	closeOK(t, m)
	wantAttached(t, seg, 1)
	if _, err := other.WriteAt([]byte{1}, 0); err != nil {
		t.Error(err)
	}
	if _, err := m.WriteAt([]byte{1}, 0); !errors.Is(err, shmkit.ErrClosed) {
		t.Errorf("a detached mapping: %v", err)
	}
}

func TestDetachOfAnUnalignedSizeLeavesNothing(t *testing.T) {
	for _, size := range []int64{1, 4095, 4097, 12289} {
		for _, exposed := range []bool{false, true} {
			seg := newSegment(t, size, 0o600)
			m := attach(t, seg, nil)
			if exposed {
				m.Bytes()[size-1] = 1
			}
			closeOK(t, m)
			if info := stat(t, seg); info.Attached != 0 {
				t.Errorf("size %d, exposed %t: %d mappings are attached", size, exposed, info.Attached)
			}
		}
	}
}

func TestTheLastDetachRemovesWhatIsMarked(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	first, second := attach(t, seg, nil), attach(t, seg, nil)
	ok(t, seg.Remove())
	closeOK(t, first)
	if info := stat(t, seg); info.Attached != 1 || !info.Removed {
		t.Errorf("with one mapping left: %+v", info)
	}
	closeOK(t, second)
	_, err := seg.Stat()
	wantGone(t, err, "stat segment "+seg.String())
}
