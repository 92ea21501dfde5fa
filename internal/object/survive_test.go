package object

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
)

type ctxt = context.Context

// A zombie, which nobody has waited for, is dead.
func TestAZombieIsDead(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", recovering())
	p, slot, err := startMember(d)
	if err != nil {
		t.Fatal(err)
	}
	generation, _ := unpack(o.record(slot).ident.Load())
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the process is a zombie", func() bool {
		// The first thread may be one while others still run.
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid))
		if err != nil || len(threads) != 1 {
			return false
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
		return err == nil && bytes.Contains(stat, []byte(") Z "))
	})
	if !o.Dead(slot, generation) {
		t.Error("the zombie is alive")
	}
	alone(t, d, o)
	if err := p.kill(); err != nil { // and reap
		t.Error(err)
	}
}

// A member is not taken for dead because it is stopped, nor because it lives in another
// PID namespace; and a dead one is found there too.
func TestMembersElsewhereAreAliveUntilTheyDie(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags uintptr
		stop  bool
	}{{"here", 0, false}, {"stopped", 0, true}, {"in a PID namespace", syscall.CLONE_NEWPID, false}} {
		t.Run(c.name, func(t *testing.T) {
			if c.flags != 0 {
				testenv.RequireRoot(t)
			}
			d := newDir(t)
			o := mustOpen(t, d, "x", recovering())
			p := shmtest.StartWith(t, &shmtest.StartOptions{Cloneflags: c.flags}, "member", d.path)
			line, err := p.ReadLine()
			if err != nil {
				t.Fatal(err, p.Stderr())
			}
			var slot int
			var generation uint32
			if _, err := fmt.Sscanf(line, "slot %d generation %d", &slot, &generation); err != nil {
				t.Fatal(err)
			}
			if c.stop {
				p.Stop()
			}
			if o.Dead(slot, generation) {
				t.Error("the living is dead")
			}
			if n, err := o.Sweep(); n != 0 || err != nil {
				t.Errorf("recovered %d of the living, %v", n, err)
			}
			if c.flags != 0 && o.record(slot).pid.Load() != 1 {
				t.Errorf("pid %d", o.record(slot).pid.Load())
			}
			p.Kill()
			if !o.Dead(slot, generation) {
				t.Error("the dead is alive")
			}
			if n, err := o.Sweep(); n != 1 || err != nil {
				t.Errorf("recovered %d, %v", n, err)
			}
		})
	}
}

// heir runs as the first process of a PID namespace. It starts a member, kills it, and makes
// the kernel give the same pid to the next one: who is alive is not who it was.
func heir(args []string) error {
	d := Dir{path: args[0], chosen: true}
	o, err := OpenOrCreate(ctx, d, "x", recovering())
	if err != nil {
		return err
	}
	for range 100 {
		first, slot, err := startMember(d)
		if err != nil {
			return err
		}
		generation, _ := unpack(o.record(slot).ident.Load())
		pid := first.pid
		if o.Dead(slot, generation) {
			return fmt.Errorf("pid %d lives and is taken for dead", pid)
		}
		if err := first.kill(); err != nil {
			return err
		}
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			return err
		}
		// No membership for the second, so that nothing but the pid is the same.
		second := testenv.Command("member", d.path+"/elsewhere")
		second.Stderr = nil
		in, err := second.StdinPipe()
		if err != nil {
			return err
		}
		if err := second.Start(); err != nil {
			return err
		}
		same := second.Process.Pid == pid
		deadNow := o.Dead(slot, generation)
		_ = in.Close()
		_ = second.Process.Kill()
		_ = second.Wait()
		if !deadNow {
			return fmt.Errorf("pid %d is dead and is taken for alive", pid)
		}
		if same {
			if err := shmtest.Say("reused"); err != nil {
				return err
			}
			return o.Close()
		}
	}
	return errors.New("the pid was never reused")
}

type aProcess struct {
	pid  int
	kill func() error
}

// startMember starts a member from a role, and waits until it has joined.
func startMember(d Dir) (p aProcess, slot int, err error) {
	c := testenv.Command("member", d.path)
	in, err := c.StdinPipe()
	if err != nil {
		return p, 0, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return p, 0, err
	}
	if err := c.Start(); err != nil {
		return p, 0, err
	}
	var generation uint32
	if _, err := fmt.Fscanf(out, "slot %d generation %d\n", &slot, &generation); err != nil {
		return p, 0, err
	}
	return aProcess{c.Process.Pid, func() error {
		defer in.Close()
		if err := c.Process.Kill(); err != nil {
			return err
		}
		_ = c.Wait() // killed
		return nil
	}}, slot, nil
}

