package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestLinesGoFromWriterToReaderInAnyOrderOfStart(t *testing.T) {
	const want = "one\n\nthree\nlast\n"
	for _, writerFirst := range []bool{true, false} {
		key := testenv.KeyLeakChecked(t)
		addr := at("sysv", key)
		var w, r *background
		if writerFirst {
			w = start(t, strings.NewReader("one\n\nthree\nlast"), "write", addr)
			awaitMembers(t, key, 1, 0)
			r = start(t, nil, "read", addr)
		} else {
			r = start(t, nil, "read", addr)
			awaitMembers(t, key, 0, 1)
			w = start(t, strings.NewReader("one\n\nthree\nlast"), "write", addr)
		}
		w.succeeds()
		r.succeeds()
		if r.out.String() != want {
			t.Errorf("writer first %v: %q", writerFirst, r.out.String())
		}
	}
}

func TestReadEndsAfterSomeLinesAndWriteSaysWhatNobodyRead(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	addr := at("sysv", key)
	r := start(t, nil, "read", addr, "--lines", "2")
	awaitMembers(t, key, 0, 1)
	r2 := runProcess(t, strings.NewReader("a\nb\nc\n"), nil, "write", addr)
	r.succeeds()
	if r.out.String() != "a\nb\n" || r2.code != 0 {
		t.Errorf("%q, %+v", r.out.String(), r2)
	}
	alone := runProcess(t, strings.NewReader("a\nb\n"), nil, "write", addr, "--readers", "0")
	if alone.code != 0 || !strings.Contains(alone.err, "2 of 2 lines may not have been read") {
		t.Errorf("%+v", alone)
	}
}

func TestFollowGoesOnUntilInterrupted(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	addr := at("sysv", key)
	r := start(t, nil, "read", addr, "--follow")
	for i := range 3 {
		start(t, strings.NewReader("x\n"), "write", addr).succeeds()
		testenv.Eventually(t, "the line is printed", func() bool { return r.out.String() == strings.Repeat("x\n", i+1) })
	}
	r.signal(syscall.SIGINT)
	if code := r.wait(); code != -1 || r.errs.String() != "" {
		t.Errorf("exit code %d: %s", code, r.errs.String())
	}
}

func TestEverySignalLeavesNothing(t *testing.T) {
	for _, args := range [][]string{{"write"}, {"read"}, {"recv"}, {"send", "/proc/self/exe"}} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			key := testenv.KeyLeakChecked(t)
			b := start(t, nil, append(append([]string(nil), args...), at("sysv", key))...)
			if verb := args[0]; verb == "write" || verb == "send" {
				awaitMembers(t, key, 1, 0)
			} else {
				awaitMembers(t, key, 0, 1)
			}
			b.signal(sig)
			b.wait()
			if ws := b.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != sig {
				t.Errorf("%v: ended by %v", args, b.cmd.ProcessState)
			}
		}
	}
}

func TestClosedOutputIsOneLineAndLeavesNothing(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	addr := at("sysv", key)
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := pr.Close(); err != nil {
		t.Fatal(err)
	}
	w := start(t, strings.NewReader("a\nb\n"), "write", addr)
	awaitMembers(t, key, 1, 0)
	refused(t, runProcess(t, nil, pw, "read", addr), exitFailed, "standard output was closed")
	w.succeeds()
	if err := pw.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFullOutputFailsTheReceiver(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	addr := at("sysv", key)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full: %v", err)
	}
	defer full.Close()
	s := start(t, nil, "send", "/proc/self/exe", addr)
	awaitMembers(t, key, 1, 0)
	refused(t, runProcess(t, nil, full, "recv", addr), exitFailed, "no space left on device")
	if code := s.wait(); code != exitFailed || !strings.Contains(s.errs.String(), "no receiver") {
		t.Errorf("sender: %d, %s", code, s.errs.String())
	}
}

