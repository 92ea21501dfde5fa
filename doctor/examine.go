package doctor

import (
	"cmp"
	"context"
	"errors"
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
	areas := cmp.Or(o.Areas, ^Areas(0))
	var errs []error
	for _, part := range []struct {
		area Areas
		look func() error
	}{
		{SystemV, e.segments}, {SystemV, e.semaphores}, {SystemV, e.queues}, {Shared, e.shared}, {Files, e.files},
		{Limits, e.limits}, {Limits, e.processes}, {Limits, e.room}, {Settings, e.mount}, {Settings, e.settings},
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
