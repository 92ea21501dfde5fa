package top

import (
	"context"
	"errors"
	"os"
	"syscall"

	"github.com/gdamore/tcell/v2"
)

// Options is how Run is to run.
type Options struct {
	// Stop stops the process, or all of its group, until it is continued. The terminal is as
	// it was meanwhile.
	Stop func(group bool)
	// Signals that ask for something: SIGTSTP to stop, SIGCONT that it was continued by
	// somebody, whatever became of the terminal; any other to end, as Ended.
	Signals <-chan os.Signal
}

// ErrInterrupted: somebody pressed Ctrl-C.
var ErrInterrupted = errors.New("interrupted")

// Ended: a signal asked to end.
type Ended struct{ Signal os.Signal }

func (e *Ended) Error() string { return e.Signal.String() }

// Run shows what the source has on a screen that is initialised, until somebody quits,
// the context ends or the terminal is gone.
func Run(ctx context.Context, screen tcell.Screen, source Source, v *View, o Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	events := make(chan tcell.Event, 64)
	go screen.ChannelEvents(events, ctx.Done())
	s := newSampler(source)
	s.start(ctx, pace{v.Interval, v.Paused})
	r := &runner{screen: screen, v: v, s: s, stop: o.Stop}
	v.Resize(screen.Size())
	for {
		v.Draw(screen)
		screen.Show()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e, ok := <-events:
			for more := true; more; { // a burst of keys is drawn once
				if !ok { // also when the context ends
					return context.Cause(ctx)
				}
				if end, err := r.event(e); end {
					return err
				}
				select {
				case e, ok = <-events:
				default:
					more = false
				}
			}
		case got := <-s.frames:
			switch {
			case got.err != nil:
				v.Fail(got.err)
			case !v.Paused || v.frame == nil:
				v.Show(got.frame)
			}
			r.lookAgain()
		case l := <-s.looks:
			v.Look(l)
		case what := <-s.crash:
			panic(what)
		case sig := <-o.Signals:
			switch sig {
			case syscall.SIGTSTP:
				if err := r.suspend(false); err != nil {
					return err
				}
			case syscall.SIGCONT:
				if err := r.resume(); err != nil {
					return err
				}
			default:
				return &Ended{sig}
			}
		}
	}
}

// runner does what a view asks for.
type runner struct {
	screen tcell.Screen
	v      *View
	s      *sampler
	stop   func(group bool)
}

func (r *runner) event(e tcell.Event) (end bool, err error) {
	switch e := e.(type) {
	case *tcell.EventResize:
		r.screen.Sync()
		r.v.Resize(r.screen.Size())
	case *tcell.EventError:
		return true, e
	case *tcell.EventKey:
		was := pace{r.v.Interval, r.v.Paused}
		switch r.v.Key(e) {
		case Quit:
			return true, nil
		case Interrupt:
			return true, ErrInterrupted
		case Suspend:
			if err := r.suspend(true); err != nil {
				return true, err
			}
		case Redraw:
			r.screen.Sync()
		case LookNow:
			r.lookAgain()
		}
		if is := (pace{r.v.Interval, r.v.Paused}); is != was {
			latest(r.s.pace, is)
		}
	}
	return false, nil
}

// lookAgain asks for the object that is looked into.
func (r *runner) lookAgain() {
	if i, is := r.v.Looking(); is && r.v.look.gone.IsZero() {
		latest(r.s.ask, i)
	}
}

func (r *runner) suspend(group bool) error {
	if r.stop == nil {
		return nil
	}
	if err := r.screen.Suspend(); err != nil {
		return err
	}
	r.stop(group)
	return r.engage()
}

// resume takes the terminal again, as somebody else may have left it.
func (r *runner) resume() error {
	if err := r.screen.Suspend(); err != nil {
		return err
	}
	return r.engage()
}

func (r *runner) engage() error {
	if err := r.screen.Resume(); err != nil {
		return err
	}
	r.screen.Sync()
	r.v.Resize(r.screen.Size())
	return nil
}
