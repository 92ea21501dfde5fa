package doctor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// processes looks at limits that each process has for itself.
func (e *examination) processes() error {
	entries, err := os.ReadDir(e.proc())
	if err != nil {
		return err
	}
	most, err := e.numbers("sys/vm/max_map_count", 1)
	if missing(err) != nil {
		return err
	}
	for _, entry := range entries {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// Who does not let this user look, or ends meanwhile, has nothing to tell.
		if most != nil {
			if n, err := lines(e.proc(itoa(pid), "maps")); err == nil {
				e.mapCount(pid, n, most[0])
			}
		}
		e.lockedMemory(pid)
	}
	return nil
}

func (e *examination) mapCount(pid int, n, most uint64) {
	e.limit(bound{
		name: "vm.max_map_count", of: "mappings of " + e.called(pid), format: count,
		meaning: "When it is reached, mmap, mprotect and munmap of a part fail with ENOMEM in that process.",
		source:  e.proc(itoa(pid), "maps") + " and " + e.proc("sys/vm/max_map_count"),
		command: fmt.Sprintf("sysctl -w vm.max_map_count=%d", twice(most, 1<<31-1)),
	}, share{n, most})
}

// lockedMemory looks at RLIMIT_MEMLOCK of a process.
func (e *examination) lockedMemory(pid int) {
	status, err := os.ReadFile(e.proc(itoa(pid), "status"))
	if err != nil {
		return
	}
	locked, _ := strconv.ParseUint(strings.TrimSuffix(field(status, "VmLck:"), " kB"), 10, 64)
	if locked == 0 {
		return
	}
	// CAP_IPC_LOCK, bit 14: no limit.
	if caps, err := strconv.ParseUint(field(status, "CapEff:"), 16, 64); err != nil || caps&(1<<14) != 0 {
		return
	}
	limits, err := os.ReadFile(e.proc(itoa(pid), "limits"))
	if err != nil {
		return
	}
	soft, _, _ := strings.Cut(field(limits, "Max locked memory"), " ")
	most, err := strconv.ParseUint(soft, 10, 64)
	if err != nil { // unlimited
		return
	}
	e.limit(bound{
		name: "RLIMIT_MEMLOCK", of: "locked memory of " + e.called(pid), format: size,
		meaning: "When it is reached, mlock fails with ENOMEM in that process, and mmap with MAP_LOCKED with EAGAIN.",
		source:  e.proc(itoa(pid), "status") + " and " + e.proc(itoa(pid), "limits"),
		command: fmt.Sprintf("prlimit --pid %d --memlock=%d", pid, twice(most, 1<<62)),
	}, share{locked * 1024, most})
}

// called is a process as it is told of.
func (e *examination) called(pid int) string {
	name, err := os.ReadFile(e.proc(itoa(pid), "comm"))
	if err != nil {
		return process(pid)
	}
	return fmt.Sprintf("%s (process %d)", strings.TrimSuffix(string(name), "\n"), pid)
}

// field returns what follows a word at the beginning of a line.
func field(text []byte, word string) string {
	s := bufio.NewScanner(bytes.NewReader(text))
	for s.Scan() {
		if rest, ok := strings.CutPrefix(s.Text(), word); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// lines counts the lines of a file, which may be long.
func lines(path string) (n uint64, err error) {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	buf := make([]byte, 64<<10)
	for {
		k, err := f.Read(buf)
		n += uint64(bytes.Count(buf[:k], []byte{'\n'}))
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
