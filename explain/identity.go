package explain

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/sys"
)

// An identity is what maps calls an object: device, inode and name.
type identity struct {
	device, inode, name string
}

func (id identity) String() string { return id.device + " " + id.inode + " " + id.name }

const factIdentity = "device and inode in maps of A and B"

// lineOf is the line of maps whose area begins at a page.
func lineOf(v live.View, page int64) string {
	for _, line := range v.Maps {
		if strings.HasPrefix(line, fmt.Sprintf("%x-", live.Address(page))) {
			return line
		}
	}
	return ""
}

func identityIn(v live.View, page int64) identity {
	words := strings.Fields(lineOf(v, page))
	if len(words) < 5 {
		return identity{}
	}
	return identity{words[3], words[4], strings.Join(words[5:], " ")}
}

// compareIdentity shows what two places show.
func (s *step) compareIdentity(all views, a, b place) identity {
	one, other := identityIn(all[a.proc], a.page), identityIn(all[b.proc], b.page)
	answer := "different"
	if one == other && one != (identity{}) {
		answer = "the same"
	}
	s.show(factIdentity, answer, "/proc/PID/maps, columns 4 and 5")
	s.show("object in maps", one, "/proc/PID/maps, columns 4 to 6")
	return one
}

// holders counts the processes that have an object mapped or open, of those that an
// experiment has, with this one.
func (st *stage) holders(id identity) int {
	n := 0
	pids := []int{os.Getpid()}
	for _, c := range append(st.lab.crew.children, st.lab.janitor()) {
		pids = append(pids, c.Pid())
	}
	for _, pid := range pids {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		if err == nil && strings.Contains(string(maps), fmt.Sprintf(" %s %s ", id.device, id.inode)) || opens(pid, id) {
			n++
		}
	}
	return n
}

// opens reports whether a process has an object open.
func opens(pid int, id identity) bool {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			continue // it was closed
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			major, minor := sys.DeviceNumber(st.Dev)
			if fmt.Sprintf("%02x:%02x %d", major, minor, st.Ino) == id.device+" "+id.inode {
				return true
			}
		}
	}
	return err != nil
}
