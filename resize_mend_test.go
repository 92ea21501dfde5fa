package shmkit_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// What Resize does when something goes wrong, or somebody else resizes as well.

// areas is /proc/self/maps for the pages of m, as text: permissions and offset.
func areas(t testing.TB, m *shmkit.Mapping, pages int) (all []string) {
	t.Helper()
	begin := m.Addr() &^ uintptr(pageSize-1)
	end := begin + uintptr(pages*pageSize)
	for e, err := range sys.ReadMaps(begin, end) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d-%d %s", int(max(e.Start, begin)-begin)/pageSize, int(min(e.End, end)-begin)/pageSize, e.Perms))
	}
	return all
}

// blockBehind makes sure that a mapping of so many pages cannot grow in place.
func blockBehind(t testing.TB, m *shmkit.Mapping, pages int) {
	t.Helper()
	at := (m.Addr() &^ uintptr(pageSize-1)) + uintptr(pages*pageSize)
	switch err := sys.ReserveAt(at, pageSize); err {
	case nil:
		t.Cleanup(func() {
			if err := sys.Munmap(at, pageSize); err != nil {
				t.Error(err)
			}
		})
	case syscall.EEXIST:
	default:
		t.Fatal(err)
	}
}

// Both find no room behind. The second must not move what the first has moved and
// made longer to where only its own length has room: it would overwrite others' memory.
func TestResizesAtOnceDoNotGoAstray(t *testing.T) {
	f, _ := newFile(t, 1)
	for range 100 {
		m := mapFile(t, f, fdmap.Options{Len: int64(pageSize)})
		blockBehind(t, m, 1)
		var wg sync.WaitGroup
		for i := range 40 {
			pages := 2 + i*17%40
			wg.Go(func() {
				if err := m.Resize(int64(pages * pageSize)); err != nil && !errors.Is(err, shmkit.ErrInUse) {
					t.Errorf("resize to %d pages: %v", pages, err)
				}
			})
		}
		wg.Wait()
		wantByte(t, m, 0, 1)
		if n, want := m.Len(), len(m.Bytes()); n != want {
			t.Errorf("it has %d bytes, and Bytes %d", n, want)
		}
		closeOK(t, m)
	}
}

func TestProtectDoesNotReachWhatResizeCutsOff(t *testing.T) {
	f, _ := newFile(t, 8)
	m := mapFile(t, f, fdmap.Options{Len: int64(8 * pageSize)})
	whole, cut := int64(8*pageSize), int64(pageSize)
	for range 2000 {
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := m.Resize(cut); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			err := m.Protect(4*cut, 2*cut, shmkit.Read|shmkit.Write)
			if err != nil && !errors.Is(err, shmkit.ErrOutOfRange) {
				t.Error(err)
			}
		})
		wg.Wait()
		if got := areas(t, m, 8); len(got) < 2 || got[1] != "1-8 ---p" {
			t.Fatalf("after the end was cut off: %q", got)
		}
		if err := m.Resize(whole); err != nil {
			t.Fatal(err)
		}
	}
}

func TestResizeRefusesWhatIsNoLength(t *testing.T) {
	f, _ := newFile(t, 1)
	m := mapFile(t, f, fdmap.Options{Len: 10})
	for _, n := range []int64{0, -1, math.MinInt64, math.MaxInt64} {
		if err := m.Resize(n); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("to %d bytes: %v", n, err)
		}
	}
	if err := m.Resize(1 << 61); !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("to more than there are addresses: %v", err)
	}
	if m.Len() != 10 {
		t.Errorf("it has %d bytes", m.Len())
	}
	wantByte(t, m, 9, 1)
	closeOK(t, m)
	wantAccessError(t, m.Resize(20), "resize", shmkit.ErrClosed)
}

func TestResizeNearTheLastOffsetOverflowsWithoutHarm(t *testing.T) {
	f, _ := newFile(t, 1)
	off := int64(math.MaxInt64) - int64(3*pageSize) + 1
	m, err := f.Map(fdmap.Options{Off: off, Len: 1, Protection: shmkit.Read, Reserve: int64(pageSize)})
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, m)
	if err := m.Resize(int64(4 * pageSize)); !errors.Is(err, syscall.EOVERFLOW) {
		t.Errorf("got %v", err)
	}
	var fault *shmkit.FaultError
	_, err = m.ReadAt(make([]byte, 1), 0)
	if !errors.As(err, &fault) || !errors.Is(err, shmkit.ErrTruncated) || m.Len() != 1 {
		t.Errorf("%v, %v", m, err)
	}
}

