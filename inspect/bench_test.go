package inspect_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
)

// How much there is on the machine that is measured.
const (
	crowdSize    = 2000 // processes
	benchSegment = 2000
	benchPOSIX   = 2000
	benchMemfd   = 500
	benchLock    = 500
)

// crowdRole starts programs that wait for a word that never comes, args[0] of them.
func crowdRole(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	quiet, _, err := os.Pipe()
	if err != nil {
		return err
	}
	for range n {
		cmd := exec.Command("cat")
		cmd.Stdin = quiet
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return err
		}
	}
	return errors.Join(testenv.Say("there"), stay())
}

// manyRole makes memfds and locks, and maps what can be mapped of a directory.
func manyRole(args []string) error {
	for range benchMemfd {
		fd, err := sys.MemfdCreate("bench", sys.MFD_CLOEXEC)
		if err != nil {
			return err
		}
		if err := syscall.Ftruncate(fd, int64(page)); err != nil {
			return err
		}
	}
	for n := range benchLock {
		if _, err := pshared.OpenMutex(fmt.Sprint("lock", n), &pshared.Options{Dir: args[1]}); err != nil {
			return err
		}
	}
	files, err := os.ReadDir(args[0])
	if err != nil {
		return err
	}
	for _, f := range files {
		if !f.Type().IsRegular() {
			continue
		}
		f, err := os.OpenFile(filepath.Join(args[0], f.Name()), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		if _, err := mapShared(int(f.Fd()), true); err != nil {
			return err
		}
		f.Close()
	}
	return errors.Join(testenv.Say("made"), stay())
}

// BenchmarkObjects is what a list costs where there are 5,000 objects and 2,000 processes: a snapshot, and all objects of
// it. On "processes" they are real, and of the objects 2,000 are mapped by one of them; on "fixture" a directory looks like
// /proc, and each process maps a hundred areas, some of them of memory that all share.
func BenchmarkObjects(b *testing.B) {
	b.Run("processes", func(b *testing.B) {
		testenv.RequireRoot(b)
		testenv.RequireTool(b, "cat")
		shm := filepath.Join("/dev/shm", testenv.Name(b))
		own := filepath.Join(shm, "shmkit-0")
		ok(b, os.MkdirAll(own, 0o700))
		b.Cleanup(func() {
			if err := os.RemoveAll(shm); err != nil {
				b.Error(err)
			}
		})
		for n := range benchPOSIX {
			fileOf(b, shm, fmt.Sprint("object", n))
		}
		for range benchSegment {
			newSegment(b)
		}
		saysWith(b, &testenv.StartOptions{Cloneflags: syscall.CLONE_NEWPID}, "crowd", fmt.Sprint(crowdSize))
		says(b, "many", shm, own)
		measure(b, &inspect.Options{Shm: shm}, crowdSize, benchSegment+benchPOSIX+benchMemfd+benchLock)
	})
	b.Run("fixture", func(b *testing.B) {
		root := b.TempDir()
		const memories = 4000
		for pid := 1; pid <= crowdSize; pid++ {
			benchProcess(b, root, pid, memories)
		}
		measure(b, &inspect.Options{Proc: root, Shm: b.TempDir(), Dir: b.TempDir(), Kinds: []string{"memfd", "map", "file", "posix"}}, crowdSize, memories)
	})
}

// benchProcess makes what looks like a process that maps a hundred areas.
func benchProcess(b *testing.B, root string, pid, memories int) {
	dir := filepath.Join(root, fmt.Sprint(pid))
	ok(b, os.MkdirAll(filepath.Join(dir, "fd"), 0o700))
	var maps strings.Builder
	for n := range 100 {
		at := 0x7f0000000000 + n<<16
		switch {
		case n < 60:
			fmt.Fprintf(&maps, "%x-%x rw-p 00000000 00:00 0 \n", at, at+1<<12)
		case n < 90:
			fmt.Fprintf(&maps, "%x-%x r-xp 00000000 fd:01 %d                    /usr/lib/x86_64-linux-gnu/lib%d.so.1\n", at, at+1<<12, n/3, n/3)
		default:
			memory := (pid*10 + n) % memories
			fmt.Fprintf(&maps, "%x-%x rw-s 00000000 00:01 %d                    /memfd:%d (deleted)\n", at, at+1<<12, 1000+memory, memory)
		}
	}
	for name, text := range map[string]string{
		"maps": maps.String(), "comm": fmt.Sprintf("bench%d\n", pid), "status": "Name:\tbench\nUid:\t0\t0\t0\t0\n",
		"stat": fmt.Sprintf("%d (bench) S%s\n", pid, strings.Repeat(" 1", 40)),
	} {
		ok(b, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for fd, target := range []string{"/dev/null", "pipe:[1]", "socket:[2]", "/var/log/bench"} {
		ok(b, os.Symlink(target, filepath.Join(dir, "fd", fmt.Sprint(fd))))
	}
}

// measure looks again and again, and checks that it sees what there is.
func measure(b *testing.B, o *inspect.Options, processes, objects int) {
	b.ReportAllocs()
	n, seen := 0, 0
	for b.Loop() {
		s := take(b, o)
		n, seen = 0, len(s.Processes())
		for _, err := range s.Objects() {
			ok(b, err)
			n++
		}
	}
	b.ReportMetric(float64(n), "objects")
	b.ReportMetric(float64(seen), "processes")
	if n < objects || seen < processes {
		b.Errorf("%d objects and %d processes are seen, expected %d and %d", n, seen, objects, processes)
	}
}
