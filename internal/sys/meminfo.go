package sys

import (
	"bufio"
	"math"
	"os"
	"strconv"
	"strings"
)

// Meminfo returns a line of /proc/meminfo as it stands there: kB, or a number of huge
// pages. ok is false if there is none of that name.
func Meminfo(name string) (n uint64, ok bool) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		rest, found := strings.CutPrefix(lines.Text(), name+":")
		if !found {
			continue
		}
		number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.ParseUint(number, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// MemoryAvailable returns how many bytes the kernel thinks it can still give out, swap
// included; the largest number if it does not say.
func MemoryAvailable() uint64 {
	available, ok := Meminfo("MemAvailable")
	if !ok {
		return math.MaxUint64
	}
	swap, _ := Meminfo("SwapFree")
	return (available + swap) << 10
}
