package pshared_test

import (
	"context"
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

// A ground is a kind of memory that a struct can live in. On each of them locks do the same.
type ground struct {
	name string
	// open opens the bank there. where says to another process where it is, in words that
	// reach it as arguments; files are what it inherits.
	open func(t testing.TB) (s *pshared.Shared[bank], where []string, files []*os.File)
}

// grounds are all there are.
func grounds() []ground {
	return []ground{
		{"named object", func(t testing.TB) (*pshared.Shared[bank], []string, []*os.File) {
			dir := shmtest.Dir(t)
			return mustShare(t)(pshared.Open[bank]("bank", &pshared.Options{Dir: dir})), []string{"named", dir}, nil
		}},
		{"file on a disk", func(t testing.TB) (*pshared.Shared[bank], []string, []*os.File) {
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			s, err := pshared.Open[bank]("bank", &pshared.Options{Dir: dir})
			if errors.Is(err, pshared.ErrForeign) || errors.Is(err, syscall.EOPNOTSUPP) {
				t.Skipf("%s is not on a file system for objects: %v", dir, err)
			}
			return mustShare(t)(s, err), []string{"named", dir}, nil
		}},
		{"memfd", func(t testing.TB) (*pshared.Shared[bank], []string, []*os.File) {
			s := mustShare(t)(pshared.CreateMemfd[bank]("bank", nil))
			f, err := s.Descriptor()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			return s, []string{"memfd"}, []*os.File{f}
		}},
		{"system v", func(t testing.TB) (*pshared.Shared[bank], []string, []*os.File) {
			size, err := pshared.SizeIn[bank](nil)
			if err != nil {
				t.Fatal(err)
			}
			seg, err := sysv.Create(sysv.Private, size, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := seg.Remove(); err != nil {
					t.Error(err)
				}
			})
			companion, err := os.OpenFile(filepath.Join(t.TempDir(), "companion"), os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = companion.Close() })
			s, err := inSegment(seg, companion)
			return mustShare(t)(s, err), []string{"system v", strconv.Itoa(seg.ID())}, []*os.File{companion}
		}},
	}
}

// mustShare returns what an open returned, closed when the test ends.
func mustShare(t testing.TB) func(s *pshared.Shared[bank], err error) *pshared.Shared[bank] {
	return func(s *pshared.Shared[bank], err error) *pshared.Shared[bank] {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
}

// inSegment opens the bank in a System V segment. The mapping is left to the struct.
func inSegment(seg *sysv.Segment, companion *os.File) (*pshared.Shared[bank], error) {
	m, err := seg.Attach(nil)
	if err != nil {
		return nil, err
	}
	s, err := pshared.OpenMapping[bank](m, companion, nil)
	return s, errors.Join(err, m.Close())
}

// openGround is open in another process: its inherited files begin at fd.
func openGround(where []string, fd int) (*pshared.Shared[bank], error) {
	switch where[0] {
	case "named":
		return pshared.Open[bank]("bank", &pshared.Options{Dir: where[1]})
	case "memfd":
		return pshared.OpenMemfd[bank](os.NewFile(uintptr(fd), "inherited"), nil)
	case "system v":
		id, err := strconv.Atoi(where[1])
		if err != nil {
			return nil, err
		}
		seg, err := sysv.OpenID(id)
		if err != nil {
			return nil, err
		}
		return inSegment(seg, os.NewFile(uintptr(fd), "companion"))
	}
	return nil, fmt.Errorf("no ground is called %q", where[0])
}

// startOn starts a role with the descriptors of a ground; its first argument is where they
// begin, and then come where and args.
func startOn(t testing.TB, role string, where []string, files []*os.File, args ...string) *shmtest.Proc {
	t.Helper()
	o := &shmtest.StartOptions{Prepare: func(cmd *exec.Cmd) error {
		cmd.ExtraFiles = append(cmd.ExtraFiles, files...)
		return nil
	}}
	return shmtest.StartWith(t, o, role, append(append([]string{"3"}, where...), args...)...)
}

// groundHolder is a role: it takes the lock of the bank on a ground, and keeps it.
func groundHolder(args []string) error {
	fd, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	s, err := openGround(args[1:], fd)
	if err != nil {
		return err
	}
	b := &teller{who: 9, s: s, mu: s.Mutex(&s.Data().Mu)}
	told, err := b.enter(context.Background())
	if err != nil {
		return err
	}
	if err := shmtest.Say("held %t", told); err != nil {
		return err
	}
	if _, err := shmtest.Hear(); err != nil {
		return err
	}
	return errors.Join(b.leave(), s.Close())
}

func TestTheSameOnEveryGround(t *testing.T) {
	for _, g := range grounds() {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			s, where, files := g.open(t)
			b := &teller{who: 1, s: s, mu: s.Mutex(&s.Data().Mu)}
			mustWork(t, b)
			p := startOn(t, "ground holder", where, files)
			p.Expect("held false")
			if held, err := b.mu.TryLock(); held || err != nil {
				t.Errorf("TryLock of what is held: %t, %v", held, err)
			}
			mine := b.entering(limited(t))
			asleep(t, b, nil)
			p.Send("leave")
			if entered(t, mine) {
				t.Error("told of a death that was none")
			}
			mustLeave(t, b)
			if err := p.Wait(); err != nil {
				t.Fatal(err)
			}
			// And killed.
			p = startOn(t, "ground holder", where, files)
			p.Expect("held false")
			mine = b.entering(limited(t))
			asleep(t, b, nil)
			p.Kill()
			if !entered(t, mine) {
				t.Error("not told of a death")
			}
			mustLeave(t, b)
			finish(t, b)
		})
	}
}
