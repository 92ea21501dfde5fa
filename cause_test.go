package shmkit_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// What a FaultError says is the cause, for each that there is.

func TestATruncatedFileFaultsAndWorksAgainWhenRegrown(t *testing.T) {
	f, o := newFile(t, 3)
	m := mapFile(t, f, fdmap.Options{Off: 50, Len: pagesAt(3) - 50})
	at := pagesAt(2) - 50 + 7 // in the third page
	for _, size := range []int64{pagesAt(2), pagesAt(1) + 1, 0} {
		if err := o.Truncate(size); err != nil {
			t.Fatal(err)
		}
		says := fmt.Sprintf("has %d bytes now, and this is byte %d", size, at+50)
		_, err := m.ReadAt(make([]byte, 1), at)
		wantPageFault(t, err, m, at, readOnly, shmkit.ErrTruncated)
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%q does not say %q", err, says)
		}
		_, err = m.WriteAt(make([]byte, 1), at)
		wantPageFault(t, err, m, at, shmkit.Write, shmkit.ErrTruncated)
		word := pagesAt(2) - 50 + 8
		_, err = m.Load64(word)
		wantPageFault(t, err, m, word, readOnly, shmkit.ErrTruncated)
		wantPageFault(t, m.Store64(word, 1), m, word, shmkit.Write, shmkit.ErrTruncated)
		b := m.Bytes()
		wantPageFault(t, shmkit.Guard(func() { b[at]++ }), m, at, 0, shmkit.ErrTruncated)
	}
	// The page that the end lies in has zeros behind it.
	if err := o.Truncate(pagesAt(2) + 1); err != nil {
		t.Fatal(err)
	}
	wantByte(t, m, pagesAt(3)-51, 0)
	if err := o.Truncate(pagesAt(3)); err != nil {
		t.Fatal(err)
	}
	wantByte(t, m, at, 0)
	if _, err := m.WriteAt([]byte("again"), at); err != nil {
		t.Error(err)
	}
	wantByte(t, o, at+50, 'a')
}

func TestTruncationTakesAPrivateCopyToo(t *testing.T) {
	f, o := newFile(t, 2)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(2), Private: true})
	if _, err := m.WriteAt([]byte{77}, pagesAt(1)); err != nil {
		t.Fatal(err)
	}
	if err := o.Truncate(pagesAt(1)); err != nil {
		t.Fatal(err)
	}
	_, err := m.ReadAt(make([]byte, 1), pagesAt(1))
	wantPageFault(t, err, m, pagesAt(1), readOnly, shmkit.ErrTruncated)
}

func TestFaultsInReadOnlyMappings(t *testing.T) {
	m := mapFile(t, newReadOnlyFile(t, 2), fdmap.Options{Len: pagesAt(2), Protection: readOnly})
	b := m.Bytes()
	if err := m.Prefault(0, 1, shmkit.Read); err != nil { // what is there can only have been written to
		t.Fatal(err)
	}
	wantPageFault(t, shmkit.Guard(func() { b[8] = 1 }), m, 8, shmkit.Write, shmkit.ErrReadOnly)
	// Not everything that faults there was a write.
	f, o := newFile(t, 2)
	r := mapFile(t, f, fdmap.Options{Len: pagesAt(2), Protection: readOnly})
	if err := o.Truncate(1); err != nil {
		t.Fatal(err)
	}
	_, err := r.ReadAt(make([]byte, 1), pagesAt(1))
	wantPageFault(t, err, r, pagesAt(1), readOnly, shmkit.ErrTruncated)
}

// On all machines that there are, what may only be written can be read as well.
func TestFaultsInMemoryForWritingOnly(t *testing.T) {
	f, o := newFile(t, 2)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(2)})
	if err := m.Protect(0, pagesAt(2), shmkit.Write); err != nil {
		t.Fatal(err)
	}
	_, err := m.ReadAt(make([]byte, 1), 0)
	wantAccessError(t, err, "read", shmkit.ErrNotReadable)
	if err := o.Truncate(pagesAt(1)); err != nil {
		t.Fatal(err)
	}
	_, err = m.WriteAt([]byte{1}, pagesAt(1))
	wantPageFault(t, err, m, pagesAt(1), shmkit.Write, shmkit.ErrTruncated)
}

