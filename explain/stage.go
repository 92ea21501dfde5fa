package explain

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/sysv"
)

// A stage is processes that play operations of the model, and the model, which plays the
// same.
type stage struct {
	lab     *lab
	cast    *live.Cast
	world   *model.World
	procs   []*child
	players []player
	users   []model.User // who they are
	// dead are those that were ended, until the step after that: who has their name then
	// is another process.
	dead map[string]bool
	// told is what was last shown, by fact: what has not changed is not told again.
	told map[string]string
}

// A player is a process of a stage: its name, A or B, and perhaps another user to be.
type player struct {
	name       string
	credential *syscall.Credential
	dir        string // for files; empty: that of the options
}

// stage starts processes that play, with the names A, B and so on.
func (x *lab) stage(players ...player) *stage {
	st := &stage{lab: x, cast: live.NewCast(), told: map[string]string{factSegments: none}, dead: map[string]bool{}}
	st.cast.Key = x.freshKey()
	for _, p := range players {
		if p.dir == "" {
			p.dir = tempDir(x.opts)
		}
		st.players = append(st.players, p)
		st.procs = append(st.procs, st.enter(p))
		st.told[factAreas(p.name)], st.told[factTable(p.name)] = none, none
	}
	machine := model.Machine{NoZeroPage: !st.zeroPage()}
	var err error
	machine.Limits, err = live.LimitsNow()
	x.check(err)
	for _, c := range st.procs {
		u, err := live.UserOf(c.Pid())
		x.check(err)
		st.users = append(st.users, u)
	}
	st.world = model.NewWorld(machine, st.users...)
	st.cast.Forget()
	return st
}

// enter starts the process of a player.
func (st *stage) enter(p player) *child {
	c := st.lab.start(p.name, "play", &childOptions{credential: p.credential}, p.dir)
	var asks live.Process = c
	if st.lab.opts.cast != nil {
		asks = st.lab.opts.cast(c)
	}
	st.cast.Enter(p.name, asks)
	st.reset(c)
	return c
}

// end ends a process, as a step. From the next step on there is another one of its name,
// in which nothing is mapped.
func (st *stage) end(n note, name string) {
	x := st.lab
	i := slices.IndexFunc(st.procs, func(c *child) bool { return c.name == name })
	c := st.procs[i]
	p := plan{who: name, pids: []int{c.Pid()}, title: n.title, call: fmt.Sprintf("kill(%d, SIGKILL)", c.Pid()), why: n.why}
	st.world.Do(model.Op{Proc: name, Call: "exit"})
	p.expect = append(p.expect, expect("ended by", is, "SIGKILL"))
	want := st.foretold()
	p.expect = append(p.expect, st.expectations(want, n.quiet)...)
	x.step(p, func(s *step) {
		c.kill()
		state, err := c.wait(x.ctx)
		x.check(err)
		how := state.String()
		if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
			how = "SIGKILL"
		}
		s.show("ended by", how, "waitpid")
		st.dead[name] = true
		st.compare(s, want, n)
	})
	delete(st.dead, name)
	st.procs[i] = st.enter(st.players[i])
}

// freshKey is a key that nobody has, with room for some more behind it.
func (x *lab) freshKey() int32 {
	const room = 16
	all, err := sysv.Segments()
	x.check(err)
	for {
		key := int32(rand.IntN(1<<28)&^(room-1) | 0x5000_0000)
		if !slices.ContainsFunc(all, func(s sysv.SegmentInfo) bool { return int32(s.Key)&^(room-1) == key }) {
			return key + 1
		}
	}
}

func (st *stage) reset(c *child) {
	if answer, err := c.ask("reset"); err != nil || answer != "reset 0" {
		st.lab.check(err)
		st.lab.fail(fmt.Errorf("process %s begins with %q", c.name, answer))
	}
}

// zeroPage asks this kernel, in process A, what the model has to know of it.
func (st *stage) zeroPage() bool {
	var a live.Answer
	for _, line := range live.ProbeZeroPage {
		op, err := model.ParseOp(line)
		st.lab.check(err)
		a, err = st.cast.Do(op)
		st.lab.check(err)
	}
	st.reset(st.procs[0])
	return live.HasZeroPage(a)
}

// A note is what is said of an operation.
type note struct {
	title string
	why   string // empty: the model's reason
	// faults: predict and count the faults of the access. What expect says of them comes
	// first: the model knows nothing of files on disk there.
	faults bool
	// quiet: only the result is of interest. Areas and page table are compared all the same.
	quiet bool
	// expect are predictions besides those of the model, and look is what shows them.
	expect []expectation
	look   func(*step, views)
	// foretell asks the model for more, when it has done the operation.
	foretell func() []expectation
}

// views are what the kernel shows of each process, by name.
type views map[string]live.View

