package testenv

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// What this process holds, read from /proc.

// openDescriptors maps each open descriptor to what it refers to.
func openDescriptors() (map[int]string, error) {
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	open := map[int]string{}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, err
		}
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // closed meanwhile, such as the one that listed the folder
		}
		// The Go runtime re-reads CPU limits through descriptors that it opens itself.
		if strings.HasPrefix(target, "/sys/fs/cgroup/") {
			continue
		}
		open[fd] = target
	}
	return open, nil
}

// sharedMappings lists the mappings of this process that can be shared with
// another: all with MAP_SHARED, and private ones of shared memory objects.
func sharedMappings() (map[string]bool, error) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	shared := map[string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if m, ok := sharedMapping(lines.Text()); ok {
			shared[m] = true
		}
	}
	return shared, lines.Err()
}

// sharedMapping looks at one line of /proc/PID/maps: range, permissions, offset,
// device, inode, path. It returns the range and path of a mapping that counts.
func sharedMapping(line string) (string, bool) {
	fields := strings.SplitN(line, " ", 6)
	if len(fields) < 6 {
		return "", false
	}
	addresses, permissions, path := fields[0], fields[1], strings.TrimLeft(fields[5], " 0123456789")
	counts := strings.HasSuffix(permissions, "s")
	for _, prefix := range []string{"/SYSV", shmDir + "/", "/memfd:"} {
		counts = counts || strings.HasPrefix(path, prefix)
	}
	return addresses + " " + permissions + " " + path, counts
}

// children maps each child of this process, zombies included, to its command and
// state.
func children() (map[int]string, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	found := map[int]string{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		st, err := parseStat(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if st.parent == os.Getpid() {
			found[st.pid] = fmt.Sprintf("%s, state %c", st.command, st.state)
		}
	}
	return found, nil
}

// A stat is the beginning of /proc/PID/stat.
type stat struct {
	pid     int
	command string
	state   byte
	parent  int
}

// parseStat reads "PID (COMMAND) STATE PARENT …". The command may contain
// anything, parentheses too, so its end is the last one.
func parseStat(text string) (stat, error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 1 || end < open {
		return stat{}, fmt.Errorf("unexpected text %q", text)
	}
	s := stat{command: text[open+1 : end]}
	rest := strings.Fields(text[end+1:])
	if len(rest) < 2 || len(rest[0]) != 1 {
		return stat{}, fmt.Errorf("unexpected text %q", text)
	}
	s.state = rest[0][0]
	var err error
	if s.pid, err = strconv.Atoi(strings.TrimSpace(text[:open])); err != nil {
		return stat{}, err
	}
	if s.parent, err = strconv.Atoi(rest[1]); err != nil {
		return stat{}, err
	}
	return s, nil
}

// alive reports whether the process exists, be it as a zombie.
func alive(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil
}
