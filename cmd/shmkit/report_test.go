package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/sysv"
)

func TestOneLineForWhateverComes(t *testing.T) {
	for text, want := range map[string]string{
		"plain — text":    "plain — text",
		"a\nb\n":          `a\nb\n`,
		"tab\tesc\x1b[2":  `tab\tesc\x1b[2`,
		"bad\xffbyte":     `bad\xffbyte`,
		"real \ufffd":     "real \ufffd",
		"right\u202eleft": `right\u202eleft`,
		"\x00":            `\x00`,
		"":                "",
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestReportedErrors(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	failed := func(err error) error { return &failure{err} }
	gone := &sysv.Error{Op: "open", Object: "segment sysv:0x1", Err: syscall.ENOENT}
	for _, c := range []struct {
		ctx  context.Context
		err  error
		code int
		text string
	}{
		{t.Context(), nil, 0, ""},
		{t.Context(), failed(errors.New("it broke")), 1, "x: it broke\n"},
		{t.Context(), failed(errors.Join(errors.New("one"), errors.New("two"))), 1, "x: one; two\n"},
		{t.Context(), failed(fmt.Errorf("of a\nb: %w (%w)", errors.Join(errors.New("one\ntwo"), nil, errors.New("three")), errors.New("c\nd"))), 1, `x: of a\nb: one\ntwo; three (c\nd)` + "\n"},
		{t.Context(), failed(errors.Join(&fs.PathError{Op: "open", Path: "a\nb", Err: syscall.EIO}, errors.New("x"))), 1, `x: open a\nb: input/output error; x` + "\n"},
		{t.Context(), failed(usagef("%w and %s", errors.Join(errors.New("1"), errors.New("2")), "a\nb")), 2, `x: 1; 2 and a\nb; see x --help` + "\n"},
		{t.Context(), failed(errReported), 1, ""},
		{t.Context(), failed(usagef("no %d", 1)), 2, "x: no 1; see x --help\n"},
		{t.Context(), failed(fmt.Errorf("wrapped: %w", usagef("no"))), 2, "x: wrapped: no; see x --help\n"},
		{t.Context(), errors.New("cobra found it"), 2, "x: cobra found it; see x --help\n"},
		{t.Context(), failed(gone), 1, "x: segment sysv:0x1 does not exist\n"},
		{t.Context(), failed(&sysv.Error{Op: "wait", Object: "set", Err: syscall.EIDRM}), 1, "x: set was removed\n"},
		{t.Context(), failed(fmt.Errorf("in between: %w", gone)), 1, "x: in between: " + gone.Error() + "\n"},
		{t.Context(), failed(&outputError{syscall.EPIPE}), 1, "x: standard output was closed\n"},
		{t.Context(), failed(errors.Join(errors.New("more"), &outputError{syscall.ENOSPC})), 1, "x: more; standard output: no space left on device\n"},
		{t.Context(), &outputError{syscall.ENOSPC}, 1, "x: standard output: no space left on device\n"},
		{t.Context(), failed(context.Canceled), 1, "x: context canceled\n"},
		{cancelled, failed(fmt.Errorf("while waiting: %w", context.Canceled)), 1, ""},
		{cancelled, failed(errors.New("it broke")), 1, "x: it broke\n"},
	} {
		var errs bytes.Buffer
		a := &app{err: &errs}
		if code := a.report(c.ctx, &cobra.Command{Use: "x"}, c.err); code != c.code || errs.String() != c.text {
			t.Errorf("%v: code %d, %q; want %d, %q", c.err, code, errs.String(), c.code, c.text)
		}
	}
}

// blocked is a reader and writer that blocks until released.
type blocked chan struct{}

func (b blocked) Read([]byte) (int, error)  { <-b; return 0, io.EOF }
func (b blocked) Write([]byte) (int, error) { <-b; return 0, io.ErrClosedPipe }

func TestBlockedStreamsDoNotKeepTheProgram(t *testing.T) {
	b := make(blocked)
	defer close(b)
	ctx, cancel := context.WithCancel(t.Context())
	out, in := &output{ctx: ctx, w: b}, &input{ctx, b}
	cancel()
	if _, err := out.Write([]byte("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	if !errors.Is(out.err, context.Canceled) {
		t.Errorf("the failure is forgotten: %v", out.err)
	}
}

func TestAFailedWriteIsNeverMissed(t *testing.T) {
	r := runApp(t, &app{out: failing{syscall.EIO}}, "ls")
	refused(t, r, exitFailed, "shmkit ls: standard output: input/output error")
	if r := runApp(t, &app{out: failing{syscall.EPIPE}}, "--help"); !strings.Contains(r.err, "standard output was closed") || r.code != 1 {
		t.Errorf("%+v", r)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
