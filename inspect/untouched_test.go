package inspect_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/testenv"
)

// A trace is what looking could change: times of files, the kernel's line about a segment, page tables.
type trace map[string]string

func (tr trace) file(t *testing.T, path string) {
	t.Helper()
	var st syscall.Stat_t
	ok(t, syscall.Stat(path, &st))
	tr[path] = fmt.Sprintf("accessed %v modified %v changed %v blocks %d links %d", st.Atim, st.Mtim, st.Ctim, st.Blocks, st.Nlink)
}

func (tr trace) segment(t *testing.T, id int) {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/shm")
	ok(t, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == strconv.Itoa(id) {
			tr["segment"] = line
		}
	}
}

// tables are the lines of smaps about shared memory that say how much is mapped in the page tables.
func (tr trace) tables(t *testing.T, p *testenv.Proc) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", p.Pid()))
	ok(t, err)
	var kept []string
	shared := false
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 5 && len(f[1]) == 4 {
			shared = f[1][3] == 's'
		}
		if !shared {
			continue
		}
		switch f[0] {
		case "Rss:", "Size:", "Swap:", "Shared_Dirty:", "Private_Dirty:", "VmFlags:":
			kept = append(kept, strings.Join(f, " "))
		}
	}
	tr[fmt.Sprint("process ", p.Pid())] = strings.Join(kept, "\n")
}

func TestLookingChangesNothing(t *testing.T) {
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	ok(t, os.Mkdir(dir, 0o700))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	path, _ := shmFile(t)
	lazy, _ := shmFile(t) // no page of it is in memory
	data := fileOf(t, t.TempDir(), "data")
	seg := newSegment(t)
	id := fmt.Sprint(seg.ID())
	a, _ := says(t, "segment", id, "w")
	b, _ := says(t, "file", path, "w")
	c, _ := says(t, "file", data, "w", "keep")
	d, memfd := says(t, "memfd", "name", "both")
	e, _ := says(t, "file", lazy, "r")
	f, _ := says(t, "member", dir)
	g, _ := says(t, "anon")
	written, err := os.OpenFile(data, os.O_RDWR, 0)
	ok(t, err)
	ok(t, errors.Join(written.Sync(), written.Close())) // or the kernel does it while it is looked at
	old := syscall.NsecToTimespec(1e18)
	for _, p := range []string{path, lazy, data} { // so that relatime would have it set
		ok(t, syscall.UtimesNano(p, []syscall.Timespec{old, old}))
	}
	entries, err := os.ReadDir(dir)
	ok(t, err)
	for _, entry := range entries {
		ok(t, syscall.UtimesNano(filepath.Join(dir, entry.Name()), []syscall.Timespec{old, old}))
	}
	observe := func() trace {
		tr := trace{}
		for _, p := range []string{path, lazy, data, fmt.Sprintf("/proc/%d/fd/%s", d.Pid(), memfd[0])} {
			tr.file(t, p)
		}
		for _, entry := range entries {
			tr.file(t, filepath.Join(dir, entry.Name()))
		}
		tr.segment(t, seg.ID())
		for _, p := range []*testenv.Proc{a, b, c, d, e, g} {
			tr.tables(t, p)
		}
		return tr
	}
	before := observe()
	s := take(t, &inspect.Options{Dir: dir, Deep: true})
	n := 0
	for o, err := range s.Objects() {
		ok(t, err)
		if _, err := s.Object(o.Address); err != nil {
			t.Logf("%v", err) // of others, which go
		}
		n++
	}
	for _, p := range []*testenv.Proc{a, b, c, d, e, f, g} {
		_, err := inspect.MappingsOf(p.Pid(), nil)
		ok(t, err)
	}
	if n < 8 {
		t.Errorf("%d objects", n)
	}
	if diff := cmp.Diff(before, observe()); diff != "" {
		t.Errorf("looking changed (-before +after):\n%s", diff)
	}
}
