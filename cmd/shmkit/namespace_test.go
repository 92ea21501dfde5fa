package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
)

// Tests that need a machine's objects and limits for themselves.

func TestReachedLimitsAreExplained(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	mustRun(t, "create", "sysv:1", "--size", "4096")
	mustRun(t, "create", "sem:1", "--count", "4")
	mustRun(t, "create", "msg:1")
	before := steadyList(t)
	page := os.Getpagesize()
	for _, c := range []struct{ path, value, line, why string }{
		{"kernel/shmmni", "1", "create sysv:2 --size 1", "1 segments exist and kernel.shmmni = 1"},
		{"kernel/shmmax", "8192", "create sysv:2 --size 8193", "kernel.shmmax = 8192"},
		{"kernel/shmall", "1", "create sysv:2 --size 1", "1 of kernel.shmall = 1 pages"},
		{"kernel/sem", "10 4 5 10", "create sem:2 --count 1", "semaphores exist and the limit is 4"},
		{"kernel/sem", "4 100 5 10", "create sem:2 --count 5", "limit of 4 in a set"},
		{"kernel/sem", "10 100 5 1", "create sem:2 --count 1", "1 sets exist and the limit is 1"},
		{"kernel/sem", "10 100 1 10", "sem op sem:1 0:+1 1:+1", "2 operations in one step, the limit is 1"},
		{"kernel/msgmni", "1", "create msg:2", "1 queues exist and kernel.msgmni = 1"},
		{"kernel/msgmax", "3", "msg send msg:1 four", "the limit is kernel.msgmax = 3"},
	} {
		t.Run(c.path, func(t *testing.T) {
			if page != 4096 {
				t.Skip("the figures are for pages of 4096 bytes")
			}
			testenv.SetSysctl(t, c.path, c.value)
			refused(t, run(t, strings.Fields(c.line)...), exitFailed, c.why)
		})
	}
	if diff := cmp.Diff(before, steadyList(t)); diff != "" {
		t.Errorf("before (-), after (+):\n%s", diff)
	}
	// Standard input is bounded by the limit, too.
	t.Run("long input", func(t *testing.T) {
		testenv.SetSysctl(t, "kernel/msgmax", "3")
		refused(t, runApp(t, &app{in: strings.NewReader("four")}, "msg", "send", "msg:1"), exitFailed, "longer than the 3 bytes")
	})
	mustRun(t, "rm", "sysv:1", "sem:1", "msg:1")
}

func TestRemoveAll(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	make := func() {
		t.Helper()
		mustRun(t, "create", "sysv:1", "--size", "1")
		mustRun(t, "create", "sysv:private", "--size", "1")
		mustRun(t, "create", "sem:1", "--count", "1")
		mustRun(t, "create", "msg:1")
	}
	left := func() string {
		t.Helper()
		kinds := ""
		for _, line := range strings.Split(mustRun(t, "ls", "--json"), "\n") {
			if rest, ok := strings.CutPrefix(line, `    "kind": `); ok {
				kinds += rest
			}
		}
		return kinds
	}
	make()
	refused(t, run(t, "rm", "--all"), exitUsage, "--yes")
	if got := left(); got != `"sysv","sysv","sem","msg",` {
		t.Fatal(got)
	}
	mustRun(t, "rm", "--all", "sysv", "--yes")
	if got := left(); got != `"sem","msg",` {
		t.Fatal(got)
	}
	make()
	out := mustRun(t, "rm", "--all", "-y", "-v", "--mine")
	if strings.Count(out, "removed ") != 4 || left() != "" {
		t.Fatalf("%s\nleft: %s", out, left())
	}
	mustRun(t, "rm", "--all", "--yes")

	// On a terminal it asks, and takes anything but yes as no.
	make()
	terminal := func(any) bool { return true }
	for answer, gone := range map[string]bool{"": false, "\n": false, "n\n": false, "yess\n": false, "Y\n": true, "yes": true} {
		if left() == "" {
			make()
		}
		r := runApp(t, &app{in: strings.NewReader(answer), isTerminal: terminal}, "rm", "--all")
		want := "remove 2 of shared memory segments, 1 of semaphore sets and 1 of message queues? [y/N] "
		if r.code != exitDone || r.err != want || (left() == "") != gone {
			t.Errorf("%q: %+v; left: %s", answer, r, left())
		}
	}
	mustRun(t, "rm", "--all", "--yes")
}

func TestRemoveAllRemovesStreams(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	for _, key := range []int32{1, 2} {
		r := testenv.Start(t, "shmkit", "read", at("sysv", key))
		awaitMembers(t, key, 0, 1)
		r.Kill()
	}
	mustRun(t, "create", "sem:3", "--count", "1")
	if out := mustRun(t, "rm", "--all", "--yes", "--verbose"); strings.Count(out, "removed sysv:id=") != 2 || strings.Count(out, "removed sem:id=") != 3 {
		t.Errorf("\n%s", out)
	}
	if out := mustRun(t, "ls", "--json"); out != "[]\n" {
		t.Errorf("left: %s", out)
	}
}

func TestRemoveAllOfMineLeavesWhatOthersMade(t *testing.T) {
	testenv.RequireRoot(t)
	if !testenv.InPrivateIPC(t) {
		return
	}
	mustRun(t, "create", "msg:1")
	if r := asNobody(t, "create", "msg:2"); r.code != exitDone {
		t.Fatal(r.err)
	}
	mustRun(t, "rm", "--all", "--mine", "--yes")
	refused(t, run(t, "stat", "msg:1"), exitFailed, "does not exist")
	mustRun(t, "rm", "msg:2")
}

func TestRemovedSegmentsAreMarked(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	mustRun(t, "create", "sysv:1", "--size", "4096")
	id := strings.Fields(mustRun(t, "create", "sysv:1", "--size", "1"))[2]
	p := testenv.Start(t, "attached", id)
	p.Expect("attached")
	mustRun(t, "rm", "sysv:1")
	refused(t, run(t, "stat", "sysv:1"), exitFailed, "does not exist")
	out := mustRun(t, "ls", "sysv")
	if !strings.Contains(out, "sysv:id="+id+" ") || !strings.Contains(out, "  removed\n") {
		t.Errorf("\n%s", out)
	}
	// Again is no error, and what it holds can still be read.
	mustRun(t, "rm", "sysv:id="+id)
	mustRun(t, "get", "sysv:id="+id, "--length", "1")
	p.CloseStdin()
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	refused(t, run(t, "stat", "sysv:id="+id), exitFailed, "does not exist")
}

func TestHugePages(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	// None are reserved, or none are allowed: an error either way, unless there
	// are some.
	r := run(t, "create", "sysv:1", "--size", "2M", "--huge")
	if r.code == exitDone {
		mustRun(t, "rm", "sysv:1")
	} else {
		refused(t, r, exitFailed, "huge page")
	}
	refused(t, run(t, "create", "sysv:1", "--size", "2M", "--huge", "--huge-page-size", "3"), exitFailed, "power of two")
	mustRun(t, "create", "sysv:1", "--size", "2M", "--no-reserve")
	mustRun(t, "rm", "sysv:1")
}
