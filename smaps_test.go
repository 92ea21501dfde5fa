package shmkit_test

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
)

// smaps returns what /proc/self/smaps tells of the area that begins at addr.
func smaps(addr uintptr) (lines []string, err error) {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	inside := false
	for scan := bufio.NewScanner(f); scan.Scan(); {
		if e, err := sys.ParseMapsEntry(scan.Text()); err == nil {
			if inside {
				break
			}
			inside = e.Start == addr
		} else if inside {
			lines = append(lines, scan.Text())
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("no area begins at %#x", addr)
	}
	return lines, nil
}

// smapsNumber is a number of smaps, in bytes.
func smapsNumber(addr uintptr, name string) (int, error) {
	lines, err := smaps(addr)
	if err != nil {
		return 0, err
	}
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("smaps has no %s", name)
}

// vmFlag reports whether the area that addr lies in has a flag: "lo" is locked, "rr" read
// at random, "dd" left out of core dumps, and so on (proc_pid_smaps(5)).
func vmFlag(t testing.TB, addr uintptr, flag string) bool {
	t.Helper()
	for e, err := range sys.ReadSmaps(addr, addr+1) {
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(e.Flags, flag)
	}
	t.Fatalf("nothing is mapped at %#x", addr)
	return false
}
