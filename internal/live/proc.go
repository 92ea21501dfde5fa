package live

import (
	"bytes"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/model"
)

// What the kernel shows of a process in /proc, in the words of the model.

// A liveArea is one line of /proc/self/maps that lies in the arena.
type liveArea struct {
	start, end int64 // pages of the arena
	perms      string
	source     string // " A1+2", or empty
	line       string // as it stands there
	disk       bool
}

func describeAreas(areas []liveArea) string {
	var lines []string
	for _, a := range areas {
		lines = append(lines, fmt.Sprintf("%d-%d %s%s", a.start, a.end, a.perms, a.source))
	}
	return strings.Join(lines, "; ")
}

// arenaPrefix begins every line of the arena: it is smaller than what the last four
// digits count.
var arenaPrefix = []byte(strconv.FormatUint(arenaAddr>>16, 16))

// areas reads /proc/self/maps.
func (p *player) areas() ([]liveArea, error) {
	buf := make([]byte, 0, 16<<10)
	for {
		n, err := p.maps.ReadAt(buf[len(buf):cap(buf)], int64(len(buf)))
		buf = buf[:len(buf)+n]
		if err != nil || n == 0 {
			break // io.EOF; anything else shows as a missing mapping
		}
	}
	var found []liveArea
	for line := range bytes.Lines(buf) {
		if !bytes.HasPrefix(line, arenaPrefix) {
			continue
		}
		a, ok, err := parseLiveArea(string(bytes.TrimSuffix(line, []byte("\n"))))
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, a)
		}
	}
	return found, nil
}

// parseLiveArea reads a line: range, permissions, offset, device, inode, path.
func parseLiveArea(line string) (liveArea, bool, error) {
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 6 {
		return liveArea{}, false, fmt.Errorf("short line %q", line)
	}
	first, last, _ := strings.Cut(fields[0], "-")
	start, err := strconv.ParseUint(first, 16, 64)
	if err != nil {
		return liveArea{}, false, err
	}
	if start < arenaAddr || start >= arenaAddr+arenaBytes {
		return liveArea{}, false, nil
	}
	end, err := strconv.ParseUint(last, 16, 64)
	if err != nil {
		return liveArea{}, false, err
	}
	off, err := strconv.ParseUint(fields[2], 16, 64)
	if err != nil {
		return liveArea{}, false, err
	}
	a := liveArea{line: line, start: int64(start-arenaAddr) / model.PageSize, end: int64(end-arenaAddr) / model.PageSize, perms: fields[1]}
	name := strings.TrimSuffix(strings.TrimLeft(fields[5], " "), " (deleted)")
	// The inode number of a segment is its id, and the first one has 0.
	if name == "" || fields[4] == "0" && !strings.HasPrefix(name, "/SYSV") {
		return a, true, nil
	}
	switch {
	case strings.HasPrefix(name, "/SYSV"):
		name = "#" + fields[4]
	case strings.HasPrefix(name, "/memfd:"):
		name = strings.TrimPrefix(name, "/memfd:")
	case name == "/dev/zero":
		name = "zero"
	case path.Dir(name) == "/dev/shm": // a POSIX object
		name = path.Base(name)
	default:
		name, a.disk = path.Base(name), true
	}
	a.source = fmt.Sprintf(" %s+%d", name, off/model.PageSize)
	return a, true, nil
}

// Bits of /proc/PID/pagemap; Documentation/admin-guide/mm/pagemap.rst.
const (
	pagemapExclusive = 1 << 56
	pagemapGuard     = 1 << 58
	pagemapFile      = 1 << 61
	pagemapSwap      = 1 << 62
	pagemapPresent   = 1 << 63
)

// pageTable reads the arena's part of /proc/self/pagemap. Pages of disk files are '?'.
func (p *player) pageTable(areas []liveArea) (string, error) {
	words, err := p.tableWords()
	if err != nil {
		return "", err
	}
	letters := make([]byte, model.ArenaPages)
	for i := range letters {
		letters[i] = stateOf(words[i])
	}
	for _, a := range areas {
		for page := a.start; a.disk && page < min(a.end, model.ArenaPages); page++ {
			letters[page] = model.OnDisk
		}
	}
	return string(letters), nil
}

// stateOf reads one word of pagemap. The page of zeros is nobody's and counts as mapped
// by nobody; a private copy is mapped here only.
func stateOf(word uint64) byte {
	switch {
	case word&pagemapGuard != 0:
		return model.Guard
	case word&pagemapSwap != 0:
		return 's'
	case word&pagemapPresent == 0:
		return model.Absent
	case word&pagemapFile != 0:
		return model.Direct
	case word&pagemapExclusive != 0:
		return model.Copied
	}
	return model.Zero
}
