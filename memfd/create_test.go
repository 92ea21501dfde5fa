package memfd_test

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

func TestMemoryIsSealedPrivateAndCloseOnExecByDefault(t *testing.T) {
	for _, make := range []func() (*memfd.File, error){
		func() (*memfd.File, error) { return memfd.Create("scratch", 5000, 0) },
		func() (*memfd.File, error) { return memfd.CreateWith("scratch", 5000, nil) },
	} {
		f, err := make()
		ok(t, err)
		wantSeals(t, f, memfd.SealShrink|memfd.SealSeal)
		if kernelAtLeast(t, 6, 3) && seals(t, f)&memfd.SealExec == 0 {
			t.Error("it is not sealed against becoming executable")
		}
		if closed, err := sys.CloseOnExec(number(f)); err != nil || !closed {
			t.Errorf("close-on-exec: %t, %v", closed, err)
		}
		info, err := f.Stat()
		ok(t, err)
		if info.Size != 5000 || info.Mode != 0o600 || info.UID != uint32(os.Geteuid()) || info.Name != "scratch" || info.PageSize != pageSize {
			t.Errorf("stat: %+v", info)
		}
		if whole := int64((5000 + pageSize - 1) / pageSize * pageSize); info.Allocated != whole {
			t.Errorf("%d bytes are reserved, want %d", info.Allocated, whole)
		}
		if info.Address() != f.Address() || f.Address() == "" || !strings.Contains(f.String(), "(scratch)") {
			t.Errorf("it is called %v, %v, %v", info.Address(), f.Address(), f)
		}
		closeOK(t, f)
		closeOK(t, f)
		_, err = f.Size()
		wantError(t, err, fs.ErrClosed, f.String(), "the handle is closed")
		_, err = f.Map(nil)
		wantError(t, err, shmkit.ErrClosed, f.String(), "the handle is closed")
	}
}

func TestSealsAreThoseThatWereNamed(t *testing.T) {
	for _, s := range []memfd.Seals{
		memfd.SealShrink, memfd.SealGrow, memfd.SealShrink | memfd.SealGrow, memfd.SealSeal, memfd.SealWrite | memfd.SealSeal,
		memfd.SealFutureWrite | memfd.SealShrink | memfd.SealGrow | memfd.SealSeal,
	} {
		wantSeals(t, create(t, 10, s), s)
	}
	wantSeals(t, create(t, 10, memfd.NoSeals), 0)
	_, err := memfd.Create("x", 1, 1<<20)
	wantError(t, err, syscall.EINVAL, "seal (0x100000)", "does not know")
}

func TestMappingsOutliveTheFile(t *testing.T) {
	f, err := memfd.Create("scratch", 100, 0)
	ok(t, err)
	m, err := f.Map(nil)
	ok(t, err)
	closeOK(t, f)
	_, err = m.WriteAt([]byte("still here"), 90)
	ok(t, err)
	if m.Name() != f.Address() || m.Len() != 100 {
		t.Errorf("the mapping is %v", m)
	}
	closeOK(t, m)
}

func TestPartsAreMapped(t *testing.T) {
	page := int64(pageSize)
	f := create(t, 3*page, 0)
	whole := mapped(t, f, nil)
	for _, o := range []memfd.MapOptions{{Off: 1}, {Off: page - 1, Len: 2}, {Off: 3*page - 1}, {Len: 5}, {Off: page, Len: page, Populate: true}} {
		m := mapped(t, f, &o)
		want := o.Len
		if want == 0 {
			want = 3*page - o.Off
		}
		if int64(m.Len()) != want {
			t.Errorf("%+v has %d bytes", o, m.Len())
		}
		_, err := m.WriteAt([]byte{byte(o.Off) | 1}, want-1)
		ok(t, err)
		b := []byte{0}
		if _, err := whole.ReadAt(b, o.Off+want-1); err != nil || b[0] != byte(o.Off)|1 {
			t.Errorf("%+v: the whole reads %d, %v", o, b[0], err)
		}
	}
	for _, o := range []memfd.MapOptions{{Off: -1}, {Off: 3 * page}, {Len: 3*page + 1}, {Off: 1, Len: 3 * page}, {Len: -1},
		{Off: math.MaxInt64}, {Len: math.MaxInt64}, {Off: math.MaxInt64, Len: math.MaxInt64}} {
		_, err := f.Map(&o)
		wantError(t, err, shmkit.ErrOutOfRange, "map", f.String())
	}
	_, err := create(t, 0, 0).Map(nil)
	wantError(t, err, shmkit.ErrOutOfRange, "it has 0 bytes")
}

