package posixshm_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/posixshm"
)

func TestObjectIsWholeWhenItsNameAppears(t *testing.T) {
	d := newDir(t)
	obj := create(t, d, "/frames", 3*pageSize+5, &posixshm.Options{Init: func(m *shmkit.Mapping) error {
		wantEntries(t, d)
		if m.Len() != int(3*pageSize+5) || m.Protection() != shmkit.Read|shmkit.Write {
			t.Errorf("Init is given %v", m)
		}
		write(t, m, 3*pageSize, "hello")
		return nil
	}})
	wantEntries(t, d, "frames")
	if obj.Name() != "/frames" || obj.String() != "file:"+string(d)+"/frames" || !obj.Created() {
		t.Errorf("name %q, address %q, created %t", obj.Name(), obj, obj.Created())
	}
	same := open(t, d, "frames", nil)
	if same.Created() {
		t.Error("Open says that it created")
	}
	m := mapped(t, same, nil)
	if got := text(t, m, 3*pageSize, 5); got != "hello" || m.Len() != int(3*pageSize+5) {
		t.Errorf("read %q of %d bytes", got, m.Len())
	}
	if got := text(t, m, 0, 5); got != "\x00\x00\x00\x00\x00" {
		t.Errorf("what Init left alone is %q", got)
	}
	a, b := stat(t, obj), stat(t, same)
	if a != b || a.Size != 3*pageSize+5 || a.Allocated != 4*pageSize || a.Mode != 0o600 || a.Removed {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestAddressInTheDefaultDirectory(t *testing.T) {
	name := freeName(t)
	obj, err := posixshm.Create(name, 100, nil)
	ok(t, err)
	defer closeOK(t, obj)
	m := mapped(t, obj, nil)
	if want := "posix:" + name; obj.String() != want || m.Name() != want {
		t.Errorf("addresses %q and %q, want %q", obj, m.Name(), want)
	}
	if _, err := posixshm.Dir("").Open(name, nil); err != nil {
		t.Errorf("the zero Dir: %v", err)
	} else if again, err := posixshm.OpenOrCreate(name[1:], 100, nil); err != nil || again.Created() {
		t.Errorf("OpenOrCreate of what exists: %v, %v", again, err)
	} else {
		closeOK(t, again)
	}
	ok(t, posixshm.Remove(name))
	_, err = posixshm.Stat(name)
	wantError(t, err, absent, "posix:"+name)
}

// The creator's own mapping is called by the object's name in /proc, as everybody
// else's: not by that of a file without a name.
func TestMappingsShowTheNameInProc(t *testing.T) {
	d := newDir(t)
	obj := create(t, d, "/frames", pageSize, nil)
	mapped(t, obj, nil)
	maps, err := os.ReadFile("/proc/self/maps")
	ok(t, err)
	if !strings.Contains(string(maps), string(d)+"/frames\n") {
		t.Errorf("no mapping of %s/frames", d)
	}
}

func TestCreateOfWhatExists(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 100, nil)
	initialised := false
	_, err := d.Create("/frames", 100, &posixshm.Options{Init: func(*shmkit.Mapping) error {
		initialised = true
		return nil
	}})
	wantError(t, err, exists, "create file:", "/frames", "it has 100 bytes", "uid")
	if initialised {
		t.Error("Init ran for nothing")
	}
	// The name appears while the object is being made.
	_, err = d.Create("/late", 100, &posixshm.Options{Init: func(*shmkit.Mapping) error {
		create(t, d, "/late", 7, nil)
		return nil
	}})
	wantError(t, err, exists, "it has 7 bytes")
	wantEntries(t, d, "frames", "late")
}

func TestFailedInitLeavesNothing(t *testing.T) {
	d := newDir(t)
	boom := errors.New("boom")
	_, err := d.Create("/frames", 100, &posixshm.Options{Init: func(*shmkit.Mapping) error { return boom }})
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), "initialise: boom") {
		t.Errorf("the error of Init became %v", err)
	}
	wantEntries(t, d)

	func() {
		defer func() {
			if r := recover(); r != "boom" {
				t.Errorf("the panic became %v", r)
			}
		}()
		_, _ = d.Create("/frames", 100, &posixshm.Options{Init: func(*shmkit.Mapping) error { panic("boom") }})
	}()
	wantEntries(t, d)

	done := make(chan bool)
	go func() {
		defer close(done)
		_, _ = d.Create("/frames", 100, &posixshm.Options{Init: func(*shmkit.Mapping) error {
			runtime.Goexit()
			return nil
		}})
	}()
	<-done
	wantEntries(t, d)

	_, err = d.OpenOrCreate("/frames", 100, &posixshm.Options{Init: func(*shmkit.Mapping) error { return boom }})
	if !errors.Is(err, boom) {
		t.Errorf("the error of Init became %v", err)
	}
	wantEntries(t, d)
	// Not one page of theirs is mapped, and no descriptor is open.
	maps, err := os.ReadFile("/proc/self/maps")
	ok(t, err)
	fds, err := openDescriptors()
	ok(t, err)
	for _, target := range fds {
		maps = append(maps, target+"\n"...)
	}
	if strings.Contains(string(maps), string(d)) {
		t.Errorf("something is left:\n%s", maps)
	}
}