func TestAPIDThatIsUsedAgainDeceivesNobody(t *testing.T) {
	testenv.RequireRoot(t)
	d := newDir(t)
	p := shmtest.StartWith(t, &shmtest.StartOptions{Cloneflags: syscall.CLONE_NEWPID}, "heir", d.path)
	p.Expect("reused")
	if err := p.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.Stderr())
	}
	settle(t, d)
}

// A slot whose generations are used up is retired, and the next one is used.
func TestGenerationsUsedUpRetireASlot(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", recovering())
	o.record(1).ident.Store(ident(MaxGeneration-1, stateFree))
	last := mustOpen(t, d, "x", recovering())
	if last.slot != 1 || last.gen != MaxGeneration || o.Dead(1, MaxGeneration) {
		t.Errorf("slot %d generation %d", last.slot, last.gen)
	}
	closeOK(t, last)
	if !o.Dead(1, MaxGeneration) {
		t.Error("who left is alive")
	}
	// The dead use generations up as well.
	o.record(2).ident.Store(ident(MaxGeneration-1, stateFree))
	slot, generation := aDeadMember(t, d)
	if slot != 2 || generation != MaxGeneration || !o.Dead(slot, generation) {
		t.Errorf("slot %d generation %d", slot, generation)
	}
	if slot, _ := aDeadMember(t, d); slot != 3 {
		t.Errorf("slot %d", slot)
	}
	a := mustOpen(t, d, "x", recovering()) // which tries slot 2 first
	if a.slot != 3 {
		t.Errorf("slot %d", a.slot)
	}
	if _, err := Open(ctx, d, "x", recovering()); !errors.Is(err, ErrFull) {
		t.Errorf("the last slots are retired: %v", err)
	}
	for _, s := range []int{1, 2} {
		if g, state := unpack(o.record(s).ident.Load()); state != stateRetired || g != MaxGeneration {
			t.Errorf("slot %d: generation %d, state %d", s, g, state)
		}
		if alive, err := o.locks.others(s, 1); alive || err != nil {
			t.Errorf("slot %d: somebody keeps its lifeline (%v)", s, err)
		}
	}
}

// Who leaves gives its lifeline back last. Of two who leave at once one finds the other's gone,
// and only then is its record free.
func TestTheRecordOfWhoLeavesIsFreeBeforeItsLifeline(t *testing.T) {
	d := newDir(t)
	o, leaver := mustOpen(t, d, "x", small()), mustOpen(t, d, "x", small())
	was := point
	t.Cleanup(func() { point = was })
	var free []bool
	point = func(name string) {
		_, state := unpack(o.record(leaver.slot).ident.Load())
		alive, err := o.locks.others(leaver.slot, 1)
		if err != nil {
			t.Error(err)
		}
		if !alive && state != stateFree {
			t.Errorf("%s: a lifeline given back beside a record in state %d", name, state)
		}
		free = append(free, state == stateFree && alive)
	}
	closeOK(t, leaver)
	point = was
	if len(free) == 0 || !free[0] {
		t.Errorf("free beside a lifeline that is held: %v, want it at the first point", free)
	}
}