func TestMemoryGrowsUnderAMapping(t *testing.T) {
	page := int64(pageSize)
	f := create(t, page, memfd.SealShrink)
	m := mapped(t, f, &memfd.MapOptions{Reserve: 4 * page})
	view, err := shmkit.ViewSlice[byte](m, 0, 10)
	ok(t, err)
	defer closeOK(t, view)
	ok(t, f.Reserve(0, 4*page))
	ok(t, m.Resize(4*page))
	_, err = m.WriteAt([]byte{1}, 4*page-1)
	ok(t, err)
}

func TestInitWritesBeforeTheSeals(t *testing.T) {
	f := createWith(t, 100, &memfd.Options{
		Seals: memfd.SealWrite | memfd.SealShrink | memfd.SealGrow | memfd.SealSeal,
		Init: func(m *shmkit.Mapping) error {
			copy(m.Bytes(), "constant") // also through a slice
			return nil
		},
	})
	wantSeals(t, f, memfd.SealWrite|memfd.SealShrink|memfd.SealGrow|memfd.SealSeal)
	b := make([]byte, 8)
	if _, err := f.ReadAt(b, 0); err != nil || string(b) != "constant" {
		t.Errorf("read %q, %v", b, err)
	}

	before := openCount(t)
	reason := errors.New("no content today")
	_, err := memfd.CreateWith("x", 100, &memfd.Options{Init: func(*shmkit.Mapping) error { return reason }})
	wantError(t, err, reason, "initialise memfd:", "(x)")

	// A view that is left open keeps the mapping, and so the seal away.
	var left *shmkit.SliceView[byte]
	_, err = memfd.CreateWith("x", 100, &memfd.Options{Seals: memfd.SealWrite, Init: func(m *shmkit.Mapping) (err error) {
		left, err = shmkit.ViewSlice[byte](m, 0, 1)
		return err
	}})
	wantError(t, err, syscall.EBUSY, "a shared mapping of it may be written")
	closeOK(t, left)
	_, err = memfd.CreateWith("x", 0, &memfd.Options{Init: func(*shmkit.Mapping) error { return nil }})
	wantError(t, err, shmkit.ErrOutOfRange)
	if n := openCount(t); n != before {
		t.Errorf("%d descriptors more than before", n-before)
	}
}

func TestImpossibleSizesAreRefused(t *testing.T) {
	before := openCount(t)
	for size, want := range map[int64]error{-1: syscall.EINVAL, math.MinInt64: syscall.EINVAL, math.MaxInt64: syscall.EFBIG, 1 << 60: syscall.ENOMEM} {
		_, err := memfd.Create("x", size, 0)
		if size > 0 && errors.Is(err, syscall.EFBIG) {
			continue // what ftruncate says of it differs between kernels
		}
		wantError(t, err, want)
	}
	// The kernel would take until it has to kill.
	_, err := memfd.Create("x", 1<<46, 0)
	wantError(t, err, syscall.ENOMEM, "reserve 70368744177664 bytes", "bytes of memory are available")
	f := createWith(t, 1<<46, &memfd.Options{NoReserve: true})
	info, err := f.Stat()
	ok(t, err)
	if info.Size != 1<<46 || info.Allocated != 0 {
		t.Errorf("stat: %+v", info)
	}
	for _, r := range [][2]int64{{-1, 1}, {0, 0}, {0, -1}, {math.MaxInt64, 1}, {1, math.MaxInt64}} {
		if err := f.Reserve(r[0], r[1]); err == nil {
			t.Errorf("reserved %d", r)
		}
	}
	wantError(t, f.Discard(-1, 1), syscall.EINVAL)
	if n := openCount(t); n != before+1 {
		t.Errorf("%d descriptors more than before", n-before-1)
	}
}