func TestSendAndReceive(t *testing.T) {
	dir := t.TempDir()
	big := strings.Repeat("0123456789abcdef", 200_000)
	for name, content := range map[string]string{"empty": "", "one": "x", "big": big} {
		key := testenv.KeyLeakChecked(t)
		addr := at("sysv", key)
		source := filepath.Join(dir, name)
		if err := os.WriteFile(source, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		into := t.TempDir()
		existing := filepath.Join(into, "existing")
		if err := os.WriteFile(existing, []byte("old"), 0o604); err != nil {
			t.Fatal(err)
		}
		receivers := []*background{
			start(t, nil, "recv", addr, into), // a directory: the sender's name
			start(t, nil, "recv", addr, filepath.Join(into, "named")),
			start(t, nil, "recv", addr, existing),
			start(t, nil, "recv", addr),
		}
		awaitMembers(t, key, 0, len(receivers))
		s := start(t, nil, "send", source, addr)
		s.succeeds()
		if !strings.Contains(s.errs.String(), "to 4 receivers, all verified") {
			t.Errorf("%s", s.errs.String())
		}
		for _, r := range receivers {
			r.succeeds()
		}
		for _, file := range []string{filepath.Join(into, name), filepath.Join(into, "named"), existing} {
			if got, err := os.ReadFile(file); err != nil || string(got) != content {
				t.Errorf("%s: %d bytes, %v", file, len(got), err)
			}
		}
		if got := receivers[3].out.String(); got != content {
			t.Errorf("standard output: %d bytes", len(got))
		}
		if st, err := os.Stat(existing); err != nil || st.Mode().Perm() != 0o604 {
			t.Errorf("the mode of the file that was replaced: %v, %v", st, err)
		}
	}
}

func TestSendFromAPipe(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	addr := at("sysv", key)
	r := start(t, nil, "recv", addr)
	s := start(t, strings.NewReader("through a pipe"), "send", "-", addr)
	s.succeeds()
	r.succeeds()
	if r.out.String() != "through a pipe" {
		t.Errorf("%q", r.out.String())
	}
}

func TestStreamsRefuse(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	addr, dir := at("sysv", key), t.TempDir()
	private := mustRun(t, "create", "sysv:private", "--size", "1M")
	id := strings.Fields(private)[0]
	defer mustRun(t, "rm", id)
	for _, c := range []struct {
		args string
		code int
		why  string
	}{
		{"recv " + addr + " /proc/file", exitFailed, "create /proc/file: "},
		{"demo --file /nonexistent", exitFailed, "no such file"},
		{"demo --file /", exitFailed, "not a regular file"},
		{"write", exitUsage, "ADDRESS is missing"},
		{"write " + addr + " x", exitUsage, "one too many"},
		{"write sem:1", exitUsage, "write works on sysv:"},
		{"write " + id, exitUsage, "has no key"},
		{"write sysv:private", exitUsage, "private"},
		{"write sysv:id=2147483647", exitFailed, "does not exist"},
		{"write " + addr + " --readers -1", exitUsage, "0 to 1000"},
		{"write " + addr + " --size 0", exitUsage, "outside"},
		{"write " + addr + " --size -1", exitUsage, "--size"},
		{"write " + addr + " --size 9223372036854775808", exitUsage, "above 9223372036854775807"},
		{"write " + addr + " --mode 9", exitUsage, "--mode"},
		{"read " + addr + " --lines 0", exitUsage, "at least 1"},
		{"send", exitUsage, "FILE is missing"},
		{"send x", exitUsage, "ADDRESS is missing"},
		{"send /nonexistent " + addr, exitFailed, "no such file"},
		{"send / " + addr, exitFailed, "is a directory"},
		{"send /proc/self/exe " + addr + " --receivers 0", exitUsage, "1 to 1000"},
		{"recv", exitUsage, "ADDRESS is missing"},
		{"recv " + addr + " " + dir + "/nonexistent/../file", exitFailed, "no such file"},
		{"recv " + addr + " " + dir + "/new/", exitFailed, "no such file"},
		{"recv " + addr + " /nonexistent/file", exitFailed, "no such file"},
		{"recv " + addr + " /proc/self/exe/file", exitFailed, ""},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			refused(t, run(t, args...), c.code, c.why)
			if exists(key) {
				t.Error("something was half-made")
			}
		})
	}
	if os.Geteuid() != 0 { // root may read everything
		secret := filepath.Join(dir, "secret")
		if err := os.WriteFile(secret, nil, 0); err != nil {
			t.Fatal(err)
		}
		refused(t, run(t, "send", secret, addr), exitFailed, "permission denied")
	}
}

