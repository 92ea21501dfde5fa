package object

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
)

// roles are the other processes; the first argument is the directory, a second one says that
// a new object has two files: "two files", or "persistent" if it is that as well.
var roles = map[string]shmtest.Role{
	"visitor": func(args []string) error { return visit(args, OpenOrCreate) },
	"opener":  func(args []string) error { return visit(args, Open) },
	// member stays until it is dismissed.
	"member": func(args []string) error {
		o, err := OpenOrCreate(ctx, Dir{path: args[0], chosen: true}, "x", configOf(args))
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
	"heir": heir, "limited": limited, "memory visitor": visitMemory, "memfd member": memfdMember, "annex reader": readAnnex,
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

// configOf is what a role makes an object with.
func configOf(args []string) Config {
	if len(args) == 1 {
		return recovering()
	}
	c := twoFiles()
	c.Persistent = args[1] == "persistent"
	return c
}

func visit(args []string, open func(ctxt, Dir, string, Config) (*Object, error)) error {
	o, err := open(ctx, Dir{path: args[0], chosen: true}, "x", configOf(args))
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
	if err := annexIsWhole(o, configOf(args)); err != nil {
		return err
	}
	return o.Close()
}

// annexIsWhole is nil if an object has the second file that c makes, and Init filled it in.
func annexIsWhole(o *Object, c Config) error {
	if o.AnnexSize() != c.Annex {
		return fmt.Errorf("a second file of %d bytes", o.AnnexSize())
	}
	if c.Annex == 0 {
		return nil
	}
	_, b, err := o.Annex(false)
	if err == nil && b[0] != 42 {
		err = fmt.Errorf("a second file that was initialised to %d", b[0])
	}
	return err
}

// playDir is a directory for one play.
func playDir(t testing.TB) Dir { return Dir{path: shmtest.Dir(t), chosen: true} }

// aMember starts a process that is a member of x.
func aMember(t testing.TB, d Dir, files ...string) (p *shmtest.Proc, slot int, generation uint32) {
	t.Helper()
	p = shmtest.Start(t, "member", append([]string{d.path}, files...)...)
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
func aDeadMember(t testing.TB, d Dir, files ...string) (slot int, generation uint32) {
	t.Helper()
	p, slot, generation := aMember(t, d, files...)
	p.Release()
	return slot, generation
}

// settle is what must be possible when all others are gone: to have the object, whole and
// alone, with every slot, and to leave without a trace.
func settle(t testing.TB, d Dir, files ...string) {
	t.Helper()
	c := configOf(append([]string{d.path}, files...))
	var all []*Object
	for range c.Members {
		o, err := OpenOrCreate(ctx, d, "x", c)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
		if err := annexIsWhole(o, c); err != nil {
			t.Error(err)
		}
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
	if entries, err := os.ReadDir(d.path); len(entries) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestKilledAtEveryPointOfAnObject(t *testing.T) {
	nothing := func(*testing.T, Dir, ...string) {}
	dead := func(t *testing.T, d Dir, files ...string) { aDeadMember(t, d, files...) }
	plays := []shmtest.Play{{Name: "maker in memory", Act: playMaker}}
	for _, files := range [][]string{nil, {"two files"}} {
		add := func(name string, act func(*testing.T, *shmtest.Victim, ...string)) {
			plays = append(plays, shmtest.Play{Name: strings.Join(append([]string{name}, files...), ", "),
				Act: func(t *testing.T, v *shmtest.Victim) { act(t, v, files...) }})
		}
		simple := func(name, role string, prepare func(*testing.T, Dir, ...string)) {
			add(name, func(t *testing.T, v *shmtest.Victim, files ...string) {
				d := playDir(t)
				prepare(t, d, files...)
				<-v.Start(role, append([]string{d.path}, files...)...).Exited()
				settle(t, d, files...)
			})
		}
		simple("creator", "visitor", nothing)
		simple("comer after the dead", "visitor", dead)
		simple("opener after the dead", "opener", dead)
		simple("remover", "remover", dead)
		add("among others", playAmongOthers)
		add("in a dead member's slot", playInADeadSlot)
		add("two create", playTwoCreate)
		add("two leave", playTwoLeave)
		if files == nil {
			add("two recover", playTwoRecover)
		}
	}
	plays = append(plays,
		shmtest.Play{Name: "persistent creator", Act: func(t *testing.T, v *shmtest.Victim) { playPersistent(t, v, "visitor", false) }},
		shmtest.Play{Name: "persistent comer", Act: func(t *testing.T, v *shmtest.Victim) { playPersistent(t, v, "visitor", true) }},
		shmtest.Play{Name: "persistent remover", Act: func(t *testing.T, v *shmtest.Victim) { playPersistent(t, v, "remover", true) }})
	shmtest.KillAtEveryPoint(t, plays, &shmtest.KillOptions{Points: shmtest.PointsIn(t, "."), FirstOnly: testing.Short(), Parallel: true})
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
func playAmongOthers(t *testing.T, v *shmtest.Victim, files ...string) {
	d := playDir(t)
	o := mustOpen(t, d, "x", configOf(append([]string{d.path}, files...)))
	<-v.Start("visitor", append([]string{d.path}, files...)...).Exited()
	alone(t, d, o)
	if o.Dead(o.slot, o.gen) {
		t.Error("this one is taken for dead")
	}
	closeOK(t, o)
	settle(t, d, files...)
}

// playInADeadSlot is a victim for whom only dead members' slots are left.
func playInADeadSlot(t *testing.T, v *shmtest.Victim, files ...string) {
	d := playDir(t)
	o := mustOpen(t, d, "x", configOf(append([]string{d.path}, files...)))
	leaveDead(t, d, recovering().Members-1)
	<-v.Start("visitor", append([]string{d.path}, files...)...).Exited()
	alone(t, d, o)
	closeOK(t, o)
	settle(t, d, files...)
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

// playPersistent is a victim that makes, opens or removes a persistent object of two files:
// the next one has one that is whole.
func playPersistent(t *testing.T, v *shmtest.Victim, role string, there bool) {
	d := playDir(t)
	c := configOf([]string{d.path, "persistent"})
	if there {
		o, err := Create(ctx, d, "x", c)
		if err != nil {
			t.Fatal(err)
		}
		closeOK(t, o)
	}
	<-v.Start(role, d.path, "persistent").Exited()
	o, err := OpenOrCreate(ctx, d, "x", c)
	if err != nil {
		t.Fatal(err)
	}
	if err := annexIsWhole(o, c); err != nil {
		t.Error(err)
	}
	alone(t, d, o)
	closeOK(t, o)
	if err := Remove(d, Struct, "x"); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(d.path); len(entries) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// playTwoRecover is two who recover the dead at once.
func playTwoRecover(t *testing.T, v *shmtest.Victim, files ...string) {
	d := playDir(t)
	o := mustOpen(t, d, "x", configOf(append([]string{d.path}, files...)))
	p := v.Start("sweeper", append([]string{d.path}, files...)...)
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
	settle(t, d, files...)
}

// playTwoCreate is two who make the same object at once, again and again.
func playTwoCreate(t *testing.T, v *shmtest.Victim, files ...string) {
	d := playDir(t)
	p := v.Start("visitor", append([]string{d.path}, files...)...)
	for {
		o, err := OpenOrCreate(ctx, d, "x", configOf(append([]string{d.path}, files...)))
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
	settle(t, d, files...)
}

// playTwoLeave is two members who leave at once: the name goes with the last.
func playTwoLeave(t *testing.T, v *shmtest.Victim, files ...string) {
	d := playDir(t)
	o := mustOpen(t, d, "x", configOf(append([]string{d.path}, files...)))
	p := v.Start("member", append([]string{d.path}, files...)...)
	if _, err := p.ReadLine(); err == nil {
		p.CloseStdin()
	}
	closeOK(t, o)
	if err := p.Wait(); err == nil {
		if _, err := Look(d, Struct, "x", nil); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("both left, and the name is there: %v", err)
		}
	}
	settle(t, d, files...)
}
