package futex

import (
	"sync"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// epoch ties Go's monotonic clock, which is fast to read but has no zero that the
// kernel knows, to CLOCK_MONOTONIC, which is the same clock.
var epoch = sync.OnceValue(func() (e struct {
	at      time.Time
	reading int64
}) {
	e.at = time.Now()
	e.reading = int64(sys.MonotonicNow())
	return e
})

// now reads CLOCK_MONOTONIC, in nanoseconds.
func now() int64 {
	e := epoch()
	return e.reading + int64(time.Since(e.at))
}

// Now reads CLOCK_MONOTONIC, in nanoseconds.
func Now() int64 { return now() }

// onGrid moves a deadline forward to a multiple of half its bound, so that the sleepers
// that a poller has with this bound end together: it is woken twice a bound at most,
// not once for each of them. A waiter that goes back to sleep at once then sleeps for
// its whole bound.
func onGrid(deadline int64, bound time.Duration) int64 {
	grid := max(int64(bound)/2, 1)
	return deadline / grid * grid
}
