package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// Linux has no limit of the number of file locks: RLIMIT_LOCKS has not counted since 2.4.25. The
// kernel still has ENOLCK, for a lock that it has no memory for. A seccomp filter says so in
// its place: to those who ask for a lock, those who look for one, or both.
var refusals = map[string][]int{
	"locks":  {sys.FcntlSetLock},
	"looks":  {sys.FcntlTestLock},
	"either": {sys.FcntlSetLock, sys.FcntlTestLock},
}

// deniedRole is a role at a bank: the process that the kernel begins to refuse things. Of each order it
// says how that ended.
func deniedRole(b *teller, args []string) error {
	say := func(err error) error {
		if err != nil {
			return shmtest.Say("ENOLCK %t, late %t: %v", errors.Is(err, syscall.ENOLCK), errors.Is(err, context.DeadlineExceeded), err)
		}
		return shmtest.Say("done")
	}
	for {
		order, err := shmtest.Hear()
		if err != nil {
			return err
		}
		verb, what, _ := strings.Cut(order, " ")
		told := false
		switch verb {
		case "refuse":
			err = sys.RefuseFcntl(syscall.ENOLCK, refusals[what]...)
		case "limit":
			err = sys.SetFileLockLimit(0)
		case "open":
			var mu *pshared.Mutex
			if mu, err = pshared.OpenMutex(what, &pshared.Options{Dir: args[0]}); err == nil {
				err = mu.Close()
			}
		case "work":
			told, err = b.work(context.Background())
		case "try": // in vain
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			told, err = b.work(ctx)
			cancel()
		case "sweep":
			_, err = b.mu.Sweep()
		case "close":
			err = b.s.Close()
		case "end":
			return nil
		}
		if told {
			err = errors.Join(err, errors.New("told"))
		}
		if err := say(err); err != nil {
			return err
		}
	}
}

var _ = addRoles(map[string]shmtest.Role{"refused": asTeller(func(b *teller, args []string) error {
	return deniedRole(b, []string{b.s.Dir()})
})})

// A refusal is a process of that role.
type refusal struct {
	t *testing.T
	p *shmtest.Proc
}

func startRefused(t *testing.T, dir string) refusal {
	t.Helper()
	return refusal{t, shmtest.Start(t, "refused", dir, "3")}
}

// do gives an order and returns how that ended.
func (r refusal) do(format string, args ...any) string {
	r.t.Helper()
	r.p.Send(fmt.Sprintf(format, args...))
	line, err := r.p.ReadLine()
	must(r.t, err)
	return line
}

// must is do of what is to succeed.
func (r refusal) must(format string, args ...any) {
	r.t.Helper()
	if line := r.do(format, args...); line != "done" {
		r.t.Errorf(format+": %s", append(args, line)...)
	}
}

// end ends the process.
func (r refusal) end() {
	r.t.Helper()
	r.p.Send("end")
	must(r.t, r.p.Wait())
}

func TestNoLimitOfLocksCounts(t *testing.T) {
	r := startRefused(t, shmtest.Dir(t))
	r.must("limit")
	r.must("open x")
	r.must("work")
	r.must("close")
	r.end()
}

// What cannot be opened says why, and leaves nothing.
func TestOpenWhereTheKernelRefusesLocks(t *testing.T) {
	for what := range refusals {
		t.Run(what, func(t *testing.T) {
			dir := shmtest.Dir(t)
			mustOpenBank(t, dir, 2) // which removes the name in the end
			mu := openMutex(t, dir, "here")
			r := startRefused(t, dir)
			r.must("work")
			r.must("refuse %s", what)
			before := names(t, dir)
			for name, op := range map[string]string{"here": "open", "new": "create"} {
				if what == "looks" && name == "new" {
					continue // whoever makes an object need not look
				}
				line := r.do("open %s", name)
				for _, part := range []string{"ENOLCK true", op + " lock:" + name, "no locks available", "memory", "SHMKIT_DIR"} {
					if !strings.Contains(line, part) {
						t.Errorf("open %s: %q does not say %q", name, line, part)
					}
				}
			}
			if after := names(t, dir); after != before {
				t.Errorf("it left %s, and there was %s", after, before)
			}
			i, err := pshared.Look("lock", "here", dir)
			must(t, err)
			if len(i.Members) != 1 {
				t.Errorf("members %+v", i.Members)
			}
			must(t, errors.Join(mu.Lock(ctx), mu.Unlock()))
			r.end()
		})
	}
}