func TestPagesThatNobodyMayTouch(t *testing.T) {
	f, _ := newFile(t, 1)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(1)})
	b := m.Bytes()
	if err := m.Protect(0, pagesAt(1), none); err != nil {
		t.Fatal(err)
	}
	wantPageFault(t, shmkit.Guard(func() { b[3]++ }), m, 3, 0, shmkit.ErrNotReadable)
	if err := m.Protect(0, pagesAt(1), shmkit.Exec); err != nil {
		t.Skipf("no executable mappings of a memfd here: %v", err)
	}
	err := shmkit.Guard(func() { b[3] = 1 })
	if !errors.Is(err, shmkit.ErrReadOnly) && !errors.Is(err, shmkit.ErrNotReadable) {
		t.Errorf("a write to what may only be executed: %v", err)
	}
}

func TestGuardPages(t *testing.T) {
	f, _ := newFile(t, 4)
	for _, private := range []bool{true, false} {
		m := mapFile(t, f, fdmap.Options{Len: pagesAt(4), Private: private})
		if err := m.Advise(pagesAt(1), pagesAt(2), shmkit.AdviseGuardInstall); errors.Is(err, syscall.EINVAL) {
			t.Skipf("this kernel has no guard pages in files (Linux 6.15 has): %v", err)
		} else if err != nil {
			t.Fatal(err)
		}
		_, err := m.ReadAt(make([]byte, 1), pagesAt(1))
		wantPageFault(t, err, m, pagesAt(1), readOnly, shmkit.ErrGuardPage)
		_, err = m.WriteAt([]byte{1}, pagesAt(2)+5)
		wantPageFault(t, err, m, pagesAt(2)+5, shmkit.Write, shmkit.ErrGuardPage)
		wantByte(t, m, 0, 1)
		wantByte(t, m, pagesAt(3), 4)
		// A read-only area may have them too.
		if err := m.Protect(0, pagesAt(4), readOnly); err != nil {
			t.Fatal(err)
		}
		_, err = m.ReadAt(make([]byte, 1), pagesAt(1))
		wantPageFault(t, err, m, pagesAt(1), readOnly, shmkit.ErrGuardPage)
		if err := m.Advise(pagesAt(1), pagesAt(2), shmkit.AdviseGuardRemove); err != nil {
			t.Fatal(err)
		}
		wantByte(t, m, pagesAt(1), 2)
	}
}

// A view keeps the memory of a closed mapping, and what goes wrong with that is not that
// it is closed.
func TestFaultsInAViewOfAClosedMappingHaveTheirOwnCause(t *testing.T) {
	f, o := newFile(t, 2)
	m := mapFile(t, f, fdmap.Options{Len: pagesAt(2)})
	v, err := shmkit.ViewSlice[byte](m, 0, 2*pageSize)
	if err != nil {
		t.Fatal(err)
	}
	data := v.Data()
	closeOK(t, f)
	closeOK(t, m)
	if err := o.Truncate(pagesAt(1)); err != nil { // which the view keeps open
		t.Fatal(err)
	}
	wantPageFault(t, shmkit.Guard(func() { data[pageSize]++ }), m, pagesAt(1), 0, shmkit.ErrTruncated)
	if err := o.Truncate(pagesAt(2)); err != nil {
		t.Fatal(err)
	}
	if err := shmkit.Guard(func() { data[pageSize]++ }); err != nil {
		t.Error(err)
	}
	closeOK(t, v)
	err = shmkit.Guard(func() { data[pageSize]++ })
	wantPageFault(t, err, m, pagesAt(1), 0, shmkit.ErrClosed)
	if !errors.Is(err, fs.ErrClosed) {
		t.Errorf("%v is not fs.ErrClosed", err)
	}
	if _, err := o.Stat(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("the descriptor is still open: %v", err)
	}
}

// A file system that is full supplies no page for a hole, not even to read.
func TestAFullFileSystemFaultsAsNoSpace(t *testing.T) {
	testenv.RequireRoot(t)
	p := testenv.StartWith(t, &testenv.StartOptions{Cloneflags: syscall.CLONE_NEWNS}, "full file system", t.TempDir())
	p.Expect("done")
}

