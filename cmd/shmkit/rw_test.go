package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func TestReadersAndWritersUnderFire(t *testing.T) {
	r := runProcess(t, nil, nil, "rw", "--readers", "3", "--writers", "2", "--duration", "1s", "--kill", "--json")
	var out rwResult
	if err := json.Unmarshal([]byte(r.out), &out); err != nil || r.code != exitDone || r.err != "" {
		t.Fatalf("exit code %d, %v\n%s%s", r.code, err, r.out, r.err)
	}
	if out.Reads == 0 || out.Writes == 0 || out.Killed == 0 || out.Torn != 0 || len(out.Participants) != 5 {
		t.Errorf("%+v", out)
	}
	r = runProcess(t, nil, nil, "rw", "--readers", "1", "--writers", "0", "--duration", "50ms")
	if r.code != exitDone || !strings.Contains(r.out, "reader 0") || !strings.Contains(r.out, "and 0 writes in") {
		t.Errorf("exit code %d\n%s%s", r.code, r.out, r.err)
	}
}

// A participant that ends though nobody told it to ends the run, with the reason once.
func TestAParticipantIsKilledFromOutside(t *testing.T) {
	b := start(t, nil, "rw", "--readers", "1", "--writers", "0", "--duration", "1h")
	var children []string
	shmtest.Eventually(t, "it runs", func() bool {
		children = participantsOf(t, b.cmd.Process.Pid)
		return len(children) == 1
	})
	pid, err := strconv.Atoi(children[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := b.wait(); code != exitFailed || strings.Count(b.errs.String(), "reader 0 ended early") != 1 {
		t.Errorf("exit code %d\n%s", code, b.errs.String())
	}
}

func TestInterruptedReadersAndWritersAllEnd(t *testing.T) {
	b := start(t, nil, "rw", "--readers", "1", "--writers", "1", "--duration", "1h")
	var children []string
	shmtest.Eventually(t, "both run", func() bool {
		children = participantsOf(t, b.cmd.Process.Pid)
		return len(children) == 2
	})
	b.signal(syscall.SIGINT)
	b.endedBy(syscall.SIGINT)
	for _, pid := range children {
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("process %s is left", pid)
		}
	}
}

// On a terminal there is a table from the beginning, written over and over.
func TestReadersAndWritersAreShownLive(t *testing.T) {
	terminal := func(any) bool { return true }
	r := runApp(t, &app{isTerminal: terminal}, "rw", "--readers", "30", "--writers", "1", "--duration", "1s")
	if tables := strings.Count(r.out, "PARTICIPANT"); r.code != exitDone || tables < 2 {
		t.Fatalf("exit code %d, %d tables\n%s%s", r.code, tables, r.out, r.err)
	}
	// Where the size of the terminal is not known it is as small as they were.
	const back = "\x1b[23A\x1b[J"
	if n := strings.Count(r.out, back); n != strings.Count(r.out, "PARTICIPANT")-1 || strings.Count(r.out, "… 10 more\n") != n {
		t.Errorf("%d are written over\n%s", n, r.out)
	}
	dumb := func(name string) string { return map[string]string{"TERM": "dumb"}[name] }
	r = runApp(t, &app{isTerminal: terminal, getenv: dumb}, "rw", "--readers", "1", "--writers", "1", "--duration", "500ms")
	if tables := strings.Count(r.out, "PARTICIPANT"); tables != 1 || strings.Contains(r.out, "\x1b") {
		t.Errorf("%d tables on a dumb terminal\n%s", tables, r.out)
	}
}

func TestTheTopOfAText(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"a\nb\n", 3, "a\nb\n"},
		{"a\nb\n", 2, "a\nb\n"},
		{"a\nb\nc\n", 2, "a\n… 2 more\n"},
		{"a\nb\n", 0, "… 2 more\n"},
	} {
		if got := topOf(c.text, c.n); got != c.want {
			t.Errorf("%d lines of %q: %q", c.n, c.text, got)
		}
	}
}

// participantsOf lists the processes of readers and writers that rw has started.
func participantsOf(t *testing.T, pid int) (pids []string) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(lists) == 0 {
		t.Skip("the kernel does not list the children of a process")
	}
	for _, l := range lists {
		text, err := os.ReadFile(l)
		if err != nil {
			continue // the thread ended
		}
		for _, child := range strings.Fields(string(text)) {
			// Not the one by which package os tries out what the kernel can do.
			line, _ := os.ReadFile("/proc/" + child + "/cmdline") // it may have ended
			if bytes.Contains(line, []byte("\x00rw-participant\x00")) {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

func TestWrongReadersAndWriters(t *testing.T) {
	for _, args := range []string{"--readers -1", "--readers 0 --writers 0", "--readers 200 --writers 100", "--duration 0s", "--duration x", "x"} {
		refused(t, run(t, append([]string{"rw"}, strings.Fields(args)...)...), exitUsage)
	}
}

// A reader does see a record that somebody changes without the lock.
func TestTornRecordsAreSeen(t *testing.T) {
	s, err := pshared.CreateMemfd[rwRecord]("torn", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r, part := s.Data(), &s.Data().Parts[0]
	lock := s.RWMutex(&r.Lock)
	for want := range uint64(2) {
		if err := rwRead(t.Context(), r, lock, part, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got := part.Torn.Load(); got != want {
			t.Errorf("%d torn, want %d", got, want)
		}
		r.Words[rwWords-1].Add(1)
	}
	rw := &readersWriters{app: &app{}, record: r, all: []*rwProcess{{role: "reader"}}}
	if err := rw.verdict(); err == nil {
		t.Error("and nothing is said")
	}
}

func TestWaitsAreCountedByTheirSize(t *testing.T) {
	for _, ns := range []uint64{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 100, 1e3, 12345, 1e6, 1e9, 1e12, math.MaxInt64} {
		i := rwBucket(ns)
		end := uint64(rwBucketEnd(i))
		if i >= rwBuckets || end < ns || end > ns+ns/4 {
			t.Errorf("%d ns is in bucket %d, which ends at %d", ns, i, end)
		}
	}
	p := &rwPart{}
	for i := range 100 {
		p.waited(time.Duration(i+1) * time.Microsecond)
	}
	if p50, p99 := p.percentile(0.5), p.percentile(0.99); p50 < 50*time.Microsecond || p50 > 63*time.Microsecond || p99 < 99*time.Microsecond || p99 > 100*time.Microsecond {
		t.Errorf("half within %v, 99 of 100 within %v", p50, p99)
	}
}