// names are those in a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	return fmt.Sprint(entries)
}

// Who has a lock open when it begins goes on with it. What it cannot find out about the dead it
// leaves to others.
func TestAHandleWhereTheKernelRefusesLocks(t *testing.T) {
	for what := range refusals {
		t.Run(what, func(t *testing.T) {
			dir := shmtest.Dir(t)
			b := mustOpenBank(t, dir, 2)
			r := startRefused(t, dir)
			r.must("work")
			r.must("refuse %s", what)
			for range 10 {
				r.must("work")
				mustWork(t, b)
			}
			mustEnter(t, b)
			if line := r.do("try"); !strings.Contains(line, "late true") { // nothing is stolen
				t.Errorf("while another has it: %s", line)
			}
			mustLeave(t, b)
			r.must("work")

			dieHolding(t, dir, 9)
			seen := what == "locks" // it can look
			order := "try"
			if seen {
				order = "work"
			}
			if line := r.do("%s", order); strings.Contains(line, "told") != seen || strings.Contains(line, "late true") == seen {
				t.Errorf("after a death: %s", line)
			}
			if told := mustWork(t, b); told == seen {
				t.Errorf("told of the death there: %t, here: %t", seen, told)
			}
			r.must("work")
			if line := r.do("sweep"); what != "looks" && !strings.Contains(line, "ENOLCK true") {
				t.Errorf("sweep: %s", line)
			}
			if line := r.do("close"); what != "looks" && !strings.Contains(line, "ENOLCK true") {
				t.Errorf("close: %s", line)
			}
			r.end()
			finish(t, b)
		})
	}
}

// Whoever was the last to have it and could not even look whether it was leaves a name; the
// next one finds that nobody has it.
func TestTheLastCloseWhereTheKernelRefusesLocks(t *testing.T) {
	dir := shmtest.Dir(t)
	r := startRefused(t, dir)
	r.must("work")
	r.must("refuse either")
	if line := r.do("close"); !strings.Contains(line, "ENOLCK true") || !strings.Contains(line, "close struct:bank") {
		t.Errorf("close: %s", line)
	}
	r.end()
	b := mustOpenBank(t, dir, 2)
	if n := b.d.A.Load(); n != 0 {
		t.Errorf("what another had is there: %d turns", n)
	}
	mustWork(t, b)
}

// Everything else that can be waited for: where nothing can be found out about the dead, who waits
// for one waits until the deadline, or is told of the refusal.
func TestWaitingWhereTheKernelRefusesLocks(t *testing.T) {
	for what := range refusals {
		for _, dead := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, dead %t", what, dead), func(t *testing.T) {
				dir := shmtest.Dir(t)
				owner := shmtest.Start(t, "all owner", dir)
				owner.Expect("has it")
				waiter := shmtest.Start(t, "refused waiter", dir, what)
				waiter.Expect("refused")
				if dead {
					owner.Kill()
				}
				waiter.Send("wait")
				for {
					line, err := waiter.ReadLine()
					must(t, err)
					if line == "ended" {
						break
					}
					if !strings.Contains(line, "late true") && !strings.Contains(line, "ENOLCK true") && !(dead && what == "locks") {
						t.Error(line)
					}
				}
				waiter.Kill()
				owner.Kill()
				must(t, pshared.Remove("struct", "scene", dir))
			})
		}
	}
}

var _ = addRoles(map[string]shmtest.Role{
	// refused waiter waits for everything, and says of each how that ended.
	"refused waiter": inScene(func(s *pshared.Shared[everything], args []string) error {
		if err := errors.Join(sys.RefuseFcntl(syscall.ENOLCK, refusals[args[0]]...), shmtest.Say("refused")); err != nil {
			return err
		}
		if _, err := shmtest.Hear(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		for name, c := range waitForAll(ctx, s) {
			err := <-c
			if err := shmtest.Say("%s: ENOLCK %t, late %t: %v", name, errors.Is(err, syscall.ENOLCK), errors.Is(err, context.DeadlineExceeded), err); err != nil {
				return err
			}
		}
		return shmtest.Say("ended")
	}),
})
