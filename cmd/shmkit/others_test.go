package main

import (
	"io"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// asNobody runs the command as a user who owns nothing.
func asNobody(t testing.TB, args ...string) ran {
	t.Helper()
	p := testenv.StartWith(t, &testenv.StartOptions{Credential: testenv.Nobody(t), Dir: "/"}, "shmkit", args...)
	p.CloseStdin()
	var out strings.Builder
	for {
		line, err := p.ReadLine()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(line + "\n")
	}
	return ran{p.ExitCode(), out.String(), p.Stderr()}
}

func TestSomebodyElsesObjects(t *testing.T) {
	testenv.RequireRoot(t)
	addr, sem, msg := newAddresses(t)
	mustRun(t, "create", addr, "--size", "4096")
	mustRun(t, "create", sem, "--count", "2")
	mustRun(t, "create", msg)
	before := mustRun(t, "stat", addr, sem, msg, "--json")

	// They are seen, with all that is known without reading them.
	r := asNobody(t, "ls", "--json")
	found := 0
	for _, f := range decode(t, r.out) {
		for _, want := range []string{addr, sem, msg} {
			if f.s("address") == want && f.s("owner") == "root" && f.s("owner_uid") == "0" && f.s("mode") == "0600" {
				found++
			}
		}
	}
	if found != 3 {
		t.Errorf("%d of 3 found in %s", found, r.out)
	}
	if r := asNobody(t, "ls", "--mine"); r.code != 0 || strings.Contains(r.out, addr) {
		t.Errorf("what is not mine is mine: %+v", r)
	}
	r = asNobody(t, "stat", addr, sem, msg)
	if r.code != 0 || r.err != "" {
		t.Errorf("stat: %+v", r)
	}
	for _, want := range []string{
		addr + "\n", "  size             4 KiB (4096 bytes)\n", "  owner            root (0)\n",
		"  semaphores     2\n", "  values         unknown: reading the values needs read permission; it belongs to uid 0, mode 0600\n", msg + "\n",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("stat does not show %q:\n%s", want, r.out)
		}
	}

	// Nothing else is possible, and the error says who may.
	for _, line := range []string{
		"create " + addr + " --size 1", "create " + sem + " --count 1", "create " + msg,
		"set " + addr + " --mode 0666", "set " + sem + " --mode 0666", "set " + msg + " --mode 0666", "set " + sem + " --value 0=1",
		"set " + addr + " --owner 65534", "rm " + addr, "rm " + sem, "rm " + msg, "lock " + addr, "unlock " + addr,
		"dump " + addr, "get " + addr, "put " + addr, "sem op " + sem + " 0:+1", "sem values " + sem, "msg send " + msg + " x",
		"msg receive " + msg + " --nowait",
	} {
		t.Run(line, func(t *testing.T) {
			refused(t, asNobody(t, strings.Fields(line)...), exitFailed, "uid 0", "mode 0600", "65534")
		})
	}
	if after := mustRun(t, "stat", addr, sem, msg, "--json"); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	mustRun(t, "rm", addr, sem, msg)
}

func TestWhatMayBeReadButNotWritten(t *testing.T) {
	testenv.RequireRoot(t)
	addr, sem, msg := newAddresses(t)
	mustRun(t, "create", addr, "--size", "5", "--mode", "0644")
	mustRun(t, "create", sem, "--count", "1", "--mode", "0644")
	mustRun(t, "create", msg, "--mode", "0622")
	for line, want := range map[string]string{
		"get " + addr:                              "\x00\x00\x00\x00\x00\n",
		"sem values " + sem:                        "INDEX  VALUE\n    0      0\n",
		"sem op " + sem + " 0:0":                   "",
		"create " + addr + " --size 1 --mode 0444": "existed",
		"msg send " + msg + " x":                   "",
	} {
		if r := asNobody(t, strings.Fields(line)...); r.code != 0 || !strings.Contains(r.out, want) {
			t.Errorf("%s: %+v", line, r)
		}
	}
	for _, line := range []string{"put " + addr, "sem op " + sem + " 0:+1", "msg receive " + msg + " --nowait"} {
		refused(t, asNobody(t, strings.Fields(line)...), exitFailed, "permission denied")
	}
	mustRun(t, "rm", addr, sem, msg)
}

func TestObjectsGivenAway(t *testing.T) {
	testenv.RequireRoot(t)
	addr, sem, msg := newAddresses(t)
	mustRun(t, "create", addr, "--size", "1")
	mustRun(t, "create", sem, "--count", "1")
	mustRun(t, "create", msg)
	for _, a := range []string{addr, sem, msg} {
		mustRun(t, "set", a, "--owner", "65534", "--group", "65534", "--mode", "0640")
	}
	found := 0
	for _, f := range decode(t, asNobody(t, "ls", "--mine", "--json").out) {
		if address := f.s("address"); address != addr && address != sem && address != msg {
			continue // somebody else tests at the same time
		}
		if f.s("owner_uid") == "65534" && f.s("group_gid") == "65534" && f.s("creator_uid") == "0" && f.s("mode") == "0640" {
			found++
		}
	}
	if found != 3 {
		t.Errorf("%d of 3 found", found)
	}
	if r := asNobody(t, "rm", addr, sem, msg); r.code != 0 || r.err != "" {
		t.Errorf("%+v", r)
	}
}
