package sys

import (
	"math"

	"golang.org/x/sys/unix"
)

// AddressSpaceLimit returns RLIMIT_AS in bytes, the largest number if there is no
// limit.
func AddressSpaceLimit() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &l); err != nil {
		return math.MaxUint64
	}
	return l.Cur
}
