package explain

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// What an experiment leaves behind, the janitor removes; what others have it lets be.
func TestJanitorRemovesWhatItWasToldOf(t *testing.T) {
	dir := t.TempDir()
	file, folder, other := filepath.Join(dir, "file"), filepath.Join(dir, "folder"), filepath.Join(dir, "other")
	for _, path := range []string{file, other} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(folder, "in it"), 0o700); err != nil {
		t.Fatal(err)
	}
	mine, err := sysv.Create(sysv.Private, 4096, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := mine.Remove(); err != nil {
			t.Errorf("the janitor has removed what was not its: %v", err)
		}
	}()
	e := lazy()
	e.run = func(x *lab) {
		seg, err := sysv.Create(sysv.Private, 4096, 0o600)
		x.check(err)
		set, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
		x.check(err)
		queue, err := sysv.CreateQueue(sysv.Private, 0o600)
		x.check(err)
		x.start("A", "play", nil, dir)
		x.remember("shm", seg.ID())
		x.remember("sem", set.ID())
		x.remember("msg", queue.ID())
		x.remember("path", file)
		x.remember("path", folder)
	}
	if _, err := Run(t.Context(), e, nil); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "other" {
		t.Errorf("%v, %v", left, err)
	}
	ids, err := testenv.OurSysVIDs()
	if err != nil || len(ids) != 1 {
		t.Errorf("%v, %v", ids, err)
	}
}

// A process may be killed before it can tell what it has made.
func TestJanitorFindsSegmentsByWhoMadeThem(t *testing.T) {
	e := lazy()
	e.run = func(x *lab) {
		c := x.start("A", "play", nil, os.TempDir())
		answer, err := c.ask("do\t-1\t0\tA shmget id=s0 size=1p mode=600")
		x.check(err)
		if !strings.HasPrefix(answer, "ok\t") {
			t.Errorf("no segment: %q", answer)
		}
	}
	if _, err := Run(t.Context(), e, nil); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t)
}

func TestJanitorEndsProcesses(t *testing.T) {
	p := testenv.Start(t, "hang", "frame")
	if line, err := p.ReadLine(); err != nil {
		t.Fatal(line, err)
	}
	b := belongings{pids: map[int]*os.Process{}}
	if err := b.add("pid " + strconv.Itoa(p.Pid())); err != nil {
		t.Fatal(err)
	}
	if err := b.remove(); err != nil {
		t.Error(err)
	}
	if sig := p.ExitSignal(); sig != syscall.SIGKILL {
		t.Errorf("ended by %v", sig)
	}
}

// A process that dies before its time ends the experiment, with what it said.
func TestADeadProcessEndsTheExperiment(t *testing.T) {
	e := lazy()
	e.roles = map[string]role{}
	e.run = func(x *lab) {
		c := x.start("A", "unknown", nil)
		_, err := c.ask("anything")
		x.check(err)
	}
	_, err := Run(t.Context(), e, nil)
	if err == nil || !strings.Contains(err.Error(), `no role "lazy/unknown"`) || !strings.Contains(err.Error(), "process A ended before its time") {
		t.Error(err)
	}
	nothingLeft(t)
}

func TestCorpses(t *testing.T) {
	const rest = " 1 2 3 0 -1 4 5 6 7 8 9 10 11 12 20 0 "
	for stat, want := range map[string]bool{
		"7 (a) Z" + rest + "1 0 99":       true,
		"7 (a) Z" + rest + "3 0 99":       false, // its first thread has ended
		"7 (a) S" + rest + "1 0 99":       false,
		"7 (a) Z (b)) S" + rest + "1 0 9": false,
		"7 (":                             false,
		"":                                false,
	} {
		if got := isCorpse(stat); got != want {
			t.Errorf("%q: %v", stat, got)
		}
	}
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil || isCorpse(string(text)) {
		t.Errorf("%v, %s", err, text)
	}
}

// The janitor may be killed like every process. Who runs the experiment cleans up then.
func TestAKilledJanitorLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	e := lazy()
	e.run = func(x *lab) {
		c := x.start("A", "play", nil, os.TempDir())
		x.make("sem")
		x.make("msg")
		x.remember("path", path)
		x.check(os.WriteFile(path, nil, 0o600))
		answer, err := c.ask("do\t-1\t0\tA shmget id=s0 size=1p mode=600")
		x.check(err)
		if !strings.HasPrefix(answer, "ok\t") {
			t.Errorf("no segment: %q", answer)
		}
		x.janitor().kill()
		<-x.janitor().done
	}
	if _, err := Run(t.Context(), e, nil); err == nil {
		t.Error("nobody is told that the janitor was killed")
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
	ids, err := testenv.OurSysVIDs()
	if err != nil || len(ids) != 0 {
		t.Errorf("%v, %v", ids, err)
	}
}