func TestAStreamLeavesSomebodyElsesSegmentAlone(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	addr := at("sysv", key)
	mustRun(t, "create", addr, "--size", "1M")
	runApp(t, &app{in: strings.NewReader("precious")}, "put", addr)
	refused(t, run(t, "read", addr), exitFailed, "not a stream", "shmkit rm "+addr)
	refused(t, runApp(t, &app{in: strings.NewReader("x")}, "write", addr, "--readers", "0"), exitFailed, "not a stream")
	if got := mustRun(t, "get", addr, "--length", "8"); got != "precious" {
		t.Errorf("%q", got)
	}
	if _, err := sysv.OpenSemaphores(sysv.Key(key)); err == nil {
		t.Error("a semaphore set was left")
	}
	mustRun(t, "rm", addr)
}

func TestRmTakesTheSemaphoresOfAStreamToo(t *testing.T) {
	for _, c := range []struct{ args, said string }{
		{"SYSV", "removed SYSV; removed sem:id=ID with SYSV; "},
		{"SYSV SEM", "removed SYSV; removed SEM; "}, // in any order, and by any name
		{"SEM SYSV", "removed SEM; removed SYSV; "},
		{"SYSV sem:id=ID", "removed SYSV; removed sem:id=ID; "},
	} {
		key := testenv.KeyLeakChecked(t)
		r := start(t, nil, "read", at("sysv", key))
		awaitMembers(t, key, 0, 1)
		r.signal(syscall.SIGKILL) // the last one: it leaves both behind
		r.wait()
		set, err := sysv.OpenSemaphores(sysv.Key(key))
		if err != nil {
			t.Fatal(err)
		}
		fill := strings.NewReplacer("SYSV", at("sysv", key), "SEM", at("sem", key), "ID", strconv.Itoa(set.ID()))
		out := mustRun(t, append([]string{"rm", "--verbose"}, strings.Fields(fill.Replace(c.args))...)...)
		if got := strings.ReplaceAll(out, "\n", "; "); got != fill.Replace(c.said) {
			t.Errorf("rm %s: %s", c.args, got)
		}
		if exists(key) {
			t.Errorf("rm %s: something is left", c.args)
		}
	}
}

func TestAReaderWhoseStreamIsRemovedSaysSo(t *testing.T) {
	key := testenv.KeyLeakChecked(t)
	r := start(t, nil, "read", at("sysv", key))
	awaitMembers(t, key, 0, 1)
	mustRun(t, "rm", at("sysv", key))
	if code := r.wait(); code != exitFailed || !strings.Contains(r.errs.String(), "was removed while in use") || strings.Count(r.errs.String(), "\n") != 1 {
		t.Errorf("exit code %d: %q", code, r.errs.String())
	}
}

func TestDemo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("abc", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"demo", "--json", "--file", file}
	if !testing.Short() {
		args = args[:2] // the 64 MiB it makes itself
	}
	r := runProcess(t, nil, nil, args...)
	var got demoResult
	if err := json.Unmarshal([]byte(r.out), &got); err != nil || r.code != 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	want := int64(minDemoFile)
	if testing.Short() {
		want = 3 << 20
	}
	if got.Bytes != want || len(got.SHA256) != 64 || !got.Verified || got.Lines < 1 || got.Leftovers != 0 || got.Processes != 6 {
		t.Errorf("%+v", got)
	}
}

func TestDemoTellsItsStoryAndTakesTypedLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := runProcess(t, strings.NewReader("typed by hand"), nil, "demo", "--interactive", "--file", file)
	if r.code != 0 || strings.Count(r.out, "prints  typed by hand") != 2 || !strings.Contains(r.out, "nothing is left behind") {
		t.Errorf("%+v", r)
	}
}

// Demos that run at the same time look for their names before any of them has used one.
func TestDemosChooseDifferentNames(t *testing.T) {
	var one, other demo
	if a, b := one.topic(), other.topic(); a == b {
		t.Errorf("two demos have topic %v", a)
	}
}
