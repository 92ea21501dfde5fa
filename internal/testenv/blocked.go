package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// InSyscall reports whether some thread of the process is inside the system call
// with this number (syscall.SYS_SEMTIMEDOP, …): with Eventually, the way to wait
// until another process, or a goroutine of this one, really blocks.
func InSyscall(t testing.TB, pid int, number uintptr) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if os.IsPermission(err) {
			t.Fatal(err)
		}
		if err != nil {
			continue // the thread ended
		}
		// "NUMBER ARGUMENTS…", or the one word "running".
		first, _, _ := strings.Cut(string(text), " ")
		if n, err := strconv.ParseUint(first, 10, 64); err == nil && uintptr(n) == number {
			return true
		}
	}
	return false
}

// Stopped reports whether every thread of the process is stopped by a signal, as
// it is some time after SIGSTOP.
func Stopped(t testing.TB, pid int) bool {
	t.Helper()
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		st, err := parseStat(string(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if st.state != 'T' {
			return false
		}
	}
	return len(stats) > 0
}
