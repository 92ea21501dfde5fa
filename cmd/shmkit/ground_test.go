package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// site is an address that a stream can be at.
type site struct {
	addr  string
	path  string // of the file
	kept  bool   // it has no name that could be removed: what is left is all zero
	topic string // the name, if it is a topic, whose files are in the directory path
}

// Places of docs/abi/stream-file.md.
const (
	lockBase   = 1 << 62
	writerLock = lockBase + 1024
	readerLock = lockBase + 2048
)

// sites are one of each kind, which nothing uses.
func sites(t testing.TB) []site {
	t.Helper()
	name := testenv.Name(t)
	file := filepath.Join(t.TempDir(), "stream")
	f, err := memfd.Create("stream", 1<<20, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return []site{
		{addr: "posix:/" + name, path: "/dev/shm/" + name},
		{addr: "file:" + file, path: file},
		{addr: f.Address(), path: f.Path(), kept: true},
	}
}

// aTopic is one that nobody uses, in a directory of its own.
func aTopic(t testing.TB) site {
	t.Helper()
	dir := shmtest.Dir(t)
	switch t := t.(type) {
	case *testing.T:
		t.Setenv("SHMKIT_DIR", dir)
	case *testing.B:
		t.Setenv("SHMKIT_DIR", dir)
	}
	return site{addr: "topic:a/b c", path: dir, topic: "a/b c"}
}

// onTopicsToo is onEach, and runs the test on a topic as well.
func onTopicsToo(t *testing.T, f func(t *testing.T, s site)) {
	onEach(t, f)
	t.Run("topic", func(t *testing.T) { f(t, aTopic(t)) })
}

// onEach runs a test on one site of each kind.
func onEach(t *testing.T, f func(t *testing.T, s site)) {
	for i, kindName := range []string{"posix", "file", "memfd"} {
		t.Run(kindName, func(t *testing.T) { f(t, sites(t)[i]) })
	}
}

// members counts the locks that living writers and readers hold.
func (s site) members() (writers, readers int, err error) {
	if s.topic != "" {
		v, err := topic.Look(s.topic, s.path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		// A sender that waits for its turn, or for receivers, is no publisher yet.
		for _, m := range v.Members {
			if m.Alive {
				writers++
			}
		}
		return writers - v.Subscribers, v.Subscribers, err
	}
	f, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	for i := range int64(8) {
		for at, n := range map[int64]*int{writerLock: &writers, readerLock: &readers} {
			_, _, held, err := sys.OFDProbe(int(f.Fd()), sys.F_RDLCK, at+i, 1)
			if err != nil {
				return 0, 0, err
			}
			if held {
				*n++
			}
		}
	}
	return writers, readers, nil
}

// await waits until the stream has as many living writers and readers.
func (s site) await(t testing.TB, writers, readers int) {
	t.Helper()
	testenv.Eventually(t, "the stream has its members", func() bool {
		w, r, err := s.members()
		return err == nil && w == writers && r == readers
	})
}

// isEmpty fails the test if something is left.
func (s site) isEmpty(t testing.TB) {
	t.Helper()
	if s.topic != "" {
		if left := folder(t, s.path); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		return
	}
	if !s.kept {
		if _, err := os.Lstat(s.path); err == nil {
			t.Errorf("%s is left", s.path)
		}
		return
	}
	b, err := os.ReadFile(s.path)
	if err != nil || len(bytes.Trim(b, "\x00")) > 0 {
		t.Errorf("%s is not all zero again: %v", s.addr, err)
	}
}

// sweep lets one more command clean up what killed ones left.
func (s site) sweep(t testing.TB) {
	t.Helper()
	if _, err := os.Lstat(s.path); err != nil && !os.IsNotExist(err) && s.topic == "" {
		t.Fatal(err)
	}
	if r := runProcess(t, bytes.NewReader(nil), nil, "write", s.addr, "--readers", "0"); r.code != 0 {
		t.Errorf("the next command: %+v", r)
	}
	s.isEmpty(t)
}

// folder lists what a directory holds.
func folder(t testing.TB, dir string) []fs.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}