func TestFaultInInitIsAnError(t *testing.T) {
	d := newDir(t)
	_, err := d.Create("/frames", 100, &posixshm.Options{Init: func(m *shmkit.Mapping) error {
		ok(t, m.Protect(0, int64(m.Len()), shmkit.Read))
		m.Bytes()[0] = 1
		return nil
	}})
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) || !errors.Is(err, shmkit.ErrReadOnly) {
		t.Errorf("the fault became %v", err)
	}
	wantEntries(t, d)
}

func TestMappingOfInitIsClosedAfterIt(t *testing.T) {
	d := newDir(t)
	var kept *shmkit.Mapping
	obj := create(t, d, "/frames", 100, &posixshm.Options{Init: func(m *shmkit.Mapping) error {
		kept = m
		return nil
	}})
	if !kept.Closed() {
		t.Error("it is open")
	}
	// A view that Init forgot keeps its memory, not the object's name.
	var view interface{ Close() error }
	again := create(t, d, "/more", 100, &posixshm.Options{Init: func(m *shmkit.Mapping) error {
		v, err := shmkit.View[uint64](m, 0)
		view = v
		return err
	}})
	ok(t, again.Remove())
	ok(t, obj.Remove())
	wantEntries(t, d)
	closeOK(t, view)
}

func TestSizes(t *testing.T) {
	d := newDir(t)
	for _, size := range []int64{1, 7, pageSize - 1, pageSize, pageSize + 1, 1<<20 + 3} {
		obj := create(t, d, "/frames", size, nil)
		info := stat(t, obj)
		if pages := (size + pageSize - 1) / pageSize * pageSize; info.Size != size || info.Allocated != pages {
			t.Errorf("size %d: %d bytes, %d allocated", size, info.Size, info.Allocated)
		}
		if m := mapped(t, obj, nil); m.Len() != int(size) {
			t.Errorf("size %d: %d bytes mapped", size, m.Len())
		}
		ok(t, obj.Remove())
	}
	for size, want := range map[int64]struct{ names, text string }{
		-1:                {invalid, "size -1 is negative"},
		math.MinInt64:     {invalid, "negative"},
		math.MaxInt64:     {noSpace, "bytes free and this needs 9223372036854775807"},
		math.MaxInt64 - 1: {noSpace, "remount"},
		1 << 60:           {noSpace, "free"},
	} {
		for _, make := range []func(string, int64, *posixshm.Options) (*posixshm.Object, error){d.Create, d.OpenOrCreate} {
			_, err := make("/frames", size, nil)
			wantError(t, err, want.names, want.text)
			wantEntries(t, d)
		}
	}
	_, err := d.Create("/frames", 0, &posixshm.Options{Init: func(*shmkit.Mapping) error { return nil }})
	wantError(t, err, invalid, "size 0")
}

