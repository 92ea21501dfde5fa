package object

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
)

// roles are the other processes; the first argument is the directory.
var roles = map[string]shmtest.Role{
	"visitor": func(args []string) error { return visit(args[0], OpenOrCreate) },
	"opener":  func(args []string) error { return visit(args[0], Open) },
	// member stays until it is dismissed.
	"member": func(args []string) error {
		o, err := OpenOrCreate(ctx, Dir{path: args[0], chosen: true}, "x", recovering())
		if err != nil {
			return err
		}
		if err := shmtest.Say("slot %d generation %d", o.slot, o.gen); err != nil {
			return err
		}
		<-shmtest.Dismissed()
		return o.Close()
	},
	"sweeper": func(args []string) error {
		o, err := Open(ctx, Dir{path: args[0], chosen: true}, "x", recovering())
		if err != nil {
			return err
		}
		if err := shmtest.Say("ready"); err != nil {
			return err
		}
		if _, err := shmtest.Hear(); err != nil {
			return err
		}
		if _, err := o.Sweep(); err != nil {
			return err
		}
		return o.Close()
	},
	"remover": func(args []string) error {
		err := Remove(Dir{path: args[0], chosen: true}, Struct, "x")
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	},
	"heir": heir, "limited": limited, "memory visitor": visitMemory, "memfd member": memfdMember,
}

// recovering is a Config whose members leave a mark in their record, and recovery another:
// whoever has the slot next finds neither.
func recovering() Config {
	c := small()
	c.Init = func(o *Object) error { o.Body()[0] = 42; return nil }
	c.Recover = func(o *Object, slot int) error {
		o.Part(slot)[1] = 1
		return nil
	}
	return c
}

func visit(dir string, open func(ctxt, Dir, string, Config) (*Object, error)) error {
	o, err := open(ctx, Dir{path: dir, chosen: true}, "x", recovering())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	o.Part(o.slot)[0] = 1
	if b := o.Body()[0]; b != 42 {
		return fmt.Errorf("a body that was initialised to %d", b)
	}
	return o.Close()
}

// playDir is a directory for one play.
func playDir(t testing.TB) Dir { return Dir{path: shmtest.Dir(t), chosen: true} }

// aMember starts a process that is a member of x.
func aMember(t testing.TB, d Dir) (p *shmtest.Proc, slot int, generation uint32) {
	t.Helper()
	p = shmtest.Start(t, "member", d.path)
	line, err := p.ReadLine()
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Stderr())
	}
	if _, err := fmt.Sscanf(line, "slot %d generation %d", &slot, &generation); err != nil {
		t.Fatal(err)
	}
	return p, slot, generation
}

// aDeadMember leaves a dead member behind.
func aDeadMember(t testing.TB, d Dir) (slot int, generation uint32) {
	t.Helper()
	p, slot, generation := aMember(t, d)
	p.Release()
	return slot, generation
}

// settle is what must be possible when all others are gone: to have the object, whole and
// alone, with every slot, and to leave without a trace.
func settle(t testing.TB, d Dir) {
	t.Helper()
	var all []*Object
	for range recovering().Members {
		o, err := OpenOrCreate(ctx, d, "x", recovering())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
		if b := o.Body()[0]; b != 42 {
			t.Errorf("a body that was initialised to %d", b)
		}
		for _, p := range o.Part(o.slot) {
			if p != 0 {
				t.Errorf("slot %d was not recovered", o.slot)
				break
			}
		}
	}
	i, err := Look(d, Struct, "x", nil)
	if err != nil || i.Err != nil || i.Living() != len(all) || len(i.Members) != len(all) {
		t.Errorf("%+v, %v", i, err)
	}
	for _, o := range all {
		closeOK(t, o)
	}
}

func TestKilledAtEveryPointOfAnObject(t *testing.T) {
	simple := func(role string, prepare func(t *testing.T, d Dir)) func(*testing.T, *shmtest.Victim) {
		return func(t *testing.T, v *shmtest.Victim) {
			d := playDir(t)
			prepare(t, d)
			<-v.Start(role, d.path).Exited()
			settle(t, d)
		}
	}
	nothing := func(*testing.T, Dir) {}
	dead := func(t *testing.T, d Dir) { aDeadMember(t, d) }
	shmtest.KillAtEveryPoint(t, []shmtest.Play{
		{Name: "creator", Act: simple("visitor", nothing)},
		{Name: "comer after the dead", Act: simple("visitor", dead)},
		{Name: "opener after the dead", Act: simple("opener", dead)},
		{Name: "remover", Act: simple("remover", dead)},
		{Name: "among others", Act: playAmongOthers},
		{Name: "in a dead member's slot", Act: playInADeadSlot},
		{Name: "two recover", Act: playTwoRecover},
		{Name: "two create", Act: playTwoCreate},
		{Name: "two leave", Act: playTwoLeave},
		{Name: "maker in memory", Act: playMaker},
	}, &shmtest.KillOptions{Points: shmtest.PointsIn(t, "."), FirstOnly: testing.Short(), Parallel: true})
}

