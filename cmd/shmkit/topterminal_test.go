package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/internal/top"
)

// emulator is a terminal of which the test is the screen and the keys, and a program that
// it belongs to.
type emulator struct {
	t           testing.TB
	screen, tty *os.File
	before      *term.State
	cmd         *exec.Cmd
	done        chan struct{} // closed when the program has ended
	gone        sync.Once

	mu     sync.Mutex
	output strings.Builder // protected by mu
}

// onTerminal starts a program on a terminal of its own, of xterm's sort unless env says
// another one. It is killed when the test ends.
func onTerminal(t testing.TB, columns, rows uint16, env []string, name string, args ...string) *emulator {
	t.Helper()
	e := &emulator{t: t, done: make(chan struct{}), cmd: exec.Command(name, args...)}
	var err error
	if e.screen, e.tty, err = pty.Open(); err != nil {
		t.Skipf("no terminal to be had: %v", err)
	}
	t.Cleanup(e.hangUp)
	t.Cleanup(func() { e.tty.Close() })
	if err := pty.Setsize(e.screen, &pty.Winsize{Cols: columns, Rows: rows}); err != nil {
		t.Fatal(err)
	}
	e.before = e.state()
	e.cmd.Stdin, e.cmd.Stdout, e.cmd.Stderr = e.tty, e.tty, e.tty
	e.cmd.Env = append(append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "NO_COLOR=", "COLUMNS=", "LINES="), env...)
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := testenv.StartCommand(e.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = e.cmd.Wait() // the state tells how it ended
		close(e.done)
	}()
	t.Cleanup(func() {
		_ = e.cmd.Process.Kill()
		<-e.done
	})
	return e
}