func TestLargeMemoryIsReservedInSteps(t *testing.T) {
	if sys.MemoryAvailable() < 1<<30 {
		t.Skip("needs a gigabyte of free memory")
	}
	const size = 80<<20 + 1
	f := create(t, size, memfd.NoSeals)
	info, err := f.Stat()
	ok(t, err)
	if info.Size != size || info.Allocated != 80<<20+int64(pageSize) {
		t.Errorf("stat: %+v", info)
	}
	ok(t, f.Discard(0, size))
	info, err = f.Stat()
	ok(t, err)
	if info.Allocated > int64(pageSize) {
		t.Errorf("after Discard %d bytes are left", info.Allocated)
	}
}

func TestModesAreKept(t *testing.T) {
	old := syscall.Umask(0o777)
	defer syscall.Umask(old)
	for _, mode := range []fs.FileMode{0o600, 0o400, 0o644, 0o666} {
		info, err := createWith(t, 1, &memfd.Options{Mode: mode}).Stat()
		if err != nil || info.Mode != mode {
			t.Errorf("mode %v becomes %v, %v", mode, info.Mode, err)
		}
	}
	_, err := memfd.CreateWith("x", 1, &memfd.Options{Mode: 0o700})
	wantError(t, err, syscall.EINVAL, "mode 0700 lets execute what is not Executable")
	_, err = memfd.CreateWith("x", 1, &memfd.Options{Mode: fs.ModeSetuid | 0o600})
	wantError(t, err, syscall.EINVAL, "nine permission bits")
}

func TestExecutableMemoryRuns(t *testing.T) {
	program, err := os.ReadFile(testenv.RequireTool(t, "true"))
	ok(t, err)
	content := func(m *shmkit.Mapping) error { _, err := m.WriteAt(program, 0); return err }
	f, err := memfd.CreateWith("program", int64(len(program)), &memfd.Options{
		Executable: true, Init: content, Seals: memfd.SealWrite | memfd.SealGrow | memfd.DefaultSeals,
	})
	if errors.Is(err, syscall.EACCES) {
		t.Skipf("this machine forbids it: %v", err)
	}
	ok(t, err)
	defer closeOK(t, f)
	if info, err := f.Stat(); err != nil || info.Mode != 0o700 {
		t.Errorf("mode %v, %v", info.Mode, err)
	}
	out, err := exec.Command(f.Path()).CombinedOutput()
	if err != nil {
		t.Errorf("%s%v", out, err)
	}

	plain := createWith(t, int64(len(program)), &memfd.Options{Init: content})
	_, err = exec.Command(plain.Path()).CombinedOutput()
	wantError(t, err, fs.ErrPermission)
	if seals(t, plain)&memfd.SealExec != 0 {
		wantError(t, plain.Use(func(f *os.File) error { return f.Chmod(0o700) }), syscall.EPERM)
	}
	// Code that is mapped is another matter.
	mapped(t, plain, &memfd.MapOptions{ReadOnly: true, Exec: true})
}

func TestReopeningMakesADescriptionOfOnesOwn(t *testing.T) {
	f := create(t, 10, 0)
	own, err := f.Reopen()
	ok(t, err)
	closing(t, own)
	offset := func(f *memfd.File) (at int64) {
		ok(t, f.Use(func(f *os.File) (err error) { at, err = f.Seek(0, 1); return err }))
		return at
	}
	ok(t, f.Use(func(f *os.File) error { _, err := f.Seek(7, 0); return err }))
	if offset(f) != 7 || offset(own) != 0 {
		t.Errorf("offsets %d and %d", offset(f), offset(own))
	}
	a, b := socketPair(t, syscall.SOCK_STREAM)
	ok(t, memfd.Send(a, f))
	sent, err := memfd.Receive(b, nil)
	ok(t, err)
	closing(t, sent)
	if offset(sent) != 7 {
		t.Errorf("what was sent has the offset %d: it is said to be shared", offset(sent))
	}
	if own.Name() != "test" || own.Address() == f.Address() {
		t.Errorf("reopened: %v", own)
	}
}

