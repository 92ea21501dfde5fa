package inspect_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
)

// heapOf returns where the heap of a process is; 0 if it has none yet.
func heapOf(t testing.TB, pid int) (start, end uint64) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if e, err := sys.ParseMapsEntry(strings.TrimSuffix(line, "\n")); err == nil && e.Path == "[heap]" {
			return uint64(e.Start), uint64(e.End)
		}
	}
	return 0, 0
}

// A shell that runs commands in parentheses forks, and both have what it had before.
func TestPrivateMemoryIsSharedByAForkUntilAStore(t *testing.T) {
	testenv.RequireRoot(t)
	cmd := exec.Command(testenv.RequireTool(t, "sh"), "-c", "v="+strings.Repeat("0", 60000)+"; (read x; read x); read x")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := testenv.StartCommand(cmd); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	parent, child := cmd.Process.Pid, 0
	var start uint64
	shmtest.Eventually(t, "the shell has forked, and each has its heap", func() bool {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent))
		child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		if child == 0 {
			return false
		}
		start, _ = heapOf(t, parent)
		forked, _ := heapOf(t, child)
		return start != 0 && start == forked
	})
	p, err := inspect.PagesOfMapping(parent, start, &inspect.PagesOptions{PIDs: []int{child}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Object != nil || len(p.Processes) != 2 {
		t.Fatalf("%+v", p)
	}
	if _, err := io.WriteString(stdin, strings.Repeat("x", 3*os.Getpagesize())+"\n"); err != nil { // which the child reads
		t.Fatal(err)
	}
	shmtest.Eventually(t, "some pages are the same, and some have been stored to", func() bool {
		same, apart := 0, 0
		for row, err := range p.Rows(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if a, b := row.Runs[0], row.Runs[1]; a.Frame != 0 && b.Frame != 0 {
				if a.Frame == b.Frame && a.State&inspect.PageCopy != 0 && a.Mapped > 1 {
					same++
				} else {
					apart++
				}
			}
		}
		return same > 0 && apart > 0
	})
	if addr, ok := p.Processes[0].Address(1); !ok || addr != start+uint64(os.Getpagesize()) {
		t.Errorf("%x, %v", addr, ok)
	}
}

func TestMappingsThatAreNotThereAreRefused(t *testing.T) {
	path := aFile(t, 4)
	a := startMapper(t, "private", path)
	if _, err := inspect.PagesOfMapping(a.Pid(), 1<<12, nil); err == nil || !strings.Contains(err.Error(), "maps nothing at 1000") {
		t.Error(err)
	}
	if _, err := inspect.PagesOfMapping(1<<22, a.addr, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	a.touch("write", 2)
	p, err := inspect.PagesOfMapping(a.Pid(), a.addr+uint64(os.Getpagesize()), nil) // anywhere in it
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	settles(t, func() error {
		return want(picture(each(t, p, p.Processes[0]), inspect.PageCopy|inspect.PagePresent, "C", inspect.PagePresent, "M"), "..C.")
	})
}
