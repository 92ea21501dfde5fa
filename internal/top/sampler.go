package top

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// share is how many times longer than a sample took there is a pause after it, at least:
// looking at thousands of objects takes a quarter of one CPU, whatever the interval.
const share = 3

// soon is after what time the second sample comes, so that there are rates.
const soon = 500 * time.Millisecond

// sampler asks a source in the background, for one thing of a sort at a time.
type sampler struct {
	source Source
	frames chan result
	looks  chan Looked
	pace   chan pace // how to go on
	ask    chan Item // to be looked into
	crash  chan string
}

type result struct {
	frame *Frame
	err   error
}

// pace is how often there are samples.
type pace struct {
	interval time.Duration
	paused   bool
}

func newSampler(source Source) *sampler {
	return &sampler{source: source, frames: make(chan result), looks: make(chan Looked), pace: make(chan pace, 1), ask: make(chan Item, 1), crash: make(chan string, 2)}
}

// start begins. What it began ends with the context.
func (s *sampler) start(ctx context.Context, p pace) {
	go s.caught(func() { s.sample(ctx, p) })
	go s.caught(func() { s.look(ctx) })
}

// caught hands a panic to whoever has the terminal, who can put that in order first.
func (s *sampler) caught(f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.crash <- fmt.Sprintf("%v\n\n%s", v, debug.Stack())
		}
	}()
	f()
}

// latest puts a value into a channel of one place, instead of what nobody took.
func latest[T any](c chan T, v T) {
	select {
	case <-c:
	default:
	}
	c <- v
}

func (s *sampler) sample(ctx context.Context, p pace) {
	var before *Sample
	for {
		began := time.Now()
		now, err := s.source.Sample(ctx)
		r := result{err: err}
		pause := p.interval
		if err == nil {
			r.frame = Compare(before, now)
			if before == nil {
				pause = min(pause, soon)
			}
			before = now
		}
		ended := time.Now()
		select {
		case s.frames <- r:
		case <-ctx.Done():
			return
		}
		rest := ended.Add(share * ended.Sub(began))
		for next := began.Add(pause); ; {
			if next.Before(rest) {
				next = rest
			}
			var due <-chan time.Time
			var t *time.Timer
			if !p.paused {
				t = time.NewTimer(time.Until(next))
				due = t.C
			}
			again := false
			select {
			case <-ctx.Done():
				return
			case p = <-s.pace:
				next, again = began.Add(p.interval), true
			case <-due:
				select { // what was said before it was time counts
				case p = <-s.pace:
					next, again = began.Add(p.interval), true
				default:
				}
			}
			if t != nil {
				t.Stop()
			}
			if !again {
				break
			}
		}
	}
}

func (s *sampler) look(ctx context.Context) {
	for {
		var i Item
		select {
		case <-ctx.Done():
			return
		case i = <-s.ask:
		}
		lines, err := s.source.Look(ctx, i)
		select {
		case s.looks <- Looked{ID: i.ID, At: time.Now(), Lines: lines, Err: err}:
		case <-ctx.Done():
			return
		}
	}
}