// A memfd is born 0777: another user that is given it read-only could open it for
// writing.
func TestTheModeKeepsStrangersFromWriting(t *testing.T) {
	nobody := testenv.Nobody(t)
	for mode, says := range map[fs.FileMode]string{
		0:     `read "abc", reopen: reopen memfd:`,
		0o666: `read "abc", wrote after reopening: <nil>`, // as anybody may who is let
	} {
		f := createWith(t, 3, &memfd.Options{Mode: mode})
		_, err := f.WriteAt([]byte("abc"), 0)
		ok(t, err)
		reader, err := f.ReopenReadOnly()
		ok(t, err)
		closing(t, reader)
		path, accept := listen(t)
		p := testenv.StartWith(t, &testenv.StartOptions{Credential: nobody}, "stranger", path)
		ok(t, memfd.Send(accept(), reader))
		line, err := p.ReadLine()
		if err != nil || !strings.HasPrefix(line, says) {
			t.Errorf("mode %04o: it said %q, %v", mode, line, err)
		}
		if mode == 0 && !strings.Contains(line, "it belongs to uid 0 gid 0, mode 0600; this process is uid 65534") {
			t.Errorf("it said %q", line)
		}
		ok(t, p.Wait())
	}
}

func TestNamesOfStrangersAreShownSafely(t *testing.T) {
	f, err := memfd.Create("\x1b[31m\nred", 1, 0)
	ok(t, err)
	defer closeOK(t, f)
	if s := f.String(); strings.ContainsAny(s, "\x1b\n") || !strings.Contains(s, `\x1b[31m\nred`) {
		t.Errorf("it is shown as %q", s)
	}
}

func TestTheWayForOldKernels(t *testing.T) {
	f := create(t, 100, memfd.SealWrite|memfd.SealShrink)
	m, err := memfd.MapReadOnly(f, 100)
	ok(t, err)
	defer closeOK(t, m)
	if _, err := m.ReadAt(make([]byte, 100), 0); err != nil || m.Name() != f.Address() {
		t.Errorf("%v, %v", m, err)
	}
	wantError(t, m.Protect(0, 100, shmkit.Read|shmkit.Write), syscall.EACCES)
}

func TestSealNames(t *testing.T) {
	for s, text := range map[memfd.Seals]string{
		0:                                 "none",
		memfd.DefaultSeals:                "shrink|seal",
		memfd.SealShrink | memfd.SealGrow: "shrink|grow",
		memfd.SealWrite | memfd.SealExec:  "write|exec",
		memfd.SealFutureWrite:             "future-write",
		memfd.SealFutureWrite | 1<<10:     "future-write|0x400",
		memfd.NoSeals:                     "none",
		memfd.NoSeals | memfd.SealSeal:    "seal",
		memfd.Seals(0x3f):                 "shrink|grow|write|future-write|exec|seal",
	} {
		if got := s.String(); got != text {
			t.Errorf("%#x is called %q, want %q", int(s), got, text)
		}
	}
	for text, want := range map[string]memfd.Seals{
		"shrink|grow": memfd.SealShrink | memfd.SealGrow, "write,future-write": memfd.SealWrite | memfd.SealFutureWrite,
		"none": memfd.NoSeals, "exec": memfd.SealExec, "seal": memfd.SealSeal,
	} {
		if got, err := memfd.ParseSeals(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "|", "shrinking", "shrink grow", "none|grow", "0x4"} {
		if got, err := memfd.ParseSeals(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestVerify(t *testing.T) {
	f := create(t, 1000, memfd.SealShrink|memfd.SealGrow)
	for _, want := range []*memfd.Want{nil, {}, {Size: 1000}, {MinSize: 1000, MaxSize: 1000}, {Seals: memfd.SealGrow}, {Seals: memfd.NoSeals}} {
		ok(t, f.Verify(want))
	}
	wantError(t, f.Verify(&memfd.Want{Seals: memfd.SealWrite}), memfd.ErrUnsealed, "verify", f.String(), "it lacks write")
	wantError(t, f.Verify(&memfd.Want{Size: 1}), memfd.ErrWrongSize, "it has 1000 bytes, and 1 are wanted")
}

func TestAFileNamedLikeAMemfdIsNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "memfd:x (deleted)")
	file, err := os.Create(path)
	ok(t, err)
	defer file.Close()
	a, b := socketPair(t, syscall.SOCK_STREAM)
	_, _, err = a.WriteMsgUnix([]byte{1}, syscall.UnixRights(int(file.Fd())), nil)
	ok(t, err)
	_, err = memfd.Receive(b, &memfd.Want{Seals: memfd.NoSeals})
	wantError(t, err, memfd.ErrNotMemfd)
}
