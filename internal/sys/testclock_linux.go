package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// SetWallClock sets CLOCK_REALTIME, for everybody on the machine: no namespace has one of
// its own. It needs CAP_SYS_TIME. Only tests have a reason, on a machine of their own.
func SetWallClock(at time.Time) error {
	ts := unix.NsecToTimespec(at.UnixNano())
	return unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
}
