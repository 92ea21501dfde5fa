package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Examine looks at everything once, and returns what it found, the worst first. The error joins
// what could not be looked at; what was found is returned nevertheless.
func Examine(ctx context.Context, o *Options) ([]Finding, error) {
	if o == nil {
		o = &Options{}
	}
	e := &examination{ctx: ctx, Options: *o, now: clock()}
	e.blind = &blind{proc: o.proc(), dir: filepath.Clean(o.shm())}
	areas := cmp.Or(o.Areas, ^Areas(0))
	var errs []error
	for _, part := range []struct {
		area Areas
		look func() error
	}{
		{SystemV, e.segments}, {SystemV, e.semaphores}, {SystemV, e.queues}, {Shared, e.shared}, {Files, e.files},
		{Limits, e.limits}, {Limits, e.processes}, {Limits, e.room}, {Limits, e.huge}, {Settings, e.mount}, {Settings, e.settings},
	} {
		if areas&part.area == 0 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := part.look(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.tellYoung()
	slices.SortStableFunc(e.found, func(a, b Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	return e.found, errors.Join(errs...)
}

// clock is that of the machine; tests set it forward.
var clock = time.Now

// examination is one call of Examine.
type examination struct {
	ctx context.Context
	Options
	now   time.Time
	found []Finding
	blind *blind
	young struct {
		n     int
		bytes uint64
	}
}

// tooYoung counts something that would be called unused if it were older.
func (e *examination) tooYoung(bytes uint64) {
	e.young.n++
	e.young.bytes += bytes
}

// tellYoung tells of what was counted.
func (e *examination) tellYoung() {
	if e.young.n == 0 {
		return
	}
	e.add(Finding{
		Kind: TooYoung, Severity: Notice, Object: "recently used",
		Summary:  fmt.Sprintf("%s, together %s, nobody seems to use, and may be about to be used", plural(e.young.n, "object"), size(e.young.bytes)),
		Meaning:  "Who made one and closed it may be about to open it again, so that nothing is called unused before it was left alone for some time. shmkit doctor --age 1s shows them.",
		Evidence: fmt.Sprintf("segments that nobody is attached to, and POSIX objects; the last thing that was done with each is less than %s ago", span(e.age())),
		Kept:     "it was used a short while ago",
	})
}

func (e *examination) add(f Finding) { e.found = append(e.found, f) }

// old reports whether the last thing that happened to something is long enough ago.
func (e *examination) old(times ...time.Time) bool { return oldEnough(e.now, e.age(), times...) }

// oldEnough reports whether all of times are at least age ago. What is in the future is not.
func oldEnough(now time.Time, age time.Duration, times ...time.Time) bool {
	for _, t := range times {
		if now.Sub(t) < age && !t.IsZero() {
			return false
		}
	}
	return true
}

// newest returns the last of some times.
func newest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// ago says how long something has been.
func (e *examination) ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return span(e.now.Sub(t)) + " ago"
}
