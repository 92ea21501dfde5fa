package pshared_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
)

// inOtherTime makes a role run where the monotonic clock shows something else: in a time
// namespace. A Go program has threads from the beginning and can enter none itself.
func inOtherTime(t *testing.T, offset time.Duration) *shmtest.StartOptions {
	t.Helper()
	testenv.RequireRoot(t)
	if _, err := os.Stat("/proc/self/ns/time"); err != nil {
		t.Skip("this kernel has no time namespaces: ", err)
	}
	unshare := testenv.RequireTool(t, "unshare")
	program, err := os.Executable()
	must(t, err)
	seconds := strconv.FormatInt(int64(offset/time.Second), 10)
	args := []string{unshare, "--time", "--monotonic=" + seconds, "--boottime=" + seconds, "--fork", "--kill-child", "--"}
	if out, err := exec.Command(unshare, append(args[1:], "true")...).CombinedOutput(); err != nil {
		t.Skipf("no time namespace can be made here: %v: %s", err, out)
	}
	return &shmtest.StartOptions{Prepare: func(c *exec.Cmd) error {
		c.Path, c.Args = unshare, append(append(args, program), c.Args[1:]...)
		return nil
	}}
}

var _ = addRoles(map[string]shmtest.Role{
	"clock": func([]string) error { return shmtest.Say("%d", sys.MonotonicNow()) },
})

// elsewhen are offsets of a clock: an hour, and back as far as the clock can go, which shows
// nothing below zero.
func elsewhen() []time.Duration {
	offsets := []time.Duration{time.Hour}
	if up := sys.MonotonicNow(); up > 2*time.Minute {
		offsets = append(offsets, -min(time.Hour, up/2).Truncate(time.Second))
	}
	return offsets
}

// A deadline is an affair of the process that has it. Two whose monotonic clocks are an hour
// apart use the same things all the same: nothing in shared memory is a time that is compared.
func TestMembersWhoseMonotonicClocksDiffer(t *testing.T) {
	for _, offset := range elsewhen() {
		other := inOtherTime(t, offset)
		t.Run(offset.String(), func(t *testing.T) {
			p := shmtest.StartWith(t, other, "clock")
			line, err := p.ReadLine()
			must(t, err)
			there, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
			must(t, err)
			if ahead := time.Duration(there) - sys.MonotonicNow(); (ahead - offset).Abs() > min(offset.Abs()/2, time.Minute) {
				t.Fatalf("the clock there is %v ahead, not %v", ahead, offset)
			}
			must(t, p.Wait())

			t.Run("who waits there", func(t *testing.T) {
				dir, o := mustOwnAll(t)
				brief := shmtest.StartWith(t, other, "all waiter", dir, "300ms", "in vain")
				brief.Expect("ended")
				must(t, brief.Wait())
				patient := shmtest.StartWith(t, other, "all waiter", dir, "1m", "")
				allAsleep(t, dir)
				must(t, o.giveAll(limited(t)))
				patient.Expect("ended")
				must(t, patient.Wait())
			})
			t.Run("who waits here", func(t *testing.T) {
				dir := shmtest.Dir(t)
				p := shmtest.StartWith(t, other, "all owner", dir)
				p.Expect("has it")
				s := openScene[everything](t, dir)
				must(t, allEnd(waitForAll(within(t, 300*time.Millisecond), s), context.DeadlineExceeded))
				waits := waitForAll(within(t, time.Minute), s)
				allAsleep(t, dir)
				p.Send("give")
				must(t, allEnd(waits, nil))
				must(t, p.Wait())
			})
			t.Run("who dies", func(t *testing.T) {
				dir := shmtest.Dir(t)
				b := mustOpenBank(t, dir, 2)
				there := shmtest.StartWith(t, other, "holder", dir, "9")
				there.Expect("held false")
				waits := b.entering(limited(t))
				asleep(t, b, nil)
				there.Kill()
				if !entered(t, waits) {
					t.Error("the death there was not told here")
				}
				mustLeave(t, b)

				here := aHolder(t, nil, dir)
				there = shmtest.StartWith(t, other, "holder", dir, "8")
				asleep(t, b, nil)
				here.Kill()
				there.Expect("held true")
				there.Send("leave")
				must(t, there.Wait())
			})
			t.Run("by turns", func(t *testing.T) {
				dir := shmtest.Dir(t)
				b := mustOpenBank(t, dir, 2)
				const turns = 200
				there := shmtest.StartWith(t, other, "worker", dir, "3", fmt.Sprint(turns))
				there.Expect("ready")
				for range turns {
					mustWork(t, b)
				}
				must(t, there.Wait())
				if n := b.d.A.Load(); n != 2*turns {
					t.Errorf("%d turns", n)
				}
				finish(t, b)
			})
		})
	}
}