// read reads what is written to the terminal, from now on.
func (e *emulator) read() *emulator {
	read := make(chan struct{})
	go func() {
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := e.screen.Read(buf)
			e.mu.Lock()
			e.output.Write(buf[:n])
			e.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	e.t.Cleanup(func() {
		e.hangUp()
		e.tty.Close()
		<-read
	})
	return e
}

// hangUp takes the terminal away.
func (e *emulator) hangUp() { e.gone.Do(func() { e.screen.Close() }) }

// state is how the terminal is set.
func (e *emulator) state() *term.State {
	e.t.Helper()
	s, err := term.GetState(int(e.tty.Fd()))
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

// isAsBefore reports whether the terminal is set as it was.
func (e *emulator) isAsBefore() bool { return reflect.DeepEqual(e.state(), e.before) }

// text is all that was written so far.
func (e *emulator) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.output.String()
}

// sees waits until a text was written, behind what was written first.
func (e *emulator) sees(text string, behind int) {
	e.t.Helper()
	defer func() {
		if e.t.Failed() {
			e.t.Logf("what was written is %q", e.text())
		}
	}()
	testenv.Eventually(e.t, "the terminal sees "+text, func() bool { return strings.Contains(e.text()[behind:], text) })
}

func (e *emulator) types(keys string) {
	e.t.Helper()
	if _, err := e.screen.WriteString(keys); err != nil {
		e.t.Fatal(err)
	}
}

func (e *emulator) signal(sig syscall.Signal) {
	e.t.Helper()
	if err := e.cmd.Process.Signal(sig); err != nil {
		e.t.Fatal(err)
	}
}

// ends waits until the program has ended, and returns how.
func (e *emulator) ends() syscall.WaitStatus {
	e.t.Helper()
	select {
	case <-e.done:
	case <-time.After(testenv.Failsafe):
		e.t.Fatalf("it does not end; it wrote %q", e.text())
	}
	return e.cmd.ProcessState.Sys().(syscall.WaitStatus)
}

// What xterm is told.
const (
	entersScreen = "\x1b[?1049h"
	leavesScreen = "\x1b[?1049l"
	showsCursor  = "\x1b[?25h"
	showsList    = "ADDRESS"
)

// isRestored fails unless the terminal is as it was.
func (e *emulator) isRestored() {
	e.t.Helper()
	if !e.isAsBefore() {
		e.t.Error("the terminal is set otherwise than before")
	}
	// What the program wrote last may still be on its way.
	testenv.Eventually(e.t, "the screen was left, and the cursor is there", func() bool {
		text := e.text()
		left, entered := strings.LastIndex(text, leavesScreen), strings.LastIndex(text, entersScreen)
		return left > entered && strings.LastIndex(text, showsCursor) > entered
	})
}

func startTop(t testing.TB, args ...string) *emulator {
	t.Helper()
	e := onTerminal(t, 80, 24, nil, "shmkit", append([]string{"top", "--interval", "100ms", "sem"}, args...)...).read()
	e.sees(showsList, 0)
	if e.isAsBefore() {
		t.Error("the terminal still echoes keys")
	}
	return e
}

func TestTopRestoresTheTerminalHoweverItEnds(t *testing.T) {
	exited := func(code int) func(syscall.WaitStatus) bool {
		return func(s syscall.WaitStatus) bool { return s.Exited() && s.ExitStatus() == code }
	}
	signaled := func(sig syscall.Signal) func(syscall.WaitStatus) bool {
		return func(s syscall.WaitStatus) bool { return s.Signaled() && s.Signal() == sig }
	}
	for name, c := range map[string]struct {
		end func(e *emulator)
		how func(syscall.WaitStatus) bool
	}{
		"q":              {func(e *emulator) { e.types("q") }, exited(0)},
		"q in a look":    {func(e *emulator) { e.types("?xjk/sem\r\rq") }, exited(0)},
		"Ctrl-C":         {func(e *emulator) { e.types("\x03") }, signaled(syscall.SIGINT)},
		"SIGINT":         {func(e *emulator) { e.signal(syscall.SIGINT) }, signaled(syscall.SIGINT)},
		"SIGTERM":        {func(e *emulator) { e.signal(syscall.SIGTERM) }, signaled(syscall.SIGTERM)},
		"SIGHUP":         {func(e *emulator) { e.signal(syscall.SIGHUP) }, signaled(syscall.SIGHUP)},
		"SIGQUIT":        {func(e *emulator) { e.signal(syscall.SIGQUIT) }, exited(2)}, // with the stacks, as of any program
		"typed a filter": {func(e *emulator) { e.types("/x"); e.signal(syscall.SIGTERM) }, signaled(syscall.SIGTERM)},
	} {
		t.Run(name, func(t *testing.T) {
			e := startTop(t)
			c.end(e)
			if s := e.ends(); !c.how(s) {
				t.Errorf("exit code %d, signal %v, %q", s.ExitStatus(), s.Signal(), e.text())
			}
			e.isRestored()
		})
	}
}

// topPanicsRole is top with a source that panics when it is asked again.
func topPanicsRole([]string) error {
	ctx, _ := signalContext()
	asked := 0
	source := sourceFunc(func() (*top.Sample, error) {
		if asked++; asked > 1 {
			panic("the source fell")
		}
		return &top.Sample{At: time.Now()}, nil
	})
	t := &topping{choice: top.Choice{Sort: "size"}, interval: intervalFlag(top.ShortestInterval)}
	return t.live(ctx, &app{getenv: os.Getenv}, source)
}

type sourceFunc func() (*top.Sample, error)

func (f sourceFunc) Sample(context.Context) (*top.Sample, error) { return f() }

func (sourceFunc) Look(context.Context, top.Item) ([]string, error) {
	return nil, errors.ErrUnsupported
}

func TestTopThatPanicsRestoresTheTerminalFirst(t *testing.T) {
	e := onTerminal(t, 80, 24, []string{roleVariable + "=top-panics"}, os.Args[0]).read()
	if s := e.ends(); s.ExitStatus() != 2 {
		t.Errorf("exit code %d", s.ExitStatus())
	}
	e.isRestored()
	testenv.Eventually(t, "what is said of it stands behind the screen", func() bool {
		text := e.text()
		return strings.Contains(text[strings.LastIndex(text, leavesScreen):], "the source fell")
	})
}

func TestTopEndsWithItsTerminal(t *testing.T) {
	e := startTop(t)
	e.hangUp()
	// It may see that the terminal is gone long before it is told.
	if s := e.ends(); s.Signal() != syscall.SIGHUP && s.ExitStatus() != exitFailed {
		t.Errorf("exit code %d, signal %v", s.ExitStatus(), s.Signal())
	}
	// Also if nobody tells it.
	e = onTerminal(t, 80, 24, nil, "sh", "-c", "trap '' HUP; exec shmkit top --interval 1h").read()
	e.sees(showsList, 0)
	e.hangUp()
	if s := e.ends(); s.ExitStatus() != exitFailed {
		t.Errorf("exit code %d, signal %v", s.ExitStatus(), s.Signal())
	}
}

// A terminal that takes no output any more, such as that of a connection that is stuck,
// keeps it from nothing.
func TestTopEndsThoughNobodyReadsItsScreen(t *testing.T) {
	e := onTerminal(t, 200, 60, nil, "shmkit", "top", "--interval", "100ms")
	testenv.Eventually(t, "it has the terminal", func() bool { return !e.isAsBefore() })
	beside, err := os.OpenFile(e.tty.Name(), os.O_WRONLY|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	testenv.Eventually(t, "nobody can write any more", func() bool {
		if err := beside.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := beside.WriteString(strings.Repeat(".", 1000))
		return errors.Is(err, os.ErrDeadlineExceeded)
	})
	e.signal(syscall.SIGTERM)
	if s := e.ends(); s.Signal() != syscall.SIGTERM {
		t.Errorf("exit code %d, signal %v", s.ExitStatus(), s.Signal())
	}
	if !e.isAsBefore() {
		t.Error("the terminal is set otherwise than before")
	}
}

func TestTopIsStoppedAndContinued(t *testing.T) {
	for name, stop := range map[string]func(e *emulator){
		"Ctrl-Z": func(e *emulator) { e.types("\x1a") },
		"SIGTSTP": func(e *emulator) {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", e.cmd.Process.Pid))
			var pid int
			if err == nil {
				_, err = fmt.Sscan(string(text), &pid)
			}
			if err == nil {
				err = syscall.Kill(pid, syscall.SIGTSTP)
			}
			if err != nil {
				e.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := onTerminal(t, 80, 24, nil, "sh", "-mc", "shmkit top --interval 100ms sem; echo now it is stopped; read line; fg; echo ended: $?").read()
			e.sees(showsList, 0)
			stop(e)
			e.sees("now it is stopped", 0)
			e.isRestored()
			at := len(e.text())
			e.types("\n")
			e.sees(showsList, at)
			testenv.Eventually(t, "it has the terminal again", func() bool { return !e.isAsBefore() })
			e.types("q")
			e.sees("ended: 0", at)
			if s := e.ends(); s.ExitStatus() != 0 {
				t.Errorf("exit code %d", s.ExitStatus())
			}
			e.isRestored()
		})
	}
}

// Who is stopped without being asked leaves the terminal as it is; others put it in order.
func TestTopTakesTheTerminalAgainWhenItIsContinued(t *testing.T) {
	e := startTop(t)
	e.signal(syscall.SIGSTOP)
	testenv.Eventually(t, "it is stopped", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", e.cmd.Process.Pid))
		return err == nil && strings.Contains(string(text), ") T ")
	})
	if err := term.Restore(int(e.tty.Fd()), e.before); err != nil {
		t.Fatal(err)
	}
	at := len(e.text())
	e.signal(syscall.SIGCONT)
	e.sees(showsList, at)
	testenv.Eventually(t, "keys are not echoed", func() bool { return !e.isAsBefore() })
	e.types("q")
	if s := e.ends(); s.ExitStatus() != 0 {
		t.Errorf("exit code %d", s.ExitStatus())
	}
	e.isRestored()
}

func TestTopFollowsTheSizeOfItsTerminal(t *testing.T) {
	e := startTop(t)
	if strings.Contains(e.text(), "COMMAND") {
		t.Fatal("80 columns have room for commands")
	}
	if err := pty.Setsize(e.screen, &pty.Winsize{Cols: 160, Rows: 50}); err != nil {
		t.Fatal(err)
	}
	e.sees("COMMAND", 0)
	e.types("q")
	e.ends()
}

func TestTopSaysWhenATerminalHasNoScreen(t *testing.T) {
	for _, name := range []string{"dumb", "", "no-such-thing"} {
		e := onTerminal(t, 80, 24, []string{"TERM=" + name}, "shmkit", "top").read()
		if s := e.ends(); s.ExitStatus() != exitFailed {
			t.Errorf("TERM=%s: exit code %d", name, s.ExitStatus())
		}
		e.sees("shmkit top: a terminal of TERM="+name+" is not known to have a screen", 0)
		if strings.Contains(e.text(), "\x1b") {
			t.Errorf("TERM=%s: %q", name, e.text())
		}
	}
}
