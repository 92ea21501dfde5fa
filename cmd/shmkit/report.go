package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

// Exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// errReported is the failure of a command that has said itself what went wrong.
var errReported = errors.New("reported")

// usagef makes the error of a command line that is wrong. Every other error of a
// command means that what it was to do failed.
func usagef(format string, args ...any) error { return kind.Usage(format, args...) }

// failure is an error that came out of a command, unlike those that cobra finds
// before it runs one, which are all wrong usage.
type failure struct{ err error }

func (e *failure) Error() string { return e.err.Error() }
func (e *failure) Unwrap() error { return e.err }

// markFailures makes the errors of cmd, and of all commands below it, failures.
func markFailures(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			err := run(cmd, args)
			if err != nil {
				return &failure{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		markFailures(sub)
	}
}

// report says what went wrong, in one line, and returns the exit code.
func (a *app) report(ctx context.Context, cmd *cobra.Command, err error) int {
	var ran *failure
	var usage *kind.UsageError
	var out *outputError
	var child *childExit
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errReported):
		return exitFailed
	case errors.As(err, &child):
		return child.code
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		// The user, who asked for it, need not be told.
		return exitFailed
	case errors.As(err, &out) && !errors.As(err, &ran): // of help
		a.say(cmd, out)
		return exitFailed
	case errors.As(err, &usage), !errors.As(err, &ran):
		fmt.Fprintf(a.err, "%s: %s; see %s --help\n", cmd.CommandPath(), oneLine(joined(err)), cmd.CommandPath())
		return exitUsage
	}
	a.say(cmd, ran.err)
	return exitFailed
}

// say writes one line about err.
func (a *app) say(cmd *cobra.Command, err error) {
	fmt.Fprintf(a.err, "%s: %s\n", cmd.CommandPath(), oneLine(plain(err)))
}

// plain is the text of an error. What the library says of an object that isn't
// there is put as people would.
func plain(err error) string {
	e, ok := err.(*sysv.Error)
	switch {
	case !ok:
	case errors.Is(e, syscall.EIDRM):
		return e.Object + " was removed"
	case errors.Is(e, fs.ErrNotExist):
		return e.Object + " does not exist"
	}
	return joined(err)
}

// joined is the text of an error, with what errors.Join put on lines of their own in one
// line: any newline left is one of a name.
func joined(err error) string {
	text := err.Error()
	if !strings.Contains(text, "\n") {
		return text
	}
	var parts []error
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		parts = e.Unwrap()
	case interface{ Unwrap() error }:
		if e.Unwrap() != nil {
			parts = []error{e.Unwrap()}
		}
	}
	was, now := make([]string, len(parts)), make([]string, len(parts))
	for i, part := range parts {
		was[i], now[i] = part.Error(), joined(part)
	}
	if len(parts) > 1 && text == strings.Join(was, "\n") {
		return strings.Join(now, "; ")
	}
	for i := range parts {
		text = strings.Replace(text, was[i], now[i], 1)
	}
	return text
}

// oneLine makes text fit a line of a terminal, whatever it holds: names of files
// and users come from elsewhere.
func oneLine(text string) string {
	if strings.IndexFunc(text, unprintable) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unprintable(r):
			q := fmt.Sprintf("%q", r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
