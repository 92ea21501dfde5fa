package posixshm_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

func TestRemovedObjectLivesOnInItsMappings(t *testing.T) {
	d := newDir(t)
	obj := create(t, d, "/frames", 100, nil)
	m := mapped(t, obj, nil)
	other := mapped(t, open(t, d, "/frames", nil), nil)
	ok(t, d.Remove("/frames"))
	wantEntries(t, d)
	_, err := d.Open("/frames", nil)
	wantError(t, err, absent)
	wantError(t, d.Remove("/frames"), absent)
	wantError(t, obj.Remove(), absent)
	if info := stat(t, obj); !info.Removed || info.Size != 100 {
		t.Errorf("%+v", info)
	}
	write(t, m, 10, "still here")
	if got := text(t, other, 10, 10); got != "still here" {
		t.Errorf("read %q", got)
	}
	// The same name is another object now.
	again := create(t, d, "/frames", 50, nil)
	if a, b := stat(t, obj), stat(t, again); a.Inode == b.Inode || b.Removed {
		t.Errorf("%+v\n%+v", a, b)
	}
	if got := text(t, mapped(t, again, nil), 10, 10); got == "still here" {
		t.Error("the new object has the old content")
	}
	wantError(t, obj.Remove(), absent, "belongs to another object now")
	wantEntries(t, d, "frames")
	ok(t, again.Remove())
	wantEntries(t, d)
}

func TestCloseEndsTheHandleOnly(t *testing.T) {
	d := newDir(t)
	obj, err := d.Create("/frames", 100, nil)
	ok(t, err)
	m := mapped(t, obj, nil)
	write(t, m, 0, "hello")
	closeOK(t, obj)
	closeOK(t, obj)
	write(t, m, 5, " you")
	if got := text(t, mapped(t, open(t, d, "/frames", nil), nil), 0, 9); got != "hello you" {
		t.Errorf("read %q", got)
	}
	for what, err := range map[string]error{
		"map":    func() error { _, err := obj.Map(nil); return err }(),
		"size":   func() error { _, err := obj.Size(); return err }(),
		"stat":   func() error { _, err := obj.Stat(); return err }(),
		"resize": obj.Resize(5), "reserve": obj.Reserve(), "chmod": obj.Chmod(0o600), "chown": obj.Chown(-1, -1),
		"wait": obj.WaitSize(t.Context(), 1),
	} {
		if err == nil {
			t.Errorf("%s works", what)
			continue
		}
		wantError(t, err, closedHandle, obj.String(), "the handle is closed")
	}
	if obj.Name() != "/frames" || obj.String() == "" || !obj.Created() {
		t.Error("it has forgotten its name")
	}
	wantEntries(t, d, "frames")
	ok(t, obj.Remove())
	wantError(t, obj.Remove(), absent)
}

