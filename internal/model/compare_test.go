package model

import (
	"fmt"
	"strings"
)

// A disagreement between model and kernel.
type disagreement struct {
	step                int
	op                  Op
	what, model, kernel string
	why                 string // the model's reason for its outcome
}

func (d *disagreement) String() string {
	return fmt.Sprintf("step %d, %v: %s\n  model:  %s\n  kernel: %s\n  why: %s", d.step+1, d.op, d.what, d.model, d.kernel, d.why)
}

// A comparison plays one script on both sides.
type comparison struct {
	rig   *rig
	world *World
	// seen is called with every outcome of the model.
	seen func(Op, Outcome)
	// once is called with every disagreement that did not come again.
	once      func(*disagreement)
	disturbed int
}

// mostDisturbed is how many scripts of one comparison may fail once and not again.
const mostDisturbed = 3

// settled is run for a kernel that has more to do than to play scripts: a page may be
// moved or written back at the wrong moment. What disagrees counts if it does again.
func (c *comparison) settled(s Script) *disagreement {
	return c.settle(func() *disagreement { return c.run(s) })
}

func (c *comparison) settle(run func() *disagreement) *disagreement {
	first := run()
	if first == nil {
		return nil
	}
	if again := run(); again != nil {
		return again
	}
	c.disturbed++
	c.once(first)
	if c.disturbed > mostDisturbed {
		return first
	}
	return nil
}

// run plays the script, then looks at all memory and all files, and returns the first
// disagreement, or nil.
func (c *comparison) run(s Script) *disagreement {
	c.world = c.rig.begin()
	for i, step := range s {
		if d := c.step(i, step); d != nil {
			return d
		}
	}
	for i, op := range closingLook(c.world) {
		if d := c.step(len(s)+i, Step{Op: op}); d != nil {
			return d
		}
	}
	return nil
}

func (c *comparison) step(i int, step Step) *disagreement {
	op := step.Op
	want, got := c.world.Do(op), c.rig.do(op)
	if c.seen != nil {
		c.seen(op, want)
	}
	differ := func(what, model, kernel string) *disagreement {
		return &disagreement{i, op, what, model, kernel, want.Why}
	}
	switch {
	case step.Want != "" && want.String() != step.Want:
		return differ("the script expects "+step.Want, want.String(), got.Outcome)
	case want.String() != got.Outcome && !mayBeClean(op, want, got):
		return differ("outcome", want.String(), got.Outcome)
	case op.Call == "shmget" && !want.Failed() && c.world.Symbol(op.ID) != got.ID:
		return differ("id", fmt.Sprint(c.world.Symbol(op.ID)), fmt.Sprint(got.ID))
	case c.world.Maps(op.Proc) != got.Maps:
		return differ("maps of "+op.Proc, c.world.Maps(op.Proc), got.Maps)
	case c.world.Table(op.Proc) != got.Table:
		return differ("page table of "+op.Proc, c.world.Table(op.Proc), got.Table)
	}
	if segments := c.rig.segments(); c.world.Segments() != segments {
		return differ("segments", c.world.Segments(), segments)
	}
	return nil
}

// mayBeClean: the kernel writes dirty pages back when it likes, so one that the model has
// as dirty may be clean already. The reverse is a disagreement.
func mayBeClean(op Op, want Outcome, got LiveAnswer) bool {
	return op.Call == "dirty" && want.String() == "dirty" && got.Outcome == "clean"
}

// closingLook is what a script is followed by: every page of both processes and every
// open file is read.
func closingLook(w *World) []Op {
	var ops []Op
	for _, p := range w.procs {
		for _, a := range p.space.areas {
			for page := a.start; page < a.end; page++ {
				ops = append(ops, Op{Proc: p.Name, Call: "peek", Addr: page * PageSize})
			}
		}
		for fd := range fdNames {
			name := fmt.Sprintf("d%d", fd)
			if f, ok := p.files[name]; ok && f.read && f.object != nil {
				ops = append(ops, Op{Proc: p.Name, Call: "size", FD: name}, Op{Proc: p.Name, Call: "read", FD: name, Len: f.object.size + 1})
			}
		}
		ops = append(ops, Op{Proc: p.Name, Call: "locked"})
	}
	return ops
}

// shorten leaves out of a script whatever it can while model and kernel still disagree, and
// returns it with the disagreement. What a step is expected to answer goes first: without
// the steps before it, it would be wrong whatever the model says.
func shorten(s Script, run func(Script) *disagreement) (Script, *disagreement) {
	first := run(s)
	if first == nil {
		return s, nil
	}
	free := append(Script{}, s...)
	for i := range free {
		free[i].Want = ""
	}
	last := run(free)
	if last == nil { // they agree, and not with the script
		return s[:min(first.step+1, len(s))], first
	}
	s = free
	for again := true; again; {
		again = false
		for i := len(s) - 1; i >= 0; i-- {
			shorter := append(append(Script{}, s[:i]...), s[i+1:]...)
			if d := run(shorter); d != nil {
				s, last, again = shorter, d, true
			}
		}
	}
	return s, last
}

// describe is the text of a script that failed, for a file in testdata.
func describeFailure(s Script, d *disagreement) string {
	text := "# " + strings.ReplaceAll(d.String(), "\n", "\n# ") + "\n" + s.String()
	return text
}