func fullFileSystemRole(args []string) error {
	dir := args[0]
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", 4*pageSize)); err != nil {
		return err
	}
	o, err := os.Create(dir + "/hole")
	if err != nil {
		return err
	}
	if err := o.Truncate(pagesAt(8)); err != nil {
		return err
	}
	f := fdmap.New(o, "file:hole")
	m, err := f.Map(fdmap.Options{Len: pagesAt(8), Protection: readWrite})
	if err != nil {
		return err
	}
	r, err := f.Map(fdmap.Options{Len: pagesAt(8), Protection: readOnly})
	if err != nil {
		return err
	}
	if _, err := m.WriteAt(filled(4*pageSize, 1), 0); err != nil {
		return err
	}
	check := func(err error, access shmkit.Protection, off int64) error {
		var fault *shmkit.FaultError
		if !errors.As(err, &fault) || !errors.Is(err, shmkit.ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) ||
			fault.Access != access || fault.Off != off || !strings.Contains(err.Error(), "full") {
			return fmt.Errorf("access %v at %d: %w", access, off, err)
		}
		return nil
	}
	_, err = m.WriteAt([]byte{1}, pagesAt(5)+1)
	if err := check(err, shmkit.Write, pagesAt(5)+1); err != nil {
		return err
	}
	_, err = r.ReadAt(make([]byte, 1), pagesAt(6))
	if err := check(err, shmkit.Read, pagesAt(6)); err != nil {
		return err
	}
	if err := check(m.Prefault(0, pagesAt(8), shmkit.Write), shmkit.Write, pagesAt(4)); err != nil {
		return err
	}
	if err := check(r.Prefault(pagesAt(1)+5, pagesAt(5), shmkit.Read), shmkit.Read, pagesAt(4)); err != nil {
		return err
	}
	// With room again it works.
	if err := m.Advise(0, pagesAt(2), shmkit.AdviseRemove); err != nil {
		return err
	}
	if _, err := m.WriteAt([]byte{1}, pagesAt(5)+1); err != nil {
		return err
	}
	if err := errors.Join(m.Close(), r.Close(), f.Close(), syscall.Unmount(dir, 0)); err != nil {
		return err
	}
	return testenv.Say("done")
}

func TestCauseNobodyTellsIsThatTheKernelHasNoPage(t *testing.T) {
	f, _ := newFile(t, 2)
	for _, m := range []*shmkit.Mapping{newMapping(t, pagesAt(2)), mapFile(t, f, fdmap.Options{Len: pagesAt(2)})} {
		b := m.Bytes()
		if err := sys.Munmap(m.Addr()+uintptr(pageSize), pageSize); err != nil {
			t.Fatal(err)
		}
		// A memfd has no limit, which is not the same as no room.
		wantPageFault(t, shmkit.Guard(func() { b[pageSize+1]++ }), m, pagesAt(1)+1, 0, shmkit.ErrNoMemory)
	}
}

func TestEveryCauseSaysWhatItIs(t *testing.T) {
	for cause, is := range map[error]error{
		shmkit.ErrClosed:      fs.ErrClosed,
		shmkit.ErrNoSpace:     syscall.ENOSPC,
		shmkit.ErrIO:          syscall.EIO,
		shmkit.ErrUnsupported: errors.ErrUnsupported,
	} {
		if !errors.Is(cause, is) {
			t.Errorf("%v is not %v", cause, is)
		}
	}
	texts := map[string]error{}
	for _, cause := range []error{shmkit.ErrClosed, shmkit.ErrReadOnly, shmkit.ErrNotReadable, shmkit.ErrGuardPage, shmkit.ErrUnmapped,
		shmkit.ErrTruncated, shmkit.ErrNoSpace, shmkit.ErrIO, shmkit.ErrNoMemory} {
		text := (&shmkit.FaultError{Mapping: "file:x", Off: 3, Access: shmkit.Write, Err: cause}).Error()
		if other, ok := texts[text]; ok || !strings.HasPrefix(text, "write fault at offset 3 of file:x: ") {
			t.Errorf("%v reads %q, as does %v", cause, text, other)
		}
		texts[text] = cause
	}
}