// alone fails unless o is the only living member, as o and as an outsider see it.
func alone(t *testing.T, d Dir, o *Object) {
	t.Helper()
	i, err := Look(d, Struct, "x", nil)
	if err != nil || i.Err != nil || i.Living() != 1 {
		t.Errorf("%d are alive, want this one: %+v, %v", i.Living(), i, err)
	}
	for slot := range o.members {
		if generation, state := unpack(o.record(slot).ident.Load()); slot != o.slot && state == stateLive && !o.Dead(slot, generation) {
			t.Errorf("member %d, generation %d, is taken for alive", slot, generation)
		}
	}
}

// playAmongOthers is a victim that comes and goes while another stays.
func playAmongOthers(t *testing.T, v *shmtest.Victim) {
	d := playDir(t)
	o := mustOpen(t, d, "x", recovering())
	<-v.Start("visitor", d.path).Exited()
	alone(t, d, o)
	if o.Dead(o.slot, o.gen) {
		t.Error("this one is taken for dead")
	}
	closeOK(t, o)
	settle(t, d)
}

// playInADeadSlot is a victim for whom only dead members' slots are left.
func playInADeadSlot(t *testing.T, v *shmtest.Victim) {
	d := playDir(t)
	o := mustOpen(t, d, "x", recovering())
	leaveDead(t, d, recovering().Members-1)
	<-v.Start("visitor", d.path).Exited()
	alone(t, d, o)
	closeOK(t, o)
	settle(t, d)
}

// leaveDead leaves so many dead members behind, in as many slots.
func leaveDead(t *testing.T, d Dir, n int) {
	t.Helper()
	var all []*shmtest.Proc
	for range n {
		p, _, _ := aMember(t, d)
		all = append(all, p)
	}
	for _, p := range all {
		p.Kill()
	}
}

// playTwoRecover is two who recover the dead at once.
func playTwoRecover(t *testing.T, v *shmtest.Victim) {
	d := playDir(t)
	o := mustOpen(t, d, "x", recovering())
	p := v.Start("sweeper", d.path)
	line, err := p.ReadLine()
	leaveDead(t, d, 2)
	if err == nil && line == "ready" {
		p.Send("go")
	}
	for {
		if _, err := o.Sweep(); err != nil {
			t.Error(err)
		}
		if p.Ended() {
			break
		}
	}
	if _, err := o.Sweep(); err != nil {
		t.Error(err)
	}
	for slot := range o.members {
		if generation, state := unpack(o.record(slot).ident.Load()); slot != o.slot && state == stateLive {
			t.Errorf("nobody recovered member %d, generation %d", slot, generation)
		}
	}
	closeOK(t, o)
	settle(t, d)
}

// playTwoCreate is two who make the same object at once, again and again.
func playTwoCreate(t *testing.T, v *shmtest.Victim) {
	d := playDir(t)
	p := v.Start("visitor", d.path)
	for {
		o, err := OpenOrCreate(ctx, d, "x", recovering())
		if err != nil {
			t.Fatal(err)
		}
		if b := o.Body()[0]; b != 42 {
			t.Errorf("a body that was initialised to %d", b)
		}
		closeOK(t, o)
		if p.Ended() {
			break
		}
	}
	settle(t, d)
}

// playTwoLeave is two members who leave at once: the name goes with the last.
func playTwoLeave(t *testing.T, v *shmtest.Victim) {
	d := playDir(t)
	o := mustOpen(t, d, "x", recovering())
	p := v.Start("member", d.path)
	if _, err := p.ReadLine(); err == nil {
		p.CloseStdin()
	}
	closeOK(t, o)
	if err := p.Wait(); err == nil {
		if _, err := Look(d, Struct, "x", nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("both left, and the name is there: %v", err)
		}
	}
	settle(t, d)
}