func TestCloseFromManyGoroutines(t *testing.T) {
	d := newDir(t)
	for range 100 {
		obj, err := d.OpenOrCreate("/frames", 100, nil)
		ok(t, err)
		done := make(chan error)
		for i := range 8 {
			go func() {
				if i%2 == 0 {
					done <- obj.Close()
					return
				}
				m, err := obj.Map(nil)
				if err == nil {
					err = m.Close()
				} else if errors.Is(err, fs.ErrClosed) {
					err = nil
				}
				done <- err
			}()
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
}

func TestMapsAnyBytes(t *testing.T) {
	d := newDir(t)
	size := 3*pageSize + 5
	obj := create(t, d, "/frames", size, &posixshm.Options{Init: func(m *shmkit.Mapping) error { return fill(m, 3) }})
	for _, c := range []struct{ off, n, want int64 }{
		{0, 0, size}, {0, 1, 1}, {1, 0, size - 1}, {pageSize - 1, 2, 2}, {pageSize, pageSize, pageSize}, {size - 1, 1, 1}, {17, size - 17, size - 17},
	} {
		for _, o := range []posixshm.MapOptions{{}, {ReadOnly: true, Prefault: true}, {Private: true}, {Reserve: 10 * pageSize}} {
			o.Off, o.Len = c.off, c.n
			m := mapped(t, obj, &o)
			if int64(m.Len()) != c.want || text(t, m, 0, int(c.want)) != string(content(3, 0, int(size))[c.off:c.off+c.want]) {
				t.Errorf("%+v: %v", o, m)
			}
		}
	}
	for _, c := range []struct{ off, n int64 }{{-1, 1}, {0, -1}, {0, size + 1}, {size, 0}, {size, 1}, {size + 1, 0}, {1, 1<<63 - 1}, {-1 << 63, 0}, {1<<63 - 1, 1<<63 - 1}} {
		_, err := obj.Map(&posixshm.MapOptions{Off: c.off, Len: c.n})
		wantError(t, err, invalid, "map file:", "are not in its")
	}
	m := mapped(t, obj, &posixshm.MapOptions{Len: pageSize, Prefault: true})
	pages, err := m.Resident(0, pageSize)
	ok(t, err)
	if !slices.Equal(pages, []bool{true}) {
		t.Errorf("resident: %v", pages)
	}
	// One mapping in the place of another.
	second := create(t, d, "/second", pageSize, &posixshm.Options{Init: func(m *shmkit.Mapping) error { return fill(m, 4) }})
	at := m.Addr()
	m2 := mapped(t, second, &posixshm.MapOptions{Replace: m})
	if m2.Addr() != at || !m.Closed() || text(t, m2, 0, 8) != string(content(4, 0, 8)) {
		t.Errorf("replaced by %v", m2)
	}
	_, err = obj.Map(&posixshm.MapOptions{Addr: at, Len: 1})
	if !errors.Is(err, syscall.EEXIST) {
		t.Errorf("an address that is taken: %v", err)
	}
}

func TestEmptyObjectSaysWhatToDo(t *testing.T) {
	d := newDir(t)
	obj := create(t, d, "/frames", 0, nil)
	_, err := obj.Map(nil)
	wantError(t, err, emptyObject, "map file:", "WaitSize", "Resize", "Remove")
	if info := stat(t, obj); info.Size != 0 || info.Allocated != 0 {
		t.Errorf("%+v", info)
	}
	ok(t, obj.Resize(10))
	if m := mapped(t, obj, nil); m.Len() != 10 {
		t.Errorf("%v", m)
	}
}

func TestChmodAndChown(t *testing.T) {
	d := newDir(t)
	obj := create(t, d, "/frames", 100, nil)
	before := stat(t, obj)
	testenv.Eventually(t, "the kernel's clock went on", func() bool {
		ok(t, obj.Chmod(0o640))
		return stat(t, obj).ChangeTime.After(before.ChangeTime)
	})
	if info := stat(t, obj); info.Mode != 0o640 || info.UID != before.UID || info.GID != before.GID || !info.ModifyTime.Equal(before.ModifyTime) {
		t.Errorf("%+v", info)
	}
	wantError(t, obj.Chmod(0o4755), invalid, "nine permission bits")
	wantError(t, obj.Chmod(fs.ModeSticky|0o600), invalid, "nine permission bits")
	ok(t, obj.Chown(-1, -1))
	ok(t, obj.Chown(os.Geteuid(), os.Getegid()))
	for _, id := range []int{-2, 1 << 32, 1<<32 - 1} {
		wantError(t, obj.Chown(id, -1), invalid, "number of 32 bits")
		wantError(t, obj.Chown(-1, id), invalid, "number of 32 bits")
	}
	if os.Geteuid() == 0 {
		ok(t, obj.Chown(12345, 54321))
		if info := stat(t, obj); info.UID != 12345 || info.GID != 54321 || info.Mode != 0o640 {
			t.Errorf("%+v", info)
		}
		_, err := d.Open("/frames", nil)
		wantError(t, err, foreignObject, "uid 12345")
	} else {
		wantError(t, obj.Chown(0, -1), notPermitted)
	}
	ok(t, obj.Chmod(0))
	if os.Geteuid() != 0 {
		_, err := d.Open("/frames", nil)
		wantError(t, err, accessDenied, "mode 0000")
	}
	ok(t, obj.Chmod(0o600)) // the handle goes on
}

func TestStatAndList(t *testing.T) {
	d := newDir(t)
	if all, err := d.List(); err != nil || len(all) != 0 {
		t.Errorf("in an empty directory: %+v, %v", all, err)
	}
	a := create(t, d, "/a", 100, nil)
	b := create(t, d, "/b b", 0, &posixshm.Options{Mode: 0o400})
	c := create(t, d, "sem.c", pageSize, &posixshm.Options{Sparse: true})
	var want []posixshm.Info
	for _, obj := range []*posixshm.Object{a, b, c} {
		info := stat(t, obj)
		want = append(want, info)
		if age := time.Since(info.ModifyTime); age < -time.Hour || age > time.Hour {
			t.Errorf("%s: made %v ago", obj, age)
		}
		if same, err := d.Stat(obj.Name()); err != nil || same != info {
			t.Errorf("by name %+v, %v; by handle %+v", same, err, info)
		}
		file, err := os.Stat(filepath.Join(string(d), obj.Name()))
		ok(t, err)
		if st := file.Sys().(*syscall.Stat_t); st.Ino != info.Inode || st.Dev != info.Device || st.Uid != info.UID || file.Size() != info.Size || !file.ModTime().Equal(info.ModifyTime) {
			t.Errorf("%+v, but stat(2) says %+v", info, st)
		}
	}
	if all, err := d.List(); err != nil || !slices.Equal(all, want) {
		t.Errorf("listed %+v\nwant %+v, %v", all, want, err)
	}
	// Also in /dev/shm itself.
	name := freeName(t)
	obj, err := posixshm.Create(name, 100, nil)
	ok(t, err)
	defer closeOK(t, obj)
	all, err := posixshm.List()
	ok(t, err)
	if i := slices.IndexFunc(all, func(i posixshm.Info) bool { return i.Name == name }); i < 0 || all[i] != stat(t, obj) {
		t.Errorf("%s is number %d in %+v", name, i, all)
	}
}

// Listing while others come and go finds what stays.
func TestListWhileOthersComeAndGo(t *testing.T) {
	d := newDir(t)
	create(t, d, "/stays", 100, nil)
	stop, done := make(chan bool), make(chan error)
	for _, name := range []string{"/a", "/z"} {
		go func() {
			for {
				obj, err := d.Create(name, 100, &posixshm.Options{Replace: true})
				if err == nil {
					err = errors.Join(obj.Remove(), obj.Close())
				}
				select {
				case <-stop:
					done <- err
					return
				default:
				}
				if err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range 200 {
		all, err := d.List()
		ok(t, err)
		if !slices.ContainsFunc(all, func(i posixshm.Info) bool { return i.Name == "/stays" }) || len(all) > 3 {
			t.Errorf("listed %+v", all)
		}
	}
	close(stop)
	ok(t, errors.Join(<-done, <-done))
}