// What is larger than the limit on files is an error, and not the signal SIGXFSZ.
func TestLimitOfFileSize(t *testing.T) {
	d := newDir(t)
	p := startAgent(t, nil)
	a := ask(t, p, order{Do: "create", Dir: d, Name: "/frames", Size: 1 << 20, FileSize: 1 << 16})
	wantDescription(t, a.Error, tooBig, "ulimit -f")
	wantEntries(t, d)
	if a := ask(t, p, order{Do: "create", Dir: d, Name: "/frames", Size: 1 << 20}); a.Error != "" {
		t.Error(a.Error)
	}
}

func TestSparse(t *testing.T) {
	d := newDir(t)
	const size = 1 << 50
	obj := create(t, d, "/frames", size, &posixshm.Options{Sparse: true})
	if info := stat(t, obj); info.Size != size || info.Allocated != 0 {
		t.Errorf("%+v", info)
	}
	m := mapped(t, obj, &posixshm.MapOptions{Off: size - 10, Len: 10})
	write(t, m, 5, "hello")
	if info := stat(t, obj); info.Allocated != pageSize {
		t.Errorf("one page was touched, %d bytes are allocated", info.Allocated)
	}
	wantError(t, obj.Reserve(), noSpace, "reserve")

	small := create(t, d, "/small", 10*pageSize, &posixshm.Options{Sparse: true})
	write(t, mapped(t, small, nil), 3*pageSize, "x")
	ok(t, small.Reserve())
	if info := stat(t, small); info.Allocated != 10*pageSize || info.Size != 10*pageSize {
		t.Errorf("reserved: %+v", info)
	}
	ok(t, small.Reserve())
	if got := text(t, mapped(t, small, nil), 3*pageSize, 1); got != "x" {
		t.Errorf("%q is left of what was written", got)
	}
	_, err := d.Create("/huge", math.MaxInt64, &posixshm.Options{Sparse: true, Init: func(*shmkit.Mapping) error { return nil }})
	if err == nil {
		t.Error("all of the address space was mapped")
	}
	wantEntries(t, d, "frames", "small")
}

func TestModeAndUmask(t *testing.T) {
	d := newDir(t)
	p := startAgent(t, nil)
	for _, c := range []struct {
		mode, umask uint32
		exact       bool
		want        fs.FileMode
	}{
		{0, 0o22, false, 0o600}, {0o666, 0o22, false, 0o644}, {0o666, 0o22, true, 0o666}, {0o777, 0o77, false, 0o700},
		{0o660, 0o77, true, 0o660}, {0, 0o177, false, 0o600}, {0o400, 0o22, false, 0o400}, {0o200, 0o22, false, 0o200},
	} {
		a := ask(t, p, order{
			Do: "create", Dir: d, Name: "/frames", Size: 100, Tag: 1, Mode: c.mode, Umask: c.umask, ExactMode: c.exact,
		})
		if a.Error != "" || a.Info.Mode != c.want {
			t.Errorf("mode %04o, umask %04o, exact %t: %04o, want %04o; %s", c.mode, c.umask, c.exact, a.Info.Mode, c.want, a.Error)
		}
		ok(t, d.Remove("/frames"))
	}
	_, err := d.Create("/frames", 100, &posixshm.Options{Mode: 0o1777})
	wantError(t, err, invalid, "mode 01777 has more than the nine permission bits")
}

