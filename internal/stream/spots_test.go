package stream

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// spot is a Site that tests can hand to another process, and look at.
type spot struct {
	Terrain string
	Key     sysv.Key `json:",omitempty"`
	Path    string   `json:",omitempty"`
	// Strict: zeros there are somebody else's.
	Strict bool
}

// terrain is a kind of ground.
type terrain string

const (
	onSysV  terrain = "sysv"
	onName  terrain = "name"  // in /dev/shm
	onDisk  terrain = "disk"  // what the folder for temporary files is on
	onMemfd terrain = "memfd" // of this process
)

// everywhere runs a test on every kind of ground. Names on a disk differ in nothing
// but the file system.
func everywhere(t *testing.T, test func(t *testing.T, on terrain)) {
	for _, on := range []terrain{onSysV, onName, onMemfd} {
		t.Run(string(on), func(t *testing.T) { test(t, on) })
	}
}

// onFiles runs a test on every kind of file.
func onFiles(t *testing.T, test func(t *testing.T, on terrain)) {
	for _, on := range []terrain{onName, onDisk, onMemfd} {
		t.Run(string(on), func(t *testing.T) { test(t, on) })
	}
}

// spot is one where nothing is, and nothing may be left at the end of the test.
func (on terrain) spot(t testing.TB) spot {
	t.Helper()
	s := spot{Terrain: string(on)}
	switch on {
	case onSysV:
		s.Key = sysv.Key(testenv.KeyLeakChecked(t))
		return s
	case onName:
		s.Path = filepath.Join("/dev/shm", testenv.Name(t))
	case onDisk:
		s.Path = filepath.Join(t.TempDir(), "stream")
	case onMemfd:
		fd, err := sys.MemfdCreate("shmkit-test", sys.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "memfd")
		t.Cleanup(func() { closeMember(t, f) })
		s.Path = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
	}
	t.Cleanup(func() { nothingUnder(t, s) })
	return s
}

func (s spot) site() Site {
	switch terrain(s.Terrain) {
	case onSysV:
		return SysV(s.Key)
	case onMemfd:
		return Descriptor(s.Path, "memfd:"+s.Path)
	}
	if s.Strict {
		return NamedNew(s.Path, "file:"+s.Path)
	}
	return Named(s.Path, "file:"+s.Path)
}

// sized gives a memfd that has no size yet the one that others are made with.
func (s spot) sized(t testing.TB, o Options) spot {
	t.Helper()
	if terrain(s.Terrain) != onMemfd || o.fill() != nil {
		return s
	}
	info, err := os.Stat(s.Path)
	if err == nil && info.Size() == 0 {
		err = os.Truncate(s.Path, ringOffset+o.Capacity)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// blank makes something of size zero bytes there, by hand.
func (s spot) blank(t testing.TB, size int64) {
	t.Helper()
	var err error
	switch terrain(s.Terrain) {
	case onSysV:
		_, err = sysv.Create(s.Key, size, 0o600)
	case onMemfd:
		err = os.Truncate(s.Path, size)
	default:
		err = several(os.WriteFile(s.Path, nil, 0o600), os.Truncate(s.Path, size))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// left says what is there; "" if nothing is.
func (s spot) left(t testing.TB) string {
	t.Helper()
	if terrain(s.Terrain) == onSysV {
		var ids []string
		for _, id := range idsUnder(t, s.Key) {
			ids = append(ids, id.String())
		}
		return strings.Join(ids, ", ")
	}
	f, err := os.Open(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zero, err := allZero(f)
	if err != nil {
		t.Fatal(err)
	}
	if zero && terrain(s.Terrain) == onMemfd {
		return ""
	}
	return fmt.Sprintf("%s, all zero: %t", s.Path, zero)
}

// clear removes what was left behind on purpose.
func (s spot) clear(t testing.TB) {
	t.Helper()
	switch terrain(s.Terrain) {
	case onSysV:
		for _, id := range idsUnder(t, s.Key) {
			if err := id.Remove(); err != nil {
				t.Error(err)
			}
		}
	case onMemfd:
		info, err := os.Stat(s.Path)
		if err == nil {
			err = several(os.Truncate(s.Path, 0), os.Truncate(s.Path, info.Size()))
		}
		if err != nil {
			t.Error(err)
		}
	default:
		if err := os.Remove(s.Path); err != nil {
			t.Error(err)
		}
	}
}

// idsUnder lists the segments and semaphore sets that have a key.
func idsUnder(t testing.TB, key sysv.Key) []testenv.SysVID {
	t.Helper()
	all, err := testenv.SysVIDs()
	if err != nil {
		t.Fatal(err)
	}
	var ids []testenv.SysVID
	for _, id := range all {
		if id.Key == int32(key) {
			ids = append(ids, id)
		}
	}
	return ids
}

// sysvOf is the ground of a member on System V.
func sysvOf(m *member) *sysvGround { return m.ground.(*sysvGround) }

// another maps the memory of a member once more, as a peer has it.
func another(t testing.TB, m *member) *shmkit.Mapping {
	t.Helper()
	var mem *shmkit.Mapping
	var err error
	switch g := m.ground.(type) {
	case *sysvGround:
		mem, err = g.seg.Attach(nil)
	case *fileGround:
		mem, err = mapFile(g.fd(), g.size, "peer:")
	}
	if err != nil {
		t.Fatal(err)
	}
	return mem
}

// lockBytes locks bytes of the file as somebody else, until release.
func lockBytes(t testing.TB, s spot, at, n int64) (release func()) {
	t.Helper()
	f, err := os.OpenFile(s.Path, os.O_RDWR, 0)
	if err == nil {
		err = sys.OFDLock(int(f.Fd()), sys.F_WRLCK, at, n, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { closeMember(t, f) }
}
