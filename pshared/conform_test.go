package pshared_test

import (
	"strings"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// A primitive is what one kind of primitive must do, on whatever ground.
type primitive struct {
	name string
	// in and named make a handle of it in a struct, and of a name of its own.
	in    func(h *hands, s *pshared.Shared[family]) error
	named func(h *hands, o *pshared.Options) error
	ops   map[string]op
	// contract is what must hold between handles, a of this process and the others of this or
	// others; deaths what must hold when one of those, another process, is killed, or stopped.
	contract, deaths map[string]string
}

// primitives are all there are.
var primitives = []*primitive{mutexConduct, rwConduct, semaphoreConduct, countingConduct, condConduct, manualConduct, autoConduct, barrierConduct, onceConduct}

// A script is lines, done one after the other by actors who come when they are first named:
//
//	a OP: OUTCOME      it does that, and so it ends
//	a OP until OUTCOME it does that again until it ends so
//	a OP ...           it begins that, and sleeps
//	a: OUTCOME         what it has begun ends
//	a gives up         the context of what it has begun ends
//	stop a             its process is stopped, until
//	continue a
//	kill a
//
// The first to come is a. In the end nobody is left of the dead, and the others close their
// handles.
type script struct {
	t      testing.TB
	enter  func(name string) *actor
	actors []*actor
}

func (s *script) run(text string) {
	s.t.Helper()
	s.actor("a")
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			s.line(line)
		}
	}
	s.end()
}

func (s *script) actor(name string) *actor {
	s.t.Helper()
	for _, a := range s.actors {
		if a.name == name {
			return a
		}
	}
	a := s.enter(name)
	s.actors = append(s.actors, a)
	return a
}

func (s *script) line(line string) {
	s.t.Helper()
	head, want, ends := strings.Cut(line, ": ")
	who, op, _ := strings.Cut(head, " ")
	switch {
	case who == "stop":
		s.actor(op).proc.Stop()
	case who == "continue":
		s.actor(op).proc.Continue()
	case who == "kill":
		a := s.actor(op)
		a.proc.Kill()
		a.gone = true
	case op == "gives up":
		s.actor(who).send("give up")
	case !ends && strings.HasSuffix(op, " ..."):
		s.actor(who).sleep(strings.TrimSuffix(op, " ..."))
	case !ends:
		op, want, is := strings.Cut(op, " until ")
		if !is {
			s.t.Fatalf("no line of a script: %q", line)
		}
		shmtest.Eventually(s.t, line, func() bool { return s.actor(who).do(op) == want })
	default:
		a := s.actor(who)
		got := ""
		if op != "" {
			got = a.do(op)
		} else {
			got = a.outcome(a.op)
		}
		if got != want {
			s.t.Fatalf("%s, and it was: %s", line, got)
		}
	}
}

func (s *script) end() {
	s.t.Helper()
	s.line("a sweep until 0")
	for _, a := range s.actors {
		if a.gone {
			continue
		}
		if out := a.do("close"); out != ok {
			s.t.Errorf("%s closes, and it was: %s", a.name, out)
		}
		if a.proc != nil {
			a.proc.CloseStdin()
			if err := a.proc.Wait(); err != nil {
				s.t.Errorf("%s: %v", a.name, err)
			}
		}
	}
}

// Every primitive does on every ground what it does on the others, and so do handles of one
// process and of several.
func TestEveryPrimitiveOnEveryGround(t *testing.T) {
	for _, g := range grounds {
		for _, p := range primitives {
			for name, text := range p.contract {
				for _, here := range []bool{true, false} {
					place := map[bool]string{true: "one process", false: "two processes"}[here]
					t.Run(strings.Join([]string{g.name, p.name, name, place}, "/"), func(t *testing.T) {
						t.Parallel()
						play(t, g, p, text, here)
					})
				}
			}
			for name, text := range p.deaths {
				t.Run(strings.Join([]string{g.name, p.name, name}, "/"), func(t *testing.T) {
					t.Parallel()
					play(t, g, p, text, false)
				})
			}
		}
	}
}

// play plays a script on a ground. here: all actors are of this process, else all but a are
// others.
func play(t *testing.T, g ground, p *primitive, text string, here bool) {
	where, files := g.make(t)
	s := &script{t: t, enter: func(name string) *actor {
		if name != "a" && !here {
			args := append([]string{g.name, p.name}, where...)
			return actElsewhere(t, name, startOn(t, "puppet", files, args...))
		}
		h, err := g.open(p, where, files)
		must(t, err)
		return actHere(t, name, p, h)
	}}
	s.run(text)
}