// do does an operation on the model and on the kernel, as a step of the experiment. It
// returns what the kernel answered.
func (st *stage) do(n note, line string) live.Answer {
	x := st.lab
	op, err := model.ParseOp(line)
	x.check(err)
	before := st.world.Table(op.Proc)
	p := plan{who: op.Proc, pids: []int{st.pid(op.Proc)}, title: n.title, call: st.cast.Text(op), why: n.why}
	out := st.world.Do(op)
	if x.opts.foretell != nil {
		x.opts.foretell(op, &out)
	}
	st.checkLimits(op, out)
	if p.why == "" {
		p.why = out.Why
	}
	p.expect = append(p.expect, expect(resultOf(op), is, result(op, out.String())).byModel())
	stated := slices.ContainsFunc(n.expect, func(e expectation) bool { return e.what == factFaults })
	counts := (n.faults || stated) && out.Signal == 0 // what brings a signal is not counted
	if counts && !stated {
		p.expect = append(p.expect, expect(factFaults, is, faultsOf(op, before, st.world.Table(op.Proc))).byModel())
	}
	want := st.foretold()
	p.expect = append(p.expect, st.expectations(want, n.quiet)...)
	p.expect = append(p.expect, n.expect...)
	if n.foretell != nil {
		p.expect = append(p.expect, n.foretell()...)
	}

	var answer live.Answer
	x.step(p, func(s *step) {
		var v live.View
		answer, v, err = st.cast.Watch(op)
		x.check(err)
		if id := answer.ID; id >= 0 {
			x.remember("shm", id)
		}
		st.checkMeans(op, out, answer.Outcome)
		s.show(resultOf(op), result(op, answer.Outcome), fromOf(op))
		if counts {
			s.showFaults(v.Faults)
		}
		st.compare(s, want, n)
	})
	return answer
}

// several does operations of several processes as one step. Only what is there afterwards is
// looked at.
func (st *stage) several(n note, lines ...string) {
	x := st.lab
	p := plan{title: n.title, why: n.why}
	var ops []model.Op
	var outs []model.Outcome
	var calls, who, results []string
	for _, line := range lines {
		op, err := model.ParseOp(line)
		x.check(err)
		ops = append(ops, op)
		calls = append(calls, op.Proc+": "+st.cast.Text(op))
		if !slices.Contains(who, op.Proc) {
			who, p.pids = append(who, op.Proc), append(p.pids, st.pid(op.Proc))
		}
		out := st.world.Do(op)
		if x.opts.foretell != nil {
			x.opts.foretell(op, &out)
		}
		st.checkLimits(op, out)
		outs = append(outs, out)
		results = append(results, result(op, out.String()))
	}
	p.who, p.call = strings.Join(who, " and "), strings.Join(calls, "; ")
	p.expect = append(p.expect, expect(factResults, is, strings.Join(results, ", ")).byModel())
	want := st.foretold()
	p.expect = append(append(p.expect, st.expectations(want, n.quiet)...), n.expect...)
	x.step(p, func(s *step) {
		var answers []string
		for i, op := range ops {
			answer, err := st.cast.Do(op)
			x.check(err)
			st.checkMeans(op, outs[i], answer.Outcome)
			answers = append(answers, result(op, answer.Outcome))
		}
		s.show(factResults, strings.Join(answers, ", "), "what the calls returned")
		st.compare(s, want, n)
	})
}

const (
	factFaults  = "page faults"
	factResults = "results"
)

// resultOf is what the result of an operation is called.
func resultOf(op model.Op) string {
	switch op.Call {
	case "load":
		return "value"
	case "peek", "read":
		return "bytes"
	}
	return "result"
}

// fromOf says what shows the result.
func fromOf(op model.Op) string {
	switch op.Call {
	case "load", "peek":
		return "what was loaded"
	case "store":
		return "whether it went through"
	}
	return "what the call returned"
}

// result is an outcome for people: an address as the number that it is.
func result(op model.Op, outcome string) string {
	if addr, err := model.ParseCount(outcome); err == nil && op.Call == "shmat" {
		return fmt.Sprintf("%#x", live.Address(0)+uint64(addr))
	}
	return outcome
}

// faultsOf is how many faults the model has for an access: one, if the page table has
// another entry after it.
func faultsOf(op model.Op, before, after string) int {
	page := op.Addr / model.PageSize
	if before[page] != after[page] {
		return 1
	}
	return 0
}

// showFaults shows how many faults an access had.
func (s *step) showFaults(f live.Faults) {
	const from = "getrusage(RUSAGE_THREAD) before and after"
	if !f.Counted {
		s.unseen(factFaults, "the access brought a signal", from)
		return
	}
	s.show(factFaults, f.Minor+f.Major, from)
}

func (st *stage) pid(name string) int {
	for _, c := range st.procs {
		if c.name == name {
			return c.Pid()
		}
	}
	return 0
}

// rereads is how often the kernel is asked again when it shows something else than was
// predicted: it may be moving a page just now.
const rereads = 5

// compare compares all that the kernel shows with the model.
func (st *stage) compare(s *step, want sight, n note) {
	for try := 0; ; try++ {
		got, all := st.seen()
		st.showSight(s, want, got, all)
		if n.look != nil {
			n.look(s, all)
		}
		s.Scene = st.scene(all)
		st.notice(all)
		if s.agrees() || try == rereads {
			return
		}
	}
}

// notice finds out whether this user sees frames.
func (st *stage) notice(all views) {
	for _, v := range all {
		for page := range v.Table {
			st.lab.report.System.Frames = st.lab.report.System.Frames || v.Entry(int64(page)).Frame() != 0
		}
	}
}

// look is a step that does nothing but look at all processes.
func (st *stage) look(n note) {
	x := st.lab
	p := plan{who: "all", title: n.title, call: "cat /proc/PID/maps; read /proc/PID/pagemap", why: n.why, expect: n.expect}
	want := st.foretold()
	x.step(p, func(s *step) {
		s.draw = true
		st.compare(s, want, n)
	})
}
