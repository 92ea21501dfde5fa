package model

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// A rig is two processes that play scripts on the kernel.
type rig struct {
	t       testing.TB
	dir     string // for files on disk
	disk    bool   // dir is on a file system whose ways the model knows
	options map[string]*testenv.StartOptions
	procs   map[string]*testenv.Proc
	cast    LiveCast
	machine Machine
	users   []User
}

// newRig starts A, as this process, and B with options.
func newRig(t testing.TB, b *testenv.StartOptions) *rig {
	dir, disk := diskDir(t)
	r := &rig{t: t, dir: dir, disk: disk, options: map[string]*testenv.StartOptions{"A": nil, "B": b},
		procs: map[string]*testenv.Proc{}, cast: kernel.NewCast()}
	for name := range r.options {
		r.start(name)
	}
	var err error
	if r.machine.Limits, err = kernel.LimitsNow(); err != nil {
		t.Fatal(err)
	}
	r.users = []User{r.user("A"), r.user("B")}
	r.machine.NoZeroPage = !r.zeroPage()
	r.machine.GuardFamilies = r.guardFamilies()
	return r
}

// world makes a model of the machine and the two processes.
func (r *rig) world() *World { return NewWorld(r.machine, r.users...) }

// zeroPage finds out whether reading untouched memory leads to the page of zeros.
func (r *rig) zeroPage() bool {
	return kernel.HasZeroPage(r.play(kernel.ProbeZeroPage...))
}

// guardFamilies finds out whether a guard page in private memory of a file keeps it apart
// from memory that has copies of its own.
func (r *rig) guardFamilies() bool {
	a := r.play(
		"A memfd fd=d0",
		"A mmap fd=d0 addr=13p off=4p len=3p prot=rw- flags=private", "A mlock addr=13p len=3p",
		"A mmap fd=d0 addr=10p off=1p len=1p prot=rw- flags=private", "A madvise addr=10p len=1p flags=guard-install",
		"A mmap fd=d0 addr=11p off=2p len=2p prot=rw- flags=private", "A mlock addr=12p len=1p",
	)
	return strings.Count(a.Maps, ";") == 2
}

// play does operations, and returns the answer to the last.
func (r *rig) play(lines ...string) (last LiveAnswer) {
	r.begin()
	for _, line := range lines {
		op, err := ParseOp(line)
		if err != nil {
			r.t.Fatal(err)
		}
		last = r.do(op)
	}
	return last
}

func (r *rig) start(name string) {
	p := testenv.StartWith(r.t, r.options[name], "play", r.dir)
	p.Send("reset")
	p.Expect("reset 0") // now it has only the privileges that it is to have
	r.procs[name] = p
	r.cast.Enter(name, asker{p})
}

// begin brings kernel and processes to where scripts begin, and returns a model in the
// same state.
func (r *rig) begin() *World {
	r.cast.Forget()
	for name, p := range r.procs {
		p.Send("reset")
		line, err := p.ReadLine()
		if err != nil {
			r.t.Fatal(err, p.Stderr())
		}
		if line != "reset 0" { // pages that the process cannot get rid of count as locked
			r.exit(name)
		}
	}
	r.removeSegments()
	// A segment that comes and goes tells where ids have got to.
	id, err := sys.Shmget(0, 1, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := sys.ShmRemove(id); err != nil {
		r.t.Fatal(err)
	}
	w := r.world()
	w.Registry.StartAfter(id)
	return w
}

// removeSegments removes every segment of the namespace, which is the test's own.
func (r *rig) removeSegments() {
	ids, err := testenv.SysVIDs()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, id := range ids {
		if err := id.Remove(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// user reads who a process is.
func (r *rig) user(name string) User {
	u, err := kernel.UserOf(r.procs[name].Pid())
	if err != nil {
		r.t.Fatal(err)
	}
	return u
}

// inUserNamespace: root there is not root of the machine, whose memory is to be locked.
func inUserNamespace(t testing.TB) bool {
	inside, err := kernel.InUserNamespace()
	if err != nil {
		t.Fatal(err)
	}
	return inside
}

// do executes one operation.
func (r *rig) do(op Op) LiveAnswer {
	if op.Call == "exit" {
		return r.exit(op.Proc)
	}
	a, err := r.cast.Do(op)
	if err != nil {
		r.t.Fatalf("%v: %v\n%s", op, err, r.procs[op.Proc].Stderr())
	}
	return a
}

// exit ends a process and starts another.
func (r *rig) exit(name string) LiveAnswer {
	p := r.procs[name]
	p.CloseStdin()
	if err := p.Wait(); err != nil {
		r.t.Fatalf("%v\n%s", err, p.Stderr())
	}
	r.start(name)
	return LiveAnswer{Outcome: "ok", ID: -1, Table: strings.Repeat(string(absent), ArenaPages)}
}

// segments lists the segments as World.Segments does.
func (r *rig) segments() string {
	text, err := r.cast.Segments()
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}
