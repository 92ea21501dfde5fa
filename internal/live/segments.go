package live

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/sys"
)

// Fields of /proc/sysvipc/shm.
const (
	fieldKey, fieldID, fieldMode, fieldSize, fieldCpid, fieldLpid, fieldNattch, fieldUID, fieldRSS, fieldSwap = 0, 1, 2, 3, 4, 5, 6, 7, 14, 15
)

// idsPerSeq: what an id has besides the index of its segment.
const idsPerSeq = 1 << 15

// Segments lists all segments of the IPC namespace as World.Segments does. Those that no
// script has named have no name.
func (c *Cast) Segments() (string, error) { return c.list(func(int) bool { return true }) }

// OwnSegments lists those that the script has named.
func (c *Cast) OwnSegments() (string, error) {
	return c.list(func(id int) bool { return c.names[id] != "" })
}

func (c *Cast) list(want func(id int) bool) (string, error) {
	all, err := liveSegments()
	var lines []string
	for _, s := range all {
		if want(s[fieldID]) {
			lines = append(lines, c.describe(s))
		}
	}
	return strings.Join(lines, "; "), err
}

// Segment describes the segment of that name, or says that it is gone.
func (c *Cast) Segment(name string) (string, error) {
	all, err := liveSegments()
	for _, s := range all {
		if s[fieldID] == c.ID(name) {
			return c.describe(s), nil
		}
	}
	return "gone", err
}

func (c *Cast) describe(s []int) string {
	pid := func(n int) string {
		if n == 0 {
			return "-"
		}
		return c.pids[n]
	}
	mode := fmt.Sprintf("%03o", s[fieldMode]&0o777)
	if s[fieldMode]&sys.SHM_DEST != 0 {
		mode += " dest"
	}
	if s[fieldMode]&sys.SHM_LOCKED != 0 {
		mode += " locked"
	}
	key := 0
	if s[fieldKey] != 0 {
		key = s[fieldKey] - int(c.Key) + 1
	}
	return fmt.Sprintf("%s key=%d size=%d mode=%s nattch=%d cpid=%s lpid=%s pages=%d", c.names[s[fieldID]], key, s[fieldSize], mode,
		s[fieldNattch], pid(s[fieldCpid]), pid(s[fieldLpid]), s[fieldRSS]/model.PageSize)
}

// liveSegments reads /proc/sysvipc/shm, by index.
func liveSegments() ([][]int, error) {
	text, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		return nil, err
	}
	var all [][]int
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		if i == 0 {
			continue // the headings
		}
		var row []int
		for column, word := range strings.Fields(string(line)) {
			base := 10
			if column == fieldMode {
				base = 8
			}
			n, err := strconv.ParseInt(word, base, 64)
			if err != nil {
				return nil, fmt.Errorf("/proc/sysvipc/shm: %s: %w", line, err)
			}
			row = append(row, int(n))
		}
		if len(row) <= fieldSwap {
			return nil, fmt.Errorf("/proc/sysvipc/shm: short line %q", line)
		}
		all = append(all, row)
	}
	slices.SortFunc(all, func(a, b []int) int { return a[fieldID]%idsPerSeq - b[fieldID]%idsPerSeq })
	return all, nil
}

// SegmentMemory is how many bytes of a segment are in memory and on the swap device.
func SegmentMemory(id int) (memory, swap int, err error) {
	all, err := liveSegments()
	for _, s := range all {
		if s[fieldID] == id {
			return s[fieldRSS], s[fieldSwap], err
		}
	}
	return 0, 0, err
}

// ownerOf is the uid of a segment's owner; empty if there is no such segment.
func ownerOf(id int) (string, error) {
	all, err := liveSegments()
	for _, s := range all {
		if s[fieldID] == id {
			return strconv.Itoa(s[fieldUID]), nil
		}
	}
	return "", err
}
