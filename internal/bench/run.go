package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Options is what to measure.
type Options struct {
	Suites []string // nil: all
	Ways   []string // nil: all; yardsticks are always there
	Sizes  []int    // bytes of messages, 8 at least; nil: DefaultSizes
	// Duration is how long each row is timed, all its slices together. 0: DefaultDuration.
	Duration time.Duration
	// Unpinned binds nobody to a CPU.
	Unpinned bool
	// Progress is told what is going on; nil: nobody is.
	Progress func(Progress)

	// Paired says that a row is measured beside another one: right before or after each of its slices that one has a
	// slice more, which counts for Row.Paired alone. nil: none is.
	Paired func(row, with Trial) bool
	// Foreign are ways of other systems.
	Foreign []Foreign
	// Rounds is how often processes are started anew. 0: 3.
	Rounds int

	turns int // slices that each has in a round
}

// DefaultDuration is how long a row is timed.
const DefaultDuration = 300 * time.Millisecond

// DefaultSizes are small messages, pages, and blocks.
func DefaultSizes() []int { return []int{64, 4 << 10, 1 << 20} }

// A Progress is how far a run is.
type Progress struct {
	Done, All int // slices
	Now       string
	// Complete is rows that were compared with each other and are complete now, nil otherwise.
	Complete []*Row
}

// Of Options.
const (
	defaultRounds = 3
	defaultTurns  = 5
)

// A Result is what was measured.
type Result struct {
	// When it began.
	When time.Time `json:"when"`
	// Command is the line that it was asked for with, "" if it was none. Run leaves it empty.
	Command string  `json:"command,omitempty"`
	Machine Machine `json:"machine"`
	// Rows stand together as they were compared.
	Rows []*Row `json:"rows"`
}

// errNoMain: the sides are this program.
var errNoMain = errors.New("bench.Main was not called first in main: the processes that measure are this program once more")

// Run measures. What it starts has ended, and what it made is gone, when it returns; if its context ends
// it returns soon, with what is complete so far and the context's error.
func Run(ctx context.Context, o Options) (*Result, error) {
	if !mainCalled.Load() {
		return nil, errNoMain
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	at, err := findPlace(!o.Unpinned)
	if err != nil {
		return nil, err
	}
	res := &Result{When: time.Now(), Machine: machine(at)}
	var all []*contest
	for _, name := range o.Suites {
		s, err := findSuite(name)
		if err != nil {
			return nil, err
		}
		all = append(all, contestsOf(s, &o)...)
	}
	b := &bench{o: o, at: at, kept: map[string]*os.File{}}
	defer func() {
		for _, f := range b.kept {
			_ = f.Close()
		}
	}()
	for _, c := range all {
		b.all += len(c.rows) * o.Rounds * o.turns
	}
	for _, c := range all {
		if err := b.run(ctx, c); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return res, err
		}
		res.Rows = append(res.Rows, c.rows...)
	}
	return res, nil
}

// Check reports what is wrong with options.
func (o Options) Check() error { return o.complete() }

// complete fills in what was left out, and looks at the rest.
func (o *Options) complete() error {
	if o.Suites == nil {
		o.Suites = Suites()
	}
	if o.Sizes == nil {
		o.Sizes = DefaultSizes()
	}
	if o.Duration == 0 {
		o.Duration = DefaultDuration
	}
	if o.Rounds == 0 {
		o.Rounds = defaultRounds
	}
	if o.turns == 0 {
		o.turns = defaultTurns
	}
	if o.Duration < time.Millisecond {
		return fmt.Errorf("a row cannot be measured in %v; 1ms is the least", o.Duration)
	}
	for _, size := range o.Sizes {
		if size < smallest || size > 1<<30 {
			return fmt.Errorf("messages have %d bytes to 1 GiB, not %d", smallest, size)
		}
	}
	for _, w := range o.Ways {
		if !slices.Contains(o.ways(), w) {
			return fmt.Errorf("there is no way %q; there are %s", w, strings.Join(o.ways(), ", "))
		}
	}
	return nil
}

// ways are the names of all ways of the suites that are to be measured.
func (o *Options) ways() (names []string) {
	for _, s := range suites() {
		if !slices.Contains(o.Suites, s.name) {
			continue
		}
		for _, t := range s.trials(o) {
			if !t.Yardstick && !slices.Contains(names, t.Way) {
				names = append(names, t.Way)
			}
		}
	}
	return names
}

// A contest is rows that are compared with each other, and so measured by turns.
type contest struct {
	suite suite
	rows  []*Row
}