// private maps 9 pages of a file privately, writes to each, and cuts the mapping into
// areas.
func private() (m *shmkit.Mapping, err error) {
	fd, err := sys.MemfdCreate("moved", sys.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "memfd")
	if err := file.Truncate(int64(64 * pageSize)); err != nil {
		return nil, err
	}
	f := fdmap.New(file, "memfd:moved")
	m, err = f.Map(fdmap.Options{Len: int64(9 * pageSize), Private: true, Protection: shmkit.Read | shmkit.Write})
	if err != nil {
		return nil, err
	}
	for i := range 9 {
		if err := m.Store64(int64(i*pageSize), uint64(100+i)); err != nil {
			return nil, err
		}
	}
	for i := 1; i < 9; i += 2 {
		if err := m.Protect(int64(i*pageSize), int64(pageSize), shmkit.Read); err != nil {
			return nil, err
		}
	}
	err = sys.ReserveAt(m.Addr()+uintptr(9*pageSize), pageSize) // no room behind
	if err == syscall.EEXIST {
		err = nil
	}
	return m, errors.Join(err, f.Close())
}

func checkPrivate(m *shmkit.Mapping) error {
	for i := range 9 {
		if v, err := m.Load64(int64(i * pageSize)); v != uint64(100+i) || err != nil {
			return fmt.Errorf("page %d reads %d, %v", i, v, err)
		}
		if i%2 == 0 {
			continue
		}
		if _, err := m.WriteAt([]byte{1}, int64(i*pageSize+9)); !errors.Is(err, shmkit.ErrReadOnly) {
			return fmt.Errorf("page %d can be written: %v", i, err)
		}
	}
	return nil
}

// To move a mapping its areas must be known.
func TestAMoveWithoutDescriptorsLosesNothing(t *testing.T) {
	testenv.Start(t, "resize without descriptors").Expect("nothing lost")
}

func noDescriptorsRole([]string) error {
	m, err := private()
	if err != nil {
		return err
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: old.Max}); err != nil {
		return err
	}
	at := m.Addr()
	if err := m.Resize(int64(32 * pageSize)); !errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("resize: %v", err)
	}
	if m.Len() != 9*pageSize || m.Addr() != at {
		return fmt.Errorf("it is %v now", m)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		return err
	}
	if err := checkPrivate(m); err != nil {
		return err
	}
	if err := m.Resize(int64(32 * pageSize)); err != nil {
		return err
	}
	if err := errors.Join(checkPrivate(m), m.Close()); err != nil {
		return err
	}
	return testenv.Say("nothing lost")
}

// A sealed area (mseal(2)) cannot be moved or replaced, and so makes any step fail.
func TestAFailedStepOfResizeLosesNothing(t *testing.T) {
	for page := range 9 {
		p := testenv.Start(t, "resize with a sealed page", fmt.Sprint(page))
		if line, err := p.ReadLine(); line == "no mseal" {
			t.Skip("this kernel cannot seal areas (Linux 6.10 can)")
		} else if line != "nothing lost" || err != nil {
			t.Errorf("page %d sealed: %q, %v\n%s", page, line, err, p.Stderr())
		}
	}
}

func sealedRole(args []string) error {
	sealed, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	m, err := private()
	if err != nil {
		return err
	}
	at := m.Addr()
	switch err := sys.Mseal(at+uintptr(sealed*pageSize), pageSize); err {
	case nil:
	case syscall.ENOSYS:
		return testenv.Say("no mseal")
	default:
		return err
	}
	if err := m.Resize(int64(32 * pageSize)); !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("resize: %v", err)
	}
	if sealed > 0 { // the pages behind cannot be cut off either
		if err := m.Resize(int64(sealed * pageSize)); !errors.Is(err, syscall.EPERM) {
			return fmt.Errorf("shrink: %v", err)
		}
	}
	if m.Len() != 9*pageSize || m.Addr() != at {
		return fmt.Errorf("it is %v now", m)
	}
	if err := checkPrivate(m); err != nil {
		return err
	}
	for e := range sys.Maps(at, at+uintptr(9*pageSize)) {
		if e.Path == "" {
			return fmt.Errorf("the file is not mapped any more at %#x", e.Start)
		}
	}
	n := 0
	for e := range sys.Maps(0, math.MaxInt64) {
		if e.Inode != 0 && strings.Contains(e.Path, "memfd:moved") {
			n += int(e.End - e.Start)
		}
	}
	if n != 9*pageSize {
		return fmt.Errorf("%d bytes of the file are mapped", n)
	}
	return testenv.Say("nothing lost")
}
