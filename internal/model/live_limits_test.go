package model

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// smallLimits are narrow enough for scripts to hit.
var smallLimits = Limits{Segments: 4, SegmentMax: 5 * PageSize, Pages: 12}

// setLimits makes the limits of the private namespace small. It returns false where
// root of a user namespace may not change them; the test goes on with those it has. The
// namespace ends with the test, so nothing is restored.
func setLimits(t testing.TB) bool {
	t.Helper()
	for path, n := range map[string]int64{
		"kernel/shmmni": int64(smallLimits.Segments), "kernel/shmmax": smallLimits.SegmentMax, "kernel/shmall": smallLimits.Pages,
	} {
		if err := os.WriteFile("/proc/sys/"+path, []byte(strconv.FormatInt(n, 10)), 0); err != nil {
			t.Logf("limits stay as they are: %v", err)
			return false
		}
	}
	return true
}

// requireKernel skips the test on kernels whose rules were others: areas with and
// without private copies merge since 6.16, mremap moves several areas since 6.17.
func requireKernel(t testing.TB, release string) {
	t.Helper()
	const major, minor = 6, 17
	words := strings.SplitN(release, ".", 3)
	a, err1 := strconv.Atoi(words[0])
	b, err2 := strconv.Atoi(words[1])
	if err1 != nil || err2 != nil {
		t.Fatalf("what version is %q?", release)
	}
	if a < major || a == major && b < minor {
		t.Skipf("the model has the rules of Linux %d.%d; this is %s", major, minor, release)
	}
	if n := os.Getpagesize(); n != PageSize {
		t.Skipf("the model has pages of %d bytes; this kernel's have %d", PageSize, n)
	}
}