// contestsOf groups trials that stand together and differ in way and wait alone.
func contestsOf(s suite, o *Options) (all []*contest) {
	var last contestKey
	for _, t := range o.withForeign(s.name, s.trials(o)) {
		if !t.Yardstick && !t.Foreign && o.Ways != nil && !slices.Contains(o.Ways, t.Way) {
			continue
		}
		g := t.contest()
		if len(all) == 0 || g != last {
			all = append(all, &contest{suite: s})
		}
		last = g
		c := all[len(all)-1]
		c.rows = append(c.rows, &Row{Trial: t})
	}
	// Yardsticks alone are compared with nobody.
	return slices.DeleteFunc(all, func(c *contest) bool {
		return !slices.ContainsFunc(c.rows, func(r *Row) bool { return !r.Yardstick })
	})
}

// A bench is one run.
type bench struct {
	o         Options
	at        place
	kept      map[string]*os.File // by trials of several contests
	done, all int                 // slices
}

func (b *bench) tell(what string, n int) {
	b.done += n
	if b.o.Progress != nil {
		b.o.Progress(Progress{Done: b.done, All: b.all, Now: what})
	}
}

// run measures a contest.
func (b *bench) run(ctx context.Context, c *contest) error {
	for round := range b.o.Rounds {
		if err := b.round(ctx, c, round); err != nil {
			return err
		}
	}
	var yard *Row
	for _, r := range c.rows {
		r.finish()
		if yard == nil && r.Yardstick && r.Impossible == "" {
			yard = r
		}
		if yard != nil && r.Impossible == "" {
			r.Ratio = r.Typical() / yard.Typical()
		}
	}
	if b.o.Progress != nil {
		b.o.Progress(Progress{Done: b.done, All: b.all, Complete: c.rows})
	}
	return nil
}

// A runner is a row with its processes.
type runner struct {
	row  *Row
	pair *pair
	n    int // operations of a slice
}

// round starts all processes of a contest, measures by turns, and ends them.
func (b *bench) round(ctx context.Context, c *contest, round int) (err error) {
	var all []*runner
	defer func() {
		for _, r := range all {
			if err == nil {
				err = r.pair.close()
			} else {
				err = errors.Join(err, r.pair.kill())
			}
		}
	}()
	for _, row := range c.rows {
		if row.Impossible != "" {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.tell(row.Trial.String()+": start", 0)
		p, err := startPair(ctx, c.suite, row.Trial, b.at, &b.o, b.kept)
		var not *impossible
		if errors.As(err, &not) {
			row.Impossible = not.why
			b.tell("", b.o.Rounds*b.o.turns)
			continue
		}
		if err != nil {
			return err
		}
		r := &runner{row: row, pair: p}
		all = append(all, r)
		if err := b.prepare(ctx, r, c.suite, round == 0); err != nil {
			return err
		}
	}
	turns := b.o.turns
	for turn := range turns {
		for i := range all {
			r := all[(i+turn*len(all)/turns)%len(all)]
			if err := r.slice(b.o.partner(r, all), turn%2 == 0); err != nil {
				return err
			}
			b.tell(r.row.Trial.String(), 1)
		}
	}
	return nil
}

const (
	// checked is how many operations are verified, fewer if messages are large.
	checked      = 200
	checkedBytes = 64 << 20
)

// prepare verifies a pair, counts its calls the first time, and finds out how many operations a slice has.
func (b *bench) prepare(ctx context.Context, r *runner, s suite, first bool) error {
	n := checked
	if s.slow {
		n = 1
	}
	if r.row.Size > 0 {
		n = max(10, min(n, checkedBytes/r.row.Size))
	}
	got, err := r.pair.run(order{N: n, Check: true})
	if err != nil {
		return err
	}
	if r.row.Memory == nil && r.pair.memory >= 0 {
		memory := r.pair.memory
		r.row.Memory = &memory
	}
	if first && !r.row.Yardstick && r.row.Group != GroupSleeping && s.name != "file" { // whose calls are the frame's
		if calls, err := r.pair.calls(ctx); err == nil {
			r.row.Calls = &calls
		} else if ctx.Err() != nil {
			return err
		}
	}
	target := b.o.Duration / time.Duration(b.o.Rounds*b.o.turns)
	for r.n = n; ; {
		if got, err = r.pair.run(order{N: r.n}); err != nil {
			return err
		}
		took := time.Duration(max(got.Nanoseconds, 1))
		if took >= target/4 || r.n >= 1<<24 {
			r.n = int(float64(r.n) * float64(target) / float64(took))
			break
		}
		r.n *= 4
	}
	r.n = max(r.n, 1)
	return nil
}
