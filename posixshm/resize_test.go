package posixshm_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/posixshm"
)

func TestResize(t *testing.T) {
	d := newDir(t)
	obj := create(t, d, "/frames", 100, &posixshm.Options{Init: func(m *shmkit.Mapping) error { return fill(m, 1) }})
	m := mapped(t, obj, &posixshm.MapOptions{Reserve: 8 * pageSize})
	ok(t, obj.Resize(3*pageSize+7))
	if info := stat(t, obj); info.Size != 3*pageSize+7 || info.Allocated != 4*pageSize {
		t.Errorf("grown: %+v", info)
	}
	ok(t, m.Resize(3*pageSize+7))
	if got := text(t, m, 3*pageSize, 7); got != "\x00\x00\x00\x00\x00\x00\x00" {
		t.Errorf("what is new is %q", got)
	}
	if got := text(t, m, 0, 100); got != string(content(1, 0, 100)) {
		t.Error("what was there is no more")
	}
	ok(t, obj.Resize(3*pageSize+7))
	ok(t, obj.Resize(pageSize))
	_, err := m.ReadAt(make([]byte, 1), 2*pageSize)
	wantError(t, err, "shmkit.ErrTruncated")
	if got := text(t, m, 0, 100); got != string(content(1, 0, 100)) {
		t.Error("what is left is not what it was")
	}
	wantError(t, obj.Resize(-1), invalid, "resize file:", "size -1 is negative")
	wantError(t, obj.Resize(math.MaxInt64), noSpace)
	wantError(t, obj.Resize(1<<55), noSpace, "bytes free and this needs")
	if info := stat(t, obj); info.Size != pageSize || info.Allocated != pageSize {
		t.Errorf("after growing in vain: %+v", info)
	}
	ok(t, obj.Resize(2*pageSize)) // the mapping works again
	write(t, m, 2*pageSize-1, "x")

	sparse := create(t, d, "/sparse", 100, &posixshm.Options{Sparse: true})
	ok(t, sparse.Resize(1<<50))
	if info := stat(t, sparse); info.Size != 1<<50 || info.Allocated != 0 {
		t.Errorf("%+v", info)
	}
}

// What O_TRUNC and ftruncate do in C: the same object, emptied.
func TestResizeToNothingKeepsOwnerAndMode(t *testing.T) {
	d := newDir(t)
	obj := create(t, d, "/frames", 100, &posixshm.Options{Mode: 0o640, ExactMode: true, Init: func(m *shmkit.Mapping) error { return fill(m, 1) }})
	before := stat(t, obj)
	ok(t, obj.Resize(0))
	after := stat(t, obj)
	if after.Size != 0 || after.Allocated != 0 {
		t.Errorf("%+v", after)
	}
	if after.UID != before.UID || after.GID != before.GID || after.Mode != before.Mode || after.Inode != before.Inode {
		t.Errorf("%+v\n%+v", before, after)
	}
	ok(t, obj.Resize(100))
	if got := text(t, mapped(t, obj, nil), 0, 4); got != "\x00\x00\x00\x00" {
		t.Errorf("content %q is back", got)
	}
}

func TestResizingTogether(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 100, nil)
	const growers = 8
	done := make(chan error)
	for i := range growers {
		go func() {
			obj, err := d.Open("/frames", nil)
			if err == nil {
				err = errors.Join(obj.Resize(int64(i+1)*10*pageSize), obj.Close())
			}
			done <- err
		}()
	}
	for range growers {
		ok(t, <-done)
	}
	// Who looked late found it longer and cut it off, as asked; all got what some of them
	// wanted.
	if info, err := d.Stat("/frames"); err != nil || info.Size%(10*pageSize) != 0 || info.Size == 0 {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestWaitSize(t *testing.T) {
	d := newDir(t)
	obj := create(t, d, "/frames", 0, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- obj.WaitSize(ctx, 50) }()
	ok(t, obj.Resize(49))
	select {
	case err := <-done:
		t.Errorf("49 bytes were enough: %v", err)
	default:
	}
	ok(t, obj.Resize(50))
	ok(t, <-done)
	go func() { done <- obj.WaitSize(ctx, 51) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	} else {
		wantError(t, err, "", "wait for file:", "it has 50 of 51 bytes")
	}
	ok(t, obj.WaitSize(ctx, 0)) // what is there needs no context
}

func TestWaitSizeOfWhatCMakes(t *testing.T) {
	name := freeName(t)
	c := startC(t, "halfway", name, "4097")
	c.expect("made")
	obj := open(t, posixshm.Default, name, nil)
	_, err := obj.Map(nil)
	wantError(t, err, emptyObject)
	_, err = posixshm.OpenOrCreate(name, 1, nil)
	wantError(t, err, emptyObject)
	done := make(chan error)
	go func() { done <- obj.WaitSize(t.Context(), 1) }()
	c.send("go")
	ok(t, <-done)
	c.expect("sized")
	if m := mapped(t, obj, nil); m.Len() != 4097 {
		t.Errorf("%v", m)
	}
	if info := stat(t, obj); info.Allocated != 0 {
		t.Errorf("%+v", info)
	}
	ok(t, obj.Reserve())
	if info := stat(t, obj); info.Allocated != 2*pageSize {
		t.Errorf("%+v", info)
	}
}

// What a sparse object has not got is no reason to refuse it a page more.
func TestGrowingASparseObjectNeedsRoomForTheNewPartOnly(t *testing.T) {
	d := newDir(t)
	const large = 1 << 40 // more than the file system has
	create(t, d, "/sparse", large, &posixshm.Options{Sparse: true})
	obj := open(t, d, "/sparse", nil) // a handle that does not know it
	ok(t, obj.Resize(large+int64(pageSize)))
	if info := stat(t, obj); info.Size != large+int64(pageSize) || info.Allocated != int64(pageSize) {
		t.Errorf("%+v", info)
	}
	wantError(t, obj.Reserve(), noSpace)
}

func TestZeroObjectsCanBeClosed(t *testing.T) {
	var obj posixshm.Object
	ok(t, obj.Close())
}
