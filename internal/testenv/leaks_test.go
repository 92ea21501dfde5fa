package testenv

import (
	"os"
	"strings"
	"testing"
)

func TestCleanRunHasNoLeaks(t *testing.T) {
	if output, err := play(t, "clean"); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestLeaksFailTheRun(t *testing.T) {
	t.Parallel() // the run first waits in case something is still ending
	output := mustFail(t, "leak",
		"--- PASS: TestScenario",
		"the tests left behind:",
		"System V shm id ",
		"key 0x00000000 made by pid ",
		"System V sem id ",
		"System V msg id ",
		": /dev/null",
		"mapping: ",
		"/dev/zero",
		"testenv.hang",
		", state S",
		", state Z",
		shmDir+"/shmkit-test-",
	)
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if path, ok := strings.CutPrefix(line, "made "); ok {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		}
		for _, id := range mustSysVIDs(t) {
			if line == id.String() {
				t.Errorf("reported, but not removed: %s", line)
			}
		}
	}
}

func TestSharedMapping(t *testing.T) {
	for line, want := range map[string]bool{
		"7f00-7f01 rw-s 00000000 00:01 5                          /SYSV00005eed (deleted)":  true,
		"7f00-7f01 r--p 00000000 00:19 5                          /dev/shm/frames":          true,
		"7f00-7f01 rw-s 00000000 00:01 1029                       /dev/zero (deleted)":      true,
		"7f00-7f01 rw-p 00000000 00:01 7                          /memfd:scratch (deleted)": true,
		"7f00-7f01 r--s 00001000 fe:00 12                         /var/lib/a file":          true,
		"7f00-7f01 rw-p 00000000 00:00 0 ":                                                  false,
		"7f00-7f01 r-xp 00000000 fe:00 99                         /usr/bin/x (deleted)":     false,
		"7ffc-7ffd rw-p 00000000 00:00 0                          [stack]":                  false,
		"": false,
	} {
		text, got := sharedMapping(line)
		if got != want {
			t.Errorf("%q counts: %t, want %t", line, got, want)
		}
		if want && !strings.HasPrefix(text, "7f00-7f01 r") {
			t.Errorf("%q reported as %q", line, text)
		}
	}
}

func TestParseStat(t *testing.T) {
	got, err := parseStat("42 (a) b) (c) S 7 42 42 0 -1\n")
	if want := (stat{42, "a) b) (c", 'S', 7}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "42", "42 (x)", "42 (x) S", ")(", "x (y) S 7", "42 (y) S z", "42 (y) SS 7"} {
		if got, err := parseStat(bad); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
}

func TestChildrenAndDescriptorsAreSeen(t *testing.T) {
	p := Start(t, "echo")
	kids, err := children()
	if err != nil {
		t.Fatal(err)
	}
	if kids[p.Pid()] == "" {
		t.Errorf("no child %d among %v", p.Pid(), kids)
	}
	fds, err := openDescriptors()
	if err != nil {
		t.Fatal(err)
	}
	if target := fds[int(p.stdin.Fd())]; !strings.HasPrefix(target, "pipe:") {
		t.Errorf("standard input of the child: %q", target)
	}
}

func TestPollGivesUp(t *testing.T) {
	calls := 0
	if poll(0, func() bool { calls++; return false }) || calls == 0 {
		t.Errorf("true after %d calls", calls)
	}
	if !poll(0, func() bool { return true }) {
		t.Error("a condition that holds at once is not waited for")
	}
}