// No child inherits a member's description, and who opens the file through it, or another
// way, is another member in another slot.
func TestADescriptorMakesNoSecondMember(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", recovering())
	p, slot, _ := aMember(t, d) // a child of this process
	if slot == o.slot {
		t.Errorf("slot %d twice", slot)
	}
	links, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range links {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", p.Pid(), l.Name())); err == nil && to == o.place.path {
			n++
		}
	}
	if n > 1 {
		t.Errorf("the child has %d descriptors of the object", n)
	}
	// A description made anew from the descriptor holds nothing, and cannot take the slot.
	err = o.locks.file.Use(func(f *os.File) error {
		again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		l := &locks{file: fdmapNew(again)}
		defer l.file.Close()
		if ok, err := l.claim(o.slot); ok || err != nil {
			t.Errorf("a new description took slot %d: %t, %v", o.slot, ok, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if o.Dead(o.slot, o.gen) {
		t.Error("closing another descriptor faked a death")
	}
	if i, err := Look(d, Struct, "x", nil); err != nil || i.Living() != 2 {
		t.Errorf("%+v, %v", i, err)
	}
}

// A name that was removed and made anew is another object; who held the old one keeps it.
func TestANameMadeAnewUnderAMember(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", recovering())
	o.Body()[1] = 7
	if err := os.Remove(o.place.path); err != nil { // nothing of shmkit does that
		t.Fatal(err)
	}
	p := mustOpen(t, d, "x", recovering())
	if p.id == o.id || p.Body()[1] != 0 {
		t.Error("it is the old one")
	}
	closeOK(t, o)
	if _, err := os.Stat(p.place.path); err != nil {
		t.Errorf("the old one's last member removed the new one's name: %v", err)
	}
}

// A name that is removed between opening the file and joining is not joined under.
func TestANameRemovedUnderAJoiner(t *testing.T) {
	d := newDir(t)
	c := recovering()
	c.Persistent = true
	old := mustOpen(t, d, "x", c)
	closeOK(t, old)
	removed := false
	was := point
	t.Cleanup(func() { point = was })
	point = func(name string) {
		was(name)
		if name == "join:opened" && !removed {
			removed = true
			if err := Remove(d, Struct, "x"); err != nil {
				t.Error(err)
			}
		}
	}
	o := mustOpen(t, d, "x", c)
	if i, err := Look(d, Struct, "x", nil); err != nil || i.Err != nil || !removed || o.id == old.id || i.ID != o.id || i.Living() != 1 {
		t.Errorf("removed %t, joined %x that was %x: %+v, %v", removed, o.id, old.id, i, err)
	}
	closeOK(t, o)
	if err := Remove(d, Struct, "x"); err != nil {
		t.Error(err)
	}
}

// Who joins and who removes keep out of each other's way: J, held by a third.
func TestJoiningAndRemovingWaitForJ(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", recovering())
	f, err := os.OpenFile(o.place.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	third := &locks{file: fdmapNew(f)}
	defer third.file.Close()
	hold := func(kind int16) {
		if err := third.join(ctx, kind); err != nil {
			t.Fatal(err)
		}
	}
	hold(sys.F_WRLCK)
	impatient, cancel := context.WithCancel(ctx)
	was := point
	t.Cleanup(func() { point = was })
	point = func(name string) {
		was(name)
		if name == "join:opened" {
			cancel()
		}
	}
	if p, err := Open(impatient, d, "x", recovering()); !errors.Is(err, context.Canceled) {
		t.Errorf("joined while somebody removes: %v", err)
		if err == nil {
			closeOK(t, p)
		}
	}
	point = was
	hold(sys.F_RDLCK)
	o.closed.Store(true)
	if err := o.leave(); err != nil {
		t.Fatal(err)
	}
	if removed, err := o.removeCheck(impatient, false); removed || !errors.Is(err, context.Canceled) {
		t.Errorf("removed while somebody joins: %t, %v", removed, err)
	}
	if err := third.leave(); err != nil {
		t.Fatal(err)
	}
	if removed, err := o.removeCheck(ctx, false); !removed || err != nil {
		t.Errorf("not removed: %t, %v", removed, err)
	}
	if err := o.unmap(); err != nil {
		t.Error(err)
	}
	o.view = nil
}

// Somebody who keeps J, as one who was stopped there, keeps nobody waiting for ever: who joins
// is told, and who leaves leaves the name to the next.
func TestWhoKeepsJIsNotWaitedForForEver(t *testing.T) {
	was := joinPatience
	t.Cleanup(func() { joinPatience = was })
	joinPatience = 20 * time.Millisecond
	d := newDir(t)
	o := mustOpen(t, d, "x", small())
	f, err := os.OpenFile(o.place.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	stopped := &locks{file: fdmapNew(f)}
	if err := stopped.join(ctx, sys.F_WRLCK); err != nil {
		t.Fatal(err)
	}
	_, errOpen := Open(ctx, d, "x", small())
	errClose := o.Close()
	_, errStat := os.Stat(o.place.path)
	if err := stopped.file.Close(); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(errOpen, ErrBusy) || errClose != nil || errStat != nil {
		t.Errorf("Open: %v; Close: %v; the name: %v", errOpen, errClose, errStat)
	}
	if _, err := Open(ctx, d, "x", small()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the next one finds %v", err)
	}
}

func fdmapNew(f *os.File) *fdmap.File { return fdmap.New(f, "again") }
