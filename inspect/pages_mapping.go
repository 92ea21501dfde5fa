package inspect

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/shmkit/shmkit/internal/sys"
)

// PagesOfMapping looks at the pages of one mapping of a process, the one that has an address, as that process
// has them: also of private memory, which is no object. Pages are counted from the beginning of the mapping.
// The PIDs of the options are asked for what they have at the same addresses: a child that was forked shares
// private memory until one of the two stores.
func PagesOfMapping(pid int, addr uint64, o *PagesOptions) (*Pages, error) {
	if o == nil {
		o = &PagesOptions{}
	}
	root := cmp.Or(o.Proc, "/proc")
	e, err := mappingAt(root, pid, addr)
	if err != nil {
		return nil, err
	}
	size := uint64(e.End - e.Start)
	p := &Pages{PageSize: int(pageBytes)}
	if err := p.part(o, fmt.Sprintf("map:%d/%x", pid, e.Start), int64(size)); err != nil {
		return nil, err
	}
	pids := []int{pid}
	for _, other := range o.PIDs {
		if other != pid {
			pids = append(pids, other)
		}
	}
	var users []User
	for _, each := range pids {
		u := User{PID: each, Command: commandOf(root, each)}
		err := eachMapping(root, each, func(m sys.MapsEntry) bool {
			if from, to := max(m.Start, e.Start), min(m.End, e.End); from < to {
				u.Ranges = append(u.Ranges, Range{Start: uint64(from), End: uint64(to), Offset: uint64(from - e.Start)})
			}
			return m.End < e.End
		})
		switch {
		case err != nil:
			return nil, err
		case len(u.Ranges) == 0:
			return nil, &NotMappedError{PID: each, Object: fmt.Sprintf("%x to %x", e.Start, e.End)}
		}
		users = append(users, u)
	}
	p.openProcesses(root, users)
	return p, nil
}

// mappingAt is the mapping of a process that has an address.
func mappingAt(root string, pid int, addr uint64) (found sys.MapsEntry, err error) {
	err = eachMapping(root, pid, func(m sys.MapsEntry) bool {
		if uint64(m.End) > addr {
			found = m
			return false
		}
		return true
	})
	if err == nil && (found.End == 0 || uint64(found.Start) > addr) {
		err = fmt.Errorf("process %d maps nothing at %x", pid, addr)
	}
	return found, err
}

// eachMapping reads the maps of a process.
func eachMapping(root string, pid int, f func(sys.MapsEntry) bool) error {
	file, err := os.Open(filepath.Join(root, fmt.Sprint(pid), "maps"))
	if errors.Is(err, fs.ErrNotExist) {
		return &pagesError{fmt.Sprintf("there is no process %d", pid), err}
	}
	if err != nil {
		return fmt.Errorf("what process %d maps: %w", pid, why(err))
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		e, err := sys.ParseMapsEntry(lines.Text())
		if err != nil {
			return err
		}
		if !f(e) {
			return nil
		}
	}
	return lines.Err()
}

func commandOf(root string, pid int) string {
	b, _ := os.ReadFile(filepath.Join(root, fmt.Sprint(pid), "comm"))
	return strings.TrimSuffix(string(b), "\n")
}