func TestOpenOrCreate(t *testing.T) {
	d := newDir(t)
	obj, err := d.OpenOrCreate("/frames", 100, nil)
	ok(t, err)
	defer closeOK(t, obj)
	if !obj.Created() {
		t.Error("it was not created")
	}
	initialised := false
	again, err := d.OpenOrCreate("/frames", 50, &posixshm.Options{Init: func(*shmkit.Mapping) error {
		initialised = true
		return nil
	}})
	ok(t, err)
	defer closeOK(t, again)
	if n, err := again.Size(); err != nil || n != 100 || again.Created() || initialised {
		t.Errorf("%d bytes, %v, created %t, initialised %t", n, err, again.Created(), initialised)
	}
	_, err = d.OpenOrCreate("/frames", 101, nil)
	wantError(t, err, invalid, "it exists with 100 bytes, 101 were asked for")
	_, err = d.OpenOrCreate("/frames", 100, &posixshm.Options{Replace: true})
	wantError(t, err, invalid, "Replace is for Create")
	create(t, d, "/empty", 0, nil)
	_, err = d.OpenOrCreate("/empty", 1, nil)
	wantError(t, err, emptyObject, "WaitSize")

	// Somebody else is faster: what they made is opened.
	other, err := d.OpenOrCreate("/contended", 100, &posixshm.Options{Init: func(m *shmkit.Mapping) error {
		create(t, d, "/contended", 200, nil)
		return nil
	}})
	ok(t, err)
	defer closeOK(t, other)
	if n, err := other.Size(); other.Created() || n != 200 || err != nil {
		t.Errorf("created %t, %d bytes, %v", other.Created(), n, err)
	}
}

func TestDirectoryThatIsNone(t *testing.T) {
	base := newDir(t)
	missing := posixshm.Dir(filepath.Join(string(base), "missing"))
	_, err := missing.Create("/frames", 100, nil)
	wantError(t, err, absent, "create file:", "there is no directory "+string(missing))
	_, err = missing.Open("/frames", nil)
	wantError(t, err, absent, "there is no directory")
	_, err = missing.List()
	wantError(t, err, absent, "list objects in "+string(missing), "there is no directory")
	wantError(t, missing.Remove("/frames"), absent, "there is no directory")

	create(t, base, "/file", 100, nil)
	file := posixshm.Dir(filepath.Join(string(base), "file"))
	_, err = file.Create("/frames", 100, nil)
	wantError(t, err, "ENOTDIR", "is no directory")

	_, err = posixshm.Dir("/proc").Create("/frames", 100, nil)
	if os.Geteuid() == 0 { // others may not make files there anyway
		wantError(t, err, "EOPNOTSUPP errors.ErrUnsupported", "the file system of /proc has no files without a name", "tmpfs, ext4")
	}
}

// Objects on the file system of the temporary directory, whatever that is.
func TestDirectoryOnAnotherFileSystem(t *testing.T) {
	d := posixshm.Dir(t.TempDir())
	obj, err := d.Create("/frames", pageSize+1, &posixshm.Options{Init: func(m *shmkit.Mapping) error { return fill(m, 7) }})
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("the file system of %s has no O_TMPFILE: %v", d, err)
	}
	ok(t, err)
	defer closeOK(t, obj)
	if info := stat(t, obj); info.Allocated < info.Size {
		t.Errorf("%+v", info)
	}
	_, err = d.Create("/frames", 1, nil)
	wantError(t, err, exists)
	_, err = d.Create("/huge", 1<<60, nil)
	if err == nil {
		t.Error("an object of 2^60 bytes was made")
	}
	newer := create(t, d, "/frames", 100, &posixshm.Options{Replace: true, Init: func(m *shmkit.Mapping) error { return fill(m, 8) }})
	if tag, err := checkWhole(open(t, d, "/frames", nil), 7, 8); tag != 8 {
		t.Errorf("replaced: content %d, %v", tag, err)
	}
	ok(t, newer.Resize(3*pageSize))
	if n := mapped(t, newer, nil).Len(); n != int(3*pageSize) {
		t.Errorf("%d bytes", n)
	}
	wantEntries(t, d, "frames")
	ok(t, d.Remove("/frames"))
	if info := stat(t, obj); !info.Removed {
		t.Errorf("%+v", info)
	}
}
