package pshared_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/sysv"
)

// A family is a struct with one of each primitive.
type family struct {
	Mutex   pshared.MutexWord
	RW      pshared.RWMutexWord
	Sem     pshared.SemaphoreWord
	Count   pshared.CountingWord
	Cond    pshared.CondWord
	Manual  pshared.EventWord
	Auto    pshared.AutoEventWord
	Barrier pshared.BarrierWord
	Once    pshared.OnceWord
}

// A ground is a kind of memory that primitives can live in. On each of them they do the same.
type ground struct {
	name string
	// make makes the memory, or a place for it. It returns where another process finds it, in
	// words that reach it as arguments, and what it inherits.
	make func(t testing.TB) (where []string, files []*os.File)
	// open makes a handle of a primitive there, in this process or another.
	open func(p *primitive, where []string, files []*os.File) (*hands, error)
}

// grounds are all there are.
var grounds = []ground{
	{"name of its own", makeDir, openNamed},
	{"struct in shared memory", makeDir, openStruct},
	{"struct on a disk", makeDiskDir, openStruct},
	{"memfd", makeMemfd, openMemfd},
	{"system v", makeSegment, openSegment},
}

func makeDir(t testing.TB) ([]string, []*os.File) { return []string{shmtest.Dir(t)}, nil }

func openNamed(p *primitive, where []string, _ []*os.File) (*hands, error) {
	h := &hands{}
	return h, p.named(h, &pshared.Options{Dir: where[0]})
}

func makeDiskDir(t testing.TB) ([]string, []*os.File) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	s, err := pshared.Open[family]("try", &pshared.Options{Dir: dir})
	if errors.Is(err, pshared.ErrForeign) || errors.Is(err, syscall.EOPNOTSUPP) {
		t.Skipf("%s is not on a file system for objects: %v", dir, err)
	}
	must(t, err)
	must(t, s.Close())
	return []string{dir}, nil
}

func openStruct(p *primitive, where []string, _ []*os.File) (*hands, error) {
	return inStruct(p)(pshared.Open[family]("family", &pshared.Options{Dir: where[0]}))
}

// inStruct makes a handle of a primitive in what an open returned.
func inStruct(p *primitive) func(s *pshared.Shared[family], err error) (*hands, error) {
	return func(s *pshared.Shared[family], err error) (*hands, error) {
		if err != nil {
			return nil, err
		}
		h := &hands{closers: []closer{s}}
		return h, p.in(h, s)
	}
}

func makeMemfd(t testing.TB) ([]string, []*os.File) {
	s, err := pshared.CreateMemfd[family]("family", nil)
	must(t, err)
	f, err := s.Descriptor()
	must(t, errors.Join(err, s.Close()))
	t.Cleanup(func() { _ = f.Close() })
	return nil, []*os.File{f}
}

func openMemfd(p *primitive, _ []string, files []*os.File) (*hands, error) {
	return inStruct(p)(pshared.OpenMemfd[family](files[0], nil))
}

func makeSegment(t testing.TB) ([]string, []*os.File) {
	size, err := pshared.SizeIn[family](nil)
	must(t, err)
	seg, err := sysv.Create(sysv.Private, size, 0o600)
	must(t, err)
	t.Cleanup(func() {
		if err := seg.Remove(); err != nil {
			t.Error(err)
		}
	})
	companion, err := os.OpenFile(filepath.Join(t.TempDir(), "companion"), os.O_RDWR|os.O_CREATE, 0o600)
	must(t, err)
	t.Cleanup(func() { _ = companion.Close() })
	return []string{strconv.Itoa(seg.ID())}, []*os.File{companion}
}

func openSegment(p *primitive, where []string, files []*os.File) (*hands, error) {
	id, err := strconv.Atoi(where[0])
	if err != nil {
		return nil, err
	}
	seg, err := sysv.OpenID(id)
	if err != nil {
		return nil, err
	}
	m, err := seg.Attach(nil)
	if err != nil {
		return nil, err
	}
	h, err := inStruct(p)(pshared.OpenMapping[family](m, files[0], nil))
	return h, errors.Join(err, m.Close()) // the mapping is left to the struct
}

// startOn starts a role that inherits files; its first argument is where they begin, and its
// second how many they are.
func startOn(t testing.TB, role string, files []*os.File, args ...string) *shmtest.Proc {
	t.Helper()
	o := &shmtest.StartOptions{Prepare: func(cmd *exec.Cmd) error {
		cmd.ExtraFiles = append(cmd.ExtraFiles, files...)
		return nil
	}}
	return shmtest.StartWith(t, o, role, append([]string{"3", strconv.Itoa(len(files))}, args...)...)
}

// inherited is what a role that was started so inherits, and the rest of its arguments.
func inherited(args []string) (files []*os.File, rest []string, err error) {
	first, n, err := twoNumbers(args)
	for fd := first; fd < first+n; fd++ {
		files = append(files, os.NewFile(uintptr(fd), fmt.Sprint("inherited ", fd)))
	}
	return files, args[2:], err
}
