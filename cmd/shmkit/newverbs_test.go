package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A program that memfd run becomes is the process that was started.
func TestMemfdRunBecomesItsProgram(t *testing.T) {
	b := start(t, nil, "memfd", "run", "--size", "4K", "--", "sh", "-c",
		`trap 'echo asked; exit 5' TERM; echo $$; while :; do sleep 0.05; done`)
	testenv.Eventually(t, "the program runs", func() bool { return strings.Contains(b.out.String(), "\n") })
	pid := b.cmd.Process.Pid
	if got := strings.TrimSpace(b.out.String()); got != fmt.Sprint(pid) {
		t.Errorf("the program is process %s, started was %d", got, pid)
	}
	held := false
	for _, f := range kindFacts(t, "ls", "memfd") {
		if strings.HasPrefix(f.s("address"), fmt.Sprintf("memfd:%d/", pid)) && f.n(t, "size") == 4096 {
			held = true
			if r := runKinds(t, "get", f.s("address")); r.code != exitDone || len(r.out) != 4096 {
				t.Errorf("%d bytes: %s", len(r.out), r.err)
			}
		}
	}
	if !held {
		t.Error("ls does not show that it holds memory")
	}
	b.signal(syscall.SIGTERM)
	if code := b.wait(); code != 5 || !strings.HasSuffix(b.out.String(), "asked\n") || b.errs.Len() > 0 {
		t.Errorf("exit code %d, %q, %q", code, b.out.String(), b.errs.String())
	}
}

func TestFlushWritesWhatWasStored(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	addr := "file:" + file
	if r := runKinds(t, "create", addr, "--size", "1M"); r.code != exitDone {
		t.Fatal(r.err)
	}
	if r := runApp(t, &app{kinds: allKinds(), in: bytes.NewReader(pattern(1 << 20))}, "put", addr); r.code != exitDone {
		t.Fatal(r.err)
	}
	stat := func() facts { return kindFacts(t, "stat", addr)[0] }
	before := stat()
	if s := before.s("file_system"); before["dirty"] == nil || s == "tmpfs" || s == "overlay" {
		t.Skipf("on %s the kernel does not tell what is dirty", s)
	}
	if r := runKinds(t, "flush", addr, "--length", "512K"); r.code != exitDone || r.err != "" {
		t.Fatal(r.err)
	}
	if n := stat().n(t, "dirty"); n > 512<<10 {
		t.Errorf("after half of it was flushed %d bytes are dirty", n)
	}
	if r := runKinds(t, "flush", addr); r.code != exitDone {
		t.Fatal(r.err)
	}
	if n := stat().n(t, "dirty"); n != 0 {
		t.Errorf("after all of it was flushed %d bytes are dirty", n)
	}
}

func TestScansAgreeWithTheSimpleWay(t *testing.T) {
	if testing.Short() {
		rapidChecks(t, "20")
	}
	s := sites(t)
	rapid.Check(t, func(rt *rapid.T) {
		// Two letters, so that there is much to find, and holes between.
		n := rapid.IntRange(1, 6*chunk).Draw(rt, "size")
		data := make([]byte, n)
		for range rapid.IntRange(0, 20).Draw(rt, "pieces") {
			at := rapid.IntRange(0, n-1).Draw(rt, "at")
			copy(data[at:], rapid.SliceOfN(rapid.SampledFrom([]byte("ab\x00")), 1, 64).Draw(rt, "piece"))
		}
		if err := writeSparse(s[1].path, data); err != nil {
			rt.Fatal(err)
		}
		off := rapid.IntRange(0, n).Draw(rt, "offset")
		length := rapid.IntRange(0, n-off).Draw(rt, "length")
		part := data[off : off+length]
		args := []string{"scan", s[1].path, "--offset", fmt.Sprint(off), "--length", fmt.Sprint(length)}
		if rapid.Bool().Draw(rt, "small") {
			args = append(args, "--resident", "64K")
		}
		r := runKinds(t, args...)
		if want := fmt.Sprintf("%x  %s\n", sha256.Sum256(part), s[1].path); r.out != want {
			rt.Fatalf("%v: %+v, want %s", args, r, want)
		}
		find := string(rapid.SliceOfN(rapid.SampledFrom([]byte("ab\x00")), 1, 4).Draw(rt, "find"))
		if strings.Trim(find, "\x00") == "" {
			return // everywhere
		}
		var want strings.Builder
		for i := 0; i+len(find) <= len(part); i++ {
			if string(part[i:i+len(find)]) == find {
				fmt.Fprintln(&want, off+i)
			}
		}
		if r := runKinds(t, append(args, "--hex", fmt.Sprintf("%x", find))...); r.out != want.String() || r.err != "" || (r.code == 0) != (want.Len() > 0) {
			rt.Fatalf("%v: %q: %+v, want %s", args, find, r, want.String())
		}
	})
}

