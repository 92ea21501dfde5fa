package proc

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

func self(t *testing.T) Process {
	t.Helper()
	p, err := Open("", os.Getpid(), NewBuffer())
	ok(t, err)
	t.Cleanup(p.Close)
	return p
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fieldsOf reads a file of /proc as plainly as can be: the words of the line that begins with one.
func fieldsOf(t *testing.T, path, first string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	ok(t, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 0 && (f[0] == first || first == "") {
			return f
		}
	}
	t.Fatalf("%s has no line %q", path, first)
	return nil
}

func TestTheKernelIsReadAsItIs(t *testing.T) {
	p := self(t)
	stat, status := must(p.Stat())(t), must(p.Status())(t)
	plain := fieldsOf(t, "/proc/self/stat", "")
	back := len(plain) - 52 // the command may have blanks
	if fmt.Sprint(stat.Start) != plain[back+21] || stat.MinorFaults == 0 || string(stat.State) != plain[back+2] && stat.State != 'S' {
		t.Errorf("%+v, %v", stat, plain)
	}
	if want := fieldsOf(t, "/proc/self/status", "Uid:")[2]; fmt.Sprint(status.UID) != want || status.UID != uint32(os.Geteuid()) {
		t.Errorf("user %d, expected %s", status.UID, want)
	}
	if want := fieldsOf(t, "/proc/self/status", "VmLck:")[1]; fmt.Sprint(status.Locked>>10) != want || !status.HasMemory || status.Kernel || !slices.Contains(status.PIDs, os.Getpid()) {
		t.Errorf("%+v, expected %s kB locked", status, want)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	ok(t, err)
	if got := must(p.Comm())(t); got+"\n" != string(comm) {
		t.Errorf("%q, expected %q", got, comm)
	}
	if args := must(p.Cmdline())(t); !slices.Equal(args, os.Args) {
		t.Errorf("%q, expected %q", args, os.Args)
	}
	if uint32(os.Geteuid()) != p.Owner() {
		t.Errorf("it belongs to %d", p.Owner())
	}
	if threads := must(p.Threads())(t); !slices.Contains(threads, os.Getpid()) {
		t.Errorf("threads %v", threads)
	}
}

func TestMappingsAreReadAsTheyAre(t *testing.T) {
	p := self(t)
	var got, want []string // of files: those are mapped once and for all, and memory comes and goes
	ok(t, p.Maps(func(m *Map) bool {
		if path := string(m.Path); strings.HasPrefix(path, "/") {
			got = append(got, fmt.Sprintf("%08x-%08x %s %08x %02x:%02x %d %s", m.Start, m.End, m.Perms[:], m.Offset, m.Major, m.Minor, m.Inode, path))
		}
		return true
	}))
	text, err := os.ReadFile("/proc/self/maps")
	ok(t, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 5 && f[5][0] == '/' {
			want = append(want, strings.Join(f, " "))
		}
	}
	if len(got) == 0 || !slices.Equal(got, want) {
		t.Errorf("maps\n%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	n, rss := 0, uint64(0)
	ok(t, p.Smaps(func(s *Smaps) bool {
		n++
		rss += s.Rss
		if s.PageSize != uint64(os.Getpagesize()) || s.Pss > s.Rss || s.HasFlag("rd") != (s.Perms[0] == 'r') {
			t.Errorf("%+v %s", s, s.Flags)
		}
		return true
	}))
	sum := must(p.Rollup())(t)
	if n == 0 || rss == 0 || sum.Rss < rss/2 || sum.Rss > 2*rss {
		t.Errorf("%d mappings, %d bytes of them resident; the sum is %d", n, rss, sum.Rss)
	}
}

func TestTheMachineIsReadAsItIs(t *testing.T) {
	if want := fieldsOf(t, "/proc/meminfo", "MemTotal:")[1]; fmt.Sprint(must(Meminfo(""))(t)["MemTotal"]>>10) != want {
		t.Errorf("expected %s kB", want)
	}
	mounts := must(Mounts(""))(t)
	text, err := os.ReadFile("/proc/self/mountinfo")
	ok(t, err)
	if len(mounts) == 0 || len(mounts) != strings.Count(string(text), "\n") {
		t.Errorf("%d mounts in\n%s", len(mounts), text)
	}
	if !slices.ContainsFunc(mounts, func(m Mount) bool { return m.Point == "/proc" && m.Type == "proc" }) {
		t.Errorf("/proc is not mounted: %+v", mounts)
	}
	pids := must(PIDs(""))(t)
	if !slices.IsSorted(pids) || !slices.Contains(pids, os.Getpid()) || !slices.Contains(pids, 1) {
		t.Errorf("processes %v", pids)
	}
}

// must returns what a call returned, and fails the test that is given if that was an error.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func TestDescriptorsAreThoseOfTheProcess(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "a\nb")
	ok(t, err)
	defer f.Close()
	p := self(t)
	found := ""
	ok(t, p.Descriptors(func(fd int, target []byte) bool {
		if fd == int(f.Fd()) {
			found = string(target)
		}
		return true
	}))
	if found != f.Name() {
		t.Errorf("%q, expected %q", found, f.Name())
	}
	n := 0
	ok(t, p.Descriptors(func(int, []byte) bool { n++; return false }))
	if n != 1 {
		t.Errorf("it was stopped after 1, and told %d", n)
	}
	st, err := p.Descriptor(int(f.Fd()))
	ok(t, err)
	i, err := p.FdInfo(int(f.Fd()))
	if err != nil || i.Inode != 0 && i.Inode != st.Ino || i.Flags&3 != 2 {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := p.Descriptor(1 << 20); !Gone(err) {
		t.Errorf("of no descriptor: %v", err)
	}
	if _, err := Open("", 1<<30, NewBuffer()); !Gone(err) {
		t.Errorf("of no process: %v", err)
	}
	ns, err := p.IPCNamespace()
	ok(t, err)
	if link, err := os.Readlink("/proc/self/ns/ipc"); err != nil || link != fmt.Sprintf("ipc:[%d]", ns) {
		t.Errorf("%d, %s", ns, link)
	}
}

// The number of a process may come to mean another one. What is held is the one there was.
func TestWhatIsHeldIsOneProcess(t *testing.T) {
	root := t.TempDir()
	dir := root + "/7"
	ok(t, os.Mkdir(dir, 0o700))
	ok(t, os.WriteFile(dir+"/comm", []byte("first\n"), 0o600))
	p, err := Open(root, 7, NewBuffer())
	ok(t, err)
	defer p.Close()
	ok(t, os.Rename(dir, root+"/old"))
	ok(t, os.Mkdir(dir, 0o700))
	ok(t, os.WriteFile(dir+"/comm", []byte("second\n"), 0o600))
	if comm, err := p.Comm(); comm != "first" || err != nil {
		t.Errorf("%q, %v", comm, err)
	}
}

func TestReadingAllocatesLittle(t *testing.T) {
	p := self(t)
	lines := 0
	read := func() {
		_ = p.Maps(func(m *Map) bool { lines++; return true })
		_ = p.Descriptors(func(int, []byte) bool { return true })
	}
	read()
	if got := testing.AllocsPerRun(20, read); got > 8 {
		t.Errorf("%v allocations for %d lines", got, lines/21)
	}
}
