package shmtest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A Play is a scene in which one process, the victim, may be killed at any point it comes
// to. The others must not suffer.
type Play struct {
	Name string
	// Act plays the scene, from making what is shared to the end: it starts the victim,
	// once, and says with t what must hold for everybody else, whether the victim lives
	// or dies, and when. Where it waits for the victim to do something it must also be
	// content with its death (Proc.Ended). Left alone the victim must exit with 0, or be
	// killed by Act.
	Act func(t *testing.T, v *Victim)
}

// A Victim is the process of a Play that may be killed at a point. Act does not know
// whether it will be.
type Victim struct {
	t    *testing.T
	proc *Proc
	log  string // the file of its points
	at   string // HIT NAME, "" is nowhere
}

// Start starts the victim as a role.
func (v *Victim) Start(role string, args ...string) *Proc {
	v.t.Helper()
	return v.StartWith(nil, role, args...)
}

// StartWith is Start with options; nil are the zero StartOptions.
func (v *Victim) StartWith(o *StartOptions, role string, args ...string) *Proc {
	v.t.Helper()
	if v.proc != nil {
		v.t.Fatal("the victim of a play is started once")
	}
	var opts StartOptions
	if o != nil {
		opts = *o
	}
	opts.Env = append(slices.Clone(opts.Env), envPoints+"="+v.log)
	if v.at != "" {
		opts.Env = append(opts.Env, envKillAt+"="+v.at)
	}
	v.proc = StartWith(v.t, &opts, role, args...)
	v.proc.mayDie = true
	return v.proc
}

// KillOptions say how thorough KillAtEveryPoint is. The zero value is what an ordinary
// test run does.
type KillOptions struct {
	// Points are the points that must have been killed at, in whichever play: PointsIn.
	Points []string
	// Times is how often at each of them, at least; 0 is once, or 100 times in the long
	// run (Soaking).
	Times int
	// FirstOnly kills only the first time that a point is come to, not also in the
	// middle and the last time: for -short.
	FirstOnly bool
	// Parallel plays the plays at the same time.
	Parallel bool
}

// KillAtEveryPoint plays each play without a kill to see which points the victim comes to,
// and how often; then with a kill at each of them, the first time, in the middle, and the
// last time. It fails if nobody was killed at one of o.Points. nil options are the zero
// KillOptions.
func KillAtEveryPoint(t *testing.T, plays []Play, o *KillOptions) {
	t.Helper()
	if o == nil {
		o = &KillOptions{}
	}
	times := orDefault(o.Times, 1)
	if o.Times == 0 && Soaking() {
		times = 100
	}
	k := &killer{o: o, times: times, killed: map[string]int{}}
	hits := make([]map[string]int, len(plays))
	// A play doesn't always take the same way. In the later rounds only the points
	// count that want more kills.
	for round := range 4 * times {
		if round > 0 && (k.satisfied() || t.Failed()) {
			break
		}
		t.Run(fmt.Sprintf("round_%d", round), func(t *testing.T) {
			for i, p := range plays {
				t.Run(p.Name, func(t *testing.T) {
					if o.Parallel {
						t.Parallel()
					}
					if hits[i] == nil {
						hits[i] = p.unharmed(t)
					}
					k.play(t, p, hits[i], round)
				})
			}
		})
	}
	for _, name := range o.Points {
		if n := k.killed[name]; n < times && !t.Failed() {
			t.Errorf("killed %d times at point %q, want %d; the plays must come there", n, name, times)
		}
	}
	t.Logf("killed at: %v", k.killed)
}

// A killer remembers where it killed.
type killer struct {
	o     *KillOptions
	times int

	mu     sync.Mutex
	killed map[string]int // by point; protected by mu
}

func (k *killer) satisfied() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range k.o.Points {
		if k.killed[name] < k.times {
			return false
		}
	}
	return true
}

func (k *killer) wants(name string, round int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return round == 0 || k.killed[name] < k.times && slices.Contains(k.o.Points, name)
}

// play kills at the points that a play comes to.
func (k *killer) play(t *testing.T, p Play, hits map[string]int, round int) {
	for _, name := range slices.Sorted(maps.Keys(hits)) {
		if !k.wants(name, round) {
			continue
		}
		which := slices.Compact([]int{1, hits[name]/2 + 1, hits[name]})
		if k.o.FirstOnly {
			which = which[:1]
		}
		for _, hit := range which {
			t.Run(fmt.Sprintf("%s#%d", name, hit), func(t *testing.T) {
				if lines := p.once(t, fmt.Sprintf("%d %s", hit, name)); slices.Contains(lines, killedLine) {
					k.mu.Lock()
					k.killed[name]++
					k.mu.Unlock()
				}
			})
		}
	}
}

// unharmed plays without a kill, and counts the points.
func (p Play) unharmed(t *testing.T) map[string]int {
	t.Helper()
	hits := map[string]int{}
	t.Run("unharmed", func(t *testing.T) {
		for _, name := range p.once(t, "") {
			if name != "" {
				hits[name]++
			}
		}
	})
	if len(hits) == 0 {
		t.Fatal("the victim came to no point, or failed")
	}
	return hits
}

// once plays, and returns the lines that the victim's points wrote.
func (p Play) once(t *testing.T, at string) []string {
	t.Helper()
	v := &Victim{t: t, at: at, log: filepath.Join(t.TempDir(), "points")}
	// The victim may be another user.
	if err := errors.Join(os.WriteFile(v.log, nil, 0o600), os.Chmod(v.log, 0o666)); err != nil {
		t.Fatal(err)
	}
	p.Act(t, v)
	if v.proc == nil {
		t.Fatal("the play started no victim")
	}
	if err := v.proc.Wait(); err != nil && v.proc.ExitSignal() == 0 {
		t.Fatalf("the victim failed: %v\n%s", err, v.proc.Stderr())
	}
	text, err := os.ReadFile(v.log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
