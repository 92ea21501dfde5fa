package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
)

// These tests set the clock of the machine, for everybody on it: no namespace has a wall
// clock of its own. So they run only where that is asked for, as .ci/run does on a machine
// of their own.
const envSetClock = "SHMKIT_SET_CLOCK"

func requireClock(t *testing.T) {
	t.Helper()
	testenv.RequireRoot(t)
	if os.Getenv(envSetClock) != "1" {
		t.Skipf("sets the clock of the whole machine: %s=1 allows that on one that nobody else needs; `bash .ci/run clock` makes one", envSetClock)
	}
}

// wrongAtMost is how long the clock stays wrong if nobody puts it right. It takes a fraction
// of a second when all is well; every wait of a test that fails is over by then.
const wrongAtMost = 2 * shmtest.Failsafe

// A rightClock knows what time it is by the monotonic clock.
type rightClock struct {
	wall time.Time
	mono time.Duration
}

func readClock() rightClock { return rightClock{time.Now().Round(0), sys.MonotonicNow()} }

func (c rightClock) now() time.Time { return c.wall.Add(sys.MonotonicNow() - c.mono) }

// ahead is how far ahead the machine's clock is.
func (c rightClock) ahead() time.Duration { return time.Now().Round(0).Sub(c.now()) }

// alike reports whether two offsets are the same but for what a slow machine does.
func alike(a, b time.Duration) bool { return (a - b).Abs() < 10*time.Minute }

// clockKeeper is the process that sets the clock, and puts it right again: when it is told to,
// when it is told nothing for a while, and when its standard input ends, which it also does when
// whoever holds the other end is killed. It hears offsets from the right time.
func clockKeeper([]string) (err error) {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	right := readClock()
	set := func(ahead time.Duration) error { return sys.SetWallClock(right.now().Add(ahead)) }
	if err := set(0); err != nil {
		return shmtest.Say("refused: %v", err)
	}
	defer func() { err = errors.Join(err, set(0)) }()
	if err := shmtest.Say("ready"); err != nil {
		return err
	}
	orders := make(chan string)
	go func() {
		defer close(orders)
		for {
			line, err := shmtest.Hear()
			if err != nil {
				return
			}
			orders <- line
		}
	}()
	var overdue <-chan time.Time
	for {
		select {
		case order, ok := <-orders:
			if !ok {
				return nil
			}
			ahead, err := time.ParseDuration(order)
			if err != nil {
				return err
			}
			overdue = time.After(wrongAtMost)
			if err := errors.Join(set(ahead), shmtest.Say("set")); err != nil {
				return err
			}
		case <-overdue:
			return errors.New("the clock was wrong for too long")
		}
	}
}

// asKeeper makes the command of a keeper one that outlives who started it, long enough.
func asKeeper(c *exec.Cmd) error {
	c.SysProcAttr.Setpgid = true
	c.SysProcAttr.Pdeathsig = syscall.SIGTERM // which it ignores
	return nil
}

// startKeeper starts the keeper of a test, which ends with it.
func startKeeper(t *testing.T) *shmtest.Proc {
	t.Helper()
	right := readClock()
	p := shmtest.StartWith(t, &shmtest.StartOptions{Prepare: asKeeper}, "clock keeper")
	t.Cleanup(func() {
		p.CloseStdin()
		if err := p.Wait(); err != nil {
			t.Errorf("who keeps the clock: %v; set right: %v", err, sys.SetWallClock(right.now()))
		}
		if off := right.ahead(); !alike(off, 0) {
			t.Errorf("the clock is %v ahead in the end", off)
		}
	})
	line, err := p.ReadLine()
	must(t, err)
	if strings.HasPrefix(line, "refused") {
		t.Skip("the clock cannot be set here: ", line)
	}
	return p
}

var _ = addRoles(map[string]shmtest.Role{
	"clock keeper": clockKeeper,
	// clock setter sets the clock, and does not put it right.
	"clock setter": func(args []string) error {
		c := testenv.Command("clock keeper")
		if err := asKeeper(c); err != nil {
			return err
		}
		orders, err := c.StdinPipe()
		if err != nil {
			return err
		}
		c.Stdout = os.Stdout
		if err := c.Start(); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(orders, args[0]); err != nil {
			return err
		}
		return c.Wait()
	},
})

// Whoever sets the clock may be killed. Without that the other tests must not be run.
func TestTheClockIsPutRightWhenItsTestIsKilled(t *testing.T) {
	requireClock(t)
	startKeeper(t) // should the other one fail
	right := readClock()
	p := shmtest.Start(t, "clock setter", "1h")
	p.Expect("ready")
	p.Expect("set")
	p.Kill()
	shmtest.Eventually(t, "the clock is right", func() bool { return alike(right.ahead(), 0) })
}

// The clock of the machine is set an hour forward or back: deadlines stay where they were, and who
// dies meanwhile is found.
func TestTheClockIsSet(t *testing.T) {
	requireClock(t)
	keeper := startKeeper(t)
	for _, ahead := range []time.Duration{-time.Hour, time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			for brief := 300 * time.Millisecond; !withTheClock(t, keeper, ahead, brief); brief *= 2 {
				t.Logf("%v were over before the clock was set", brief)
			}
		})
	}
}

// withTheClock does it once, with deadlines that are near and such that are far. false: the near
// ones came before the clock was set.
func withTheClock(t *testing.T, keeper *shmtest.Proc, ahead, near time.Duration) (shown bool) {
	t.Helper()
	right := readClock()
	briefDir, _ := mustOwnAll(t)
	patientDir, owner := mustOwnAll(t)
	bankDir := shmtest.Dir(t)
	brief, patient := openScene[everything](t, briefDir), openScene[everything](t, patientDir)
	b := mustOpenBank(t, bankDir, 2)
	doomed := aHolder(t, nil, bankDir)
	heir := b.entering(limited(t))
	asleep(t, b, nil)
	stays := waitForAll(within(t, 10*time.Minute), patient)
	allAsleep(t, patientDir)

	leaves := waitForAll(within(t, near), brief)
	allWaitFor(t, leaves, briefDir)
	keeper.Send(ahead.String())
	keeper.Expect("set")
	shown = !anyEnded(leaves)
	if off := right.ahead(); !alike(off, ahead) {
		t.Errorf("the clock is %v ahead, not %v", off, ahead)
	}
	doomed.Kill()
	if !entered(t, heir) {
		t.Error("the death was not told")
	}
	wrong := allEnd(leaves, context.DeadlineExceeded)
	if anyEnded(stays) {
		t.Error("somebody whose deadline is far does not wait any more")
	}
	wrong = errors.Join(wrong, owner.giveAll(limited(t)), allEnd(stays, nil))
	keeper.Send("0s")
	keeper.Expect("set")
	mustLeave(t, b)
	must(t, wrong)
	return shown
}

// allWaitFor waits until all sleep, or some have given up.
func allWaitFor(t *testing.T, waits map[string]<-chan error, dir string) {
	t.Helper()
	shmtest.Eventually(t, "all sleep", func() bool { return anyEnded(waits) || sleepers(t, dir, object.Struct, "scene") == len(waits) })
}

func anyEnded(waits map[string]<-chan error) bool {
	for _, c := range waits {
		if done(c) {
			return true
		}
	}
	return false
}
