package explain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/sys"
)

// Options of Run. The zero value is one with nothing set.
type Options struct {
	// Before is called before each step is done: it has title, process, call and
	// predictions. An error ends the experiment; Run returns it.
	Before func(*Step) error
	// After is called when the step was done, with all that the kernel showed.
	After func(*Step) error
	// Command makes the command that starts a process of the experiment: a program that
	// calls Main. nil: this program once more, /proc/self/exe, which has to call Main
	// itself.
	Command func() *exec.Cmd
	// TempDir is where files are made; they have no names for longer than it takes to
	// open them. Empty: os.TempDir.
	TempDir string

	// cast changes the processes that play, and foretell what the model says: for tests of
	// disagreement.
	cast     func(live.Process) live.Process
	foretell func(model.Op, *model.Outcome)
	// spoil has a process do something wrong, for the same; each experiment has its own.
	spoil string
	// places are where files on a disk may be, instead of the usual ones.
	places []string
}

// ErrNoMain is the error of Run in a program that has not called Main: a child would be
// that program once more, from its beginning.
var ErrNoMain = errors.New("explain: the program did not call explain.Main first in its main, and processes of experiments are started from it")

// Run does an experiment on the live kernel. The report holds what was done, also if
// there is an error: then the experiment could not be finished. That the kernel and the
// prediction disagree is no error; the report says so. When Run returns, all processes
// that it has started have ended, and nothing of them is left.
func Run(ctx context.Context, e Experiment, opts *Options) (*Report, error) {
	if opts == nil {
		opts = &Options{}
	}
	r := &Report{Experiment: e, System: system(), Steps: []*Step{}}
	switch {
	case e.run == nil:
		return r, fmt.Errorf("explain: %q is none of Experiments", e.Name)
	case opts.Command == nil && !mainCalled.Load():
		return r, ErrNoMain
	case r.System.PageSize != model.PageSize:
		return r, fmt.Errorf("explain: the model has pages of %d bytes, this kernel %d", model.PageSize, r.System.PageSize)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x := &lab{ctx: ctx, opts: opts, report: r}
	err := x.perform(e.run)
	err = errors.Join(err, x.close())
	r.settle()
	if err != nil {
		r.Agree = false
		return r, fmt.Errorf("explain %s: %w", e.Name, err)
	}
	return r, nil
}

// an abort is how an experiment ends early: lab.fail panics with it.
type abort struct{ err error }

// perform runs the experiment, and returns the error that it was ended by.
func (x *lab) perform(run func(*lab)) (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case abort:
			err = e.err
			if x.ctx.Err() != nil { // what comes of it need not be told
				err = context.Cause(x.ctx)
			}
		default:
			err = errors.Join(fmt.Errorf("panic: %v", e))
			_ = x.close()
			panic(e)
		}
	}()
	x.check(x.ctx.Err())
	run(x)
	return nil
}

func system() System {
	return System{Kernel: sys.Release(), Arch: runtime.GOARCH, PageSize: os.Getpagesize(), UID: os.Geteuid()}
}