// rapidChecks makes rapid try less often.
func rapidChecks(t *testing.T, n string) { t.Setenv("RAPID_CHECKS", n) }

// writeSparse writes a file with holes where there are pages of zeros.
func writeSparse(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(int64(len(data))); err != nil {
		return err
	}
	const page = 4096
	for at := 0; at < len(data); at += page {
		piece := data[at:min(at+page, len(data))]
		if len(bytes.Trim(piece, "\x00")) > 0 {
			if _, err := f.WriteAt(piece, int64(at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// What is longer than a piece of an object that is memory as a whole is found there too.
func TestScansOfMappingsFindWhatLiesInTwoPieces(t *testing.T) {
	addr, _, _ := newAddresses(t)
	mustRun(t, "create", addr, "--size", "1M")
	if r := runApp(t, &app{in: strings.NewReader("needle")}, "put", addr, "--offset", fmt.Sprint(chunk-3)); r.code != exitDone {
		t.Fatal(r.err)
	}
	if out := mustRun(t, "scan", addr, "--find", "needle"); out != fmt.Sprintf("%d\n", chunk-3) {
		t.Errorf("%q", out)
	}
	data := make([]byte, 1<<20)
	copy(data[chunk-3:], "needle")
	if out, want := mustRun(t, "scan", addr), fmt.Sprintf("%x  %s\n", sha256.Sum256(data), addr); out != want {
		t.Errorf("%q, want %q", out, want)
	}
	mustRun(t, "rm", addr)
}

func TestScanShowsProgressOnATerminalOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if r := runKinds(t, "create", "file:"+file, "--size", "512M", "--sparse"); r.code != exitDone {
		t.Fatal(r.err)
	}
	if r := runApp(t, &app{kinds: allKinds(), isTerminal: func(any) bool { return true }}, "scan", file, "--sum", "md5"); r.code != exitDone || !strings.Contains(r.err, "\rscanning") {
		t.Errorf("%+v", r)
	}
}

func TestNewVerbsSayWhenTheOutputIsClosed(t *testing.T) {
	s := sites(t)
	s[0].made(t, "64K")
	s[1].made(t, "64K")
	for _, line := range []string{
		"ls posix", "ls file --json", "ls memfd", "limits posix", "stat " + s[0].addr, "stat " + s[1].addr + " --json", "stat " + s[2].addr,
		"get " + s[0].addr, "dump " + s[2].addr, "put " + s[1].addr, "create " + s[0].addr + " --size 1", "scan " + s[1].path,
		"scan " + s[0].addr + " --hex 00", "scan " + s[0].addr + " --json", "flush " + s[1].addr, "lock " + s[0].addr, "lock " + s[0].addr + " --json",
	} {
		r := runProcess(t, strings.NewReader("x"), closedPipe(t), strings.Fields(line)...)
		if want := "shmkit " + strings.Fields(line)[0] + ": standard output was closed\n"; r.code != exitFailed || r.err != want {
			t.Errorf("%s: code %d, %q; want %q", line, r.code, r.err, want)
		}
	}
	// What was made and could not be told is removed again.
	name := testenv.Name(t)
	file := filepath.Join(t.TempDir(), "x")
	for addr, path := range map[string]string{"posix:" + name: "/dev/shm/" + name, "file:" + file: file} {
		if r := runProcess(t, nil, closedPipe(t), "create", addr, "--size", "4K"); r.code != exitFailed {
			t.Errorf("%+v", r)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
}

func TestSomebodyElsesFilesAndObjects(t *testing.T) {
	testenv.RequireRoot(t)
	s := sites(t)
	s[0].made(t, "64K")
	s[1].made(t, "64K")
	for _, at := range s {
		for _, verb := range []string{"get", "put", "dump", "lock", "scan", "read", "write", "set --size 1", "set --mode 777", "set --owner 65534"} {
			words := strings.Fields(verb)
			args := append([]string{words[0], at.addr}, words[1:]...)
			r := asNobody(t, args...)
			if r.code != exitFailed || strings.Count(r.err, "\n") != 1 || !strings.Contains(r.err, "ermi") {
				t.Errorf("%v: %+v", args, r)
			}
		}
	}
	for _, at := range s[:2] {
		if r := asNobody(t, "rm", at.addr); r.code != exitFailed || strings.Count(r.err, "\n") != 1 {
			t.Errorf("rm: %+v", r)
		}
		if f := kindFacts(t, "stat", at.addr)[0]; f.n(t, "size") != 64<<10 || f.s("mode") != "0600" || f.n(t, "owner_uid") != 0 {
			t.Errorf("it was changed: %v", f)
		}
	}
	refused(t, asNobody(t, "create", "file:/etc/nosuch", "--size", "1"), exitFailed, "create /etc/nosuch: permission denied: folder /etc belongs to uid 0")
	// They are seen nevertheless.
	if r := asNobody(t, "ls", "posix"); r.code != exitDone || !strings.Contains(r.out, s[0].addr+" ") {
		t.Errorf("%+v", r)
	}
	if r := asNobody(t, "stat", s[0].addr, "--json"); r.code != exitDone || decode(t, r.out)[0]["resident"] != nil {
		t.Errorf("%+v", r)
	}
	if r := asNobody(t, "ls", "--mine"); r.code != exitDone || strings.Contains(r.out, s[0].addr+" ") {
		t.Errorf("what is not mine is mine: %+v", r)
	}
}

func TestAddressesOfFilesAreCompleted(t *testing.T) {
	s := sites(t)
	s[0].made(t, "4K")
	s[1].made(t, "4K")
	name := strings.TrimPrefix(s[0].addr, "posix:/")
	for _, c := range []struct{ line, want, not string }{
		{"stat posix:/" + name[:10], s[0].addr + "\n", "file:"},
		{"stat posix:" + name[:10], "posix:" + name + "\n", "posix:/"},
		{"get file:" + filepath.Dir(s[1].path) + "/", s[1].addr + "\n", ""},
		{"get file:" + filepath.Dir(filepath.Dir(s[1].path)), "/\n", ""},
		{"stat memfd:", s[2].addr + "\n", "posix:"},
		{"rm ", "posix:\t", "memfd:"},
		{"rm --all ", "posix\t", "file"},
		{"unlock ", "sysv:\t", "posix:"},
		{"lock ", "file:\t", "sem:"},
		{"flush ", "file:\t", "posix:"},
		{"read ", "memfd:\t", "msg:"},
		{"ls ", "file\t", "file:"},
		{"scan ./x", ":2\n", ""},
	} {
		out := runKinds(t, append([]string{"__complete"}, strings.Split(c.line, " ")...)...).out
		if !strings.Contains(out, c.want) || c.not != "" && strings.Contains(out, c.not) {
			t.Errorf("%q completes to\n%swant %q, not %q", c.line, out, c.want, c.not)
		}
	}
}

// Behind -- stands a program, also where nothing of it is typed yet.
func TestCommandsAreCompletedBehindADash(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"dashprog": 0o700, "dashtext": 0o600} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+"/nosuch")
	for _, c := range []struct{ line, want, not string }{
		{"lock posix:/x -- ", "dashprog\n:0\n", "sysv:"},
		{"lock posix:/x file:/y -- da", "dashprog\n:0\n", "dashtext"},
		{"lock posix:/x --json -- ", "dashprog\n:0\n", "sysv:"},
		{"lock posix:/x -- dashprog ", ":0\n", "dashprog"}, // 0: as the shell completes files
		{"lock posix:/x -- dashprog -", ":0\n", "--for"},
		{"lock posix:/x -- ./da", ":0\n", "dashprog"},
		{"lock posix:/x -- nosuch", ":0\n", "sysv:"},
		{"lock posix:/x ", "sysv:\t", "dashprog"},
		{"lock ", "sysv:\t", "dashprog"},
		{"lock posix:/x --f", "--for", "dashprog"},
		{"run --lock x -- ", "dashprog\n:0\n", ""},
		{"run --lock x -- dashprog ", ":0\n", "dashprog"},
		{"run --lock x ", ":4\n", "dashprog"}, // 4: nothing
		{"memfd run --size 4K -- ", "dashprog\n:0\n", ""},
		{"memfd run --size 4K ", "dashprog\n:0\n", ""},
		{"memfd run --size 4K dashprog ", ":0\n", "dashprog"},
	} {
		out := runKinds(t, append([]string{"__complete"}, strings.Split(c.line, " ")...)...).out
		if !strings.Contains(out, c.want) || c.not != "" && strings.Contains(out, c.not) {
			t.Errorf("%q completes to\n%swant %q, not %q", c.line, out, c.want, c.not)
		}
	}
}

// smallMemory is memory of which there is less than somebody may want. Like the kernel it
// refuses only what is asked for in large pieces.
type smallMemory struct{ has, reserved, written int64 }

func (m *smallMemory) Reserve(off, n int64) error {
	if off+n > m.has && n > 64<<20 {
		return syscall.ENOMEM
	}
	m.reserved = max(m.reserved, off+n)
	return nil
}

func (m *smallMemory) WriteAt(p []byte, off int64) (int, error) {
	if off != m.written || off+int64(len(p)) > m.reserved {
		return 0, fmt.Errorf("write of %d bytes at %d, %d are written and %d reserved", len(p), off, m.written, m.reserved)
	}
	m.written += int64(len(p))
	return len(p), nil
}

// Content without an end, as of /dev/zero, does not take all memory of the machine.
func TestMemfdRunFromWhatHasNoEnd(t *testing.T) {
	m := &smallMemory{has: 1 << 30}
	w := &growing{f: m}
	p := make([]byte, chunk)
	var err error
	for err == nil && m.written < 2*m.has {
		_, err = w.Write(p)
	}
	if !errors.Is(err, syscall.ENOMEM) || m.reserved > m.has || m.written != w.at {
		t.Errorf("%d bytes are written, %d reserved: %v", m.written, m.reserved, err)
	}
}

// What was reserved ahead is given back.
func TestMemfdRunFromTakesWhatTheContentTakes(t *testing.T) {
	for _, n := range []int{1, chunk, chunk + 1, 5*chunk + 17} {
		file := filepath.Join(t.TempDir(), "content")
		if err := os.WriteFile(file, pattern(n), 0o600); err != nil {
			t.Fatal(err)
		}
		b := start(t, nil, "memfd", "run", "--from", file, "--", "cat", "{}")
		if code := b.wait(); code != exitDone || b.out.String() != string(pattern(n)) {
			t.Errorf("exit code %d, %d bytes of %d: %s", code, len(b.out.String()), n, b.errs.String())
		}
	}
}
