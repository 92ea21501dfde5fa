package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/shmkit/shmkit/explain"
	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// app is the program with all it has of the outside world, so that tests can run
// it in their own process.
type app struct {
	in       io.Reader
	out, err io.Writer
	kinds    *kind.Registry
	inspect  inspect.Options // where to look; Kinds and Deep are the command's
	// isTerminal tells it of in, out or err.
	isTerminal func(stream any) bool
	getenv     func(string) string

	// experiment is explain.Run if nil; tests have others.
	experiment func(context.Context, explain.Experiment, *explain.Options) (*explain.Report, error)

	args []string // the command line
	// screen is how large the terminal is that out is now, nil if it is none.
	screen func() (columns, rows int)
	colour bool // out takes colours
	lost   bool // what is written to out is lost, and nobody seems to want that
}

// run runs the command line and returns the exit code. Whatever went wrong has
// been said.
func (a *app) run(ctx context.Context, args []string) int {
	if stream := a.out; a.isTerminal(stream) { // which is wrapped below
		a.screen = func() (columns, rows int) { return screenSize(stream) }
	}
	a.colour = a.screen != nil && a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	a.lost = standIn(a.out) && !standIn(a.err)
	a.args = args
	out := &output{ctx: ctx, w: a.out}
	a.out = out
	root := newRootCommand(a)
	root.SetArgs(append([]string{}, args...)) // of nil cobra makes os.Args
	cmd, err := root.ExecuteContextC(ctx)
	if out.err != nil && !errors.Is(err, out.err) {
		err = out.err // whatever came of it
	}
	return a.report(ctx, cmd, err)
}

// parseAddress parses the address of an object that may exist, given on the
// command line.
func (a *app) parseAddress(text string) (address.Address, error) {
	addr, err := a.parseNewAddress(text)
	if addr.Target == (address.Private{}) {
		return addr, usagef("%s names no object that exists: only create takes it", addr)
	}
	return addr, err
}

// parseNewAddress parses any address.
func (a *app) parseNewAddress(text string) (address.Address, error) {
	addr, err := address.Parse(text)
	if err != nil {
		return addr, &kind.UsageError{Err: err}
	}
	return addr, nil
}

// parseAddresses parses several: all of them, before anything is done with one.
func (a *app) parseAddresses(texts []string) ([]address.Address, error) {
	var all []address.Address
	for _, text := range texts {
		addr, err := a.parseAddress(text)
		if err != nil {
			return nil, err
		}
		all = append(all, addr)
	}
	return all, nil
}

// each does f for every address, reports each failure, and goes on.
func (a *app) each(cmd *cobra.Command, addrs []address.Address, f func(address.Address) error) error {
	failed := false
	for _, addr := range addrs {
		if err := cmd.Context().Err(); err != nil {
			return err
		}
		if err := f(addr); err != nil {
			a.say(cmd, err)
			failed = true
		}
	}
	if failed {
		return errReported
	}
	return nil
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// errIsTerminal reports whether somebody is looking at the error output.
func (a *app) errIsTerminal() bool { return a.isTerminal(a.err) }
