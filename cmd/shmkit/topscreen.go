package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gdamore/tcell/v2"
	"golang.org/x/term"

	"github.com/shmkit/shmkit/internal/top"
)

// patience is how long a terminal has to take what puts it in order, when the program is
// asked to end: one that takes nothing any more must not keep it.
const patience = 2 * time.Second

// live shows the screen until somebody quits.
func (t *topping) live(ctx context.Context, a *app, source top.Source) error {
	if err := canMoveCursor(a.getenv("TERM")); err != nil {
		return err
	}
	s, err := openScreen()
	if err != nil {
		return fmt.Errorf("no screen: %w; --once and --count need none", bareError(err))
	}
	defer s.tty.Close()
	view := top.NewView(t.choice, time.Duration(t.interval))
	view.Colour = a.colour
	s.listen()
	defer signal.Stop(s.signals)
	done := make(chan error, 1)
	go func() {
		done <- func() error {
			defer s.Fini() // also when it panics: what is said of that must be readable
			return top.Run(ctx, s, source, view, top.Options{Stop: s.stop, Signals: s.signals})
		}()
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(patience):
			err = errors.Join(ctx.Err(), term.Restore(int(s.tty.Fd()), s.was))
		}
	}
	var ended *top.Ended
	var gone *tcell.EventError
	switch {
	case errors.As(err, &gone): // a signal may be on its way that says so as well
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(patience):
		}
	case errors.Is(err, top.ErrInterrupted):
		return endByInterrupt(ctx)
	case errors.As(err, &ended):
		dieOf(ended.Signal.(syscall.Signal))
	}
	return err
}

// canMoveCursor says why the terminal is none for a screen.
func canMoveCursor(name string) error {
	info, err := tcell.LookupTerminfo(name)
	if err != nil || info.SetCursor == "" {
		return fmt.Errorf("a terminal of TERM=%s is not known to have a screen; --once and --count print tables", name)
	}
	return nil
}

// screen is the terminal.
type screen struct {
	tcell.Screen
	tty     *os.File
	was     *term.State
	signals chan os.Signal
}

// openScreen takes the terminal.
func openScreen() (*screen, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	s := &screen{tty: tty, signals: make(chan os.Signal, 8)}
	if s.was, err = term.GetState(int(tty.Fd())); err == nil {
		tcell.SetEncodingFallback(tcell.EncodingFallbackASCII) // for locales that it does not know
		if s.Screen, err = tcell.NewTerminfoScreen(); err == nil {
			err = s.Init()
		}
	}
	if err != nil {
		return nil, errors.Join(err, tty.Close())
	}
	return s, nil
}

// listen hears of what is to be done to the terminal.
func (s *screen) listen() {
	for _, sig := range []os.Signal{syscall.SIGTSTP, syscall.SIGCONT, syscall.SIGQUIT} {
		if !signal.Ignored(sig) {
			signal.Notify(s.signals, sig)
		}
	}
}

// unstoppable is after what time a process runs that was to be stopped, because nobody
// could continue it.
const unstoppable = 200 * time.Millisecond

// stop stops the process until it is continued; as the key of a terminal does it, with
// all of its group.
//
// It stops by SIGTTOU: for a signal that was once caught, as SIGTSTP was, the Go runtime
// never lets the kernel do what it does by default. Neither stops a process that no shell
// could continue, as SIGSTOP would.
func (s *screen) stop(group bool) {
	continued := make(chan os.Signal, 1)
	signal.Notify(continued, syscall.SIGCONT)
	defer signal.Stop(continued)
	signal.Stop(s.signals)
	defer s.listen()
	if group && syscall.Kill(0, syscall.SIGTSTP) != nil {
		return
	}
	if syscall.Kill(os.Getpid(), syscall.SIGTTOU) != nil {
		return
	}
	select {
	case <-continued:
	case <-time.After(unstoppable):
	}
}

// endByInterrupt ends as other commands do when somebody presses Ctrl-C, which is no
// signal while there is a screen.
func endByInterrupt(ctx context.Context) error {
	if signal.Ignored(syscall.SIGINT) {
		return nil
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}
