package posixshm_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

// A race is rounds of many processes that create one name at the same time, a third of
// which are killed: half of those at a point of the protocol, half whenever the signal
// comes.
type race struct {
	d      posixshm.Dir
	rounds int
	points []string
	random *rand.Rand

	gate   *shmkit.Mapping
	agents []*testenv.Proc // nil: was killed, is started anew for the next round
	tags   []uint64
}

const (
	racers     = 16
	killed     = racers / 3
	racersSize = 64<<10 + 5
)

func newRace(t *testing.T, d posixshm.Dir, rounds int) *race {
	r := &race{d: d, rounds: rounds, points: pointsInSource(t), agents: make([]*testenv.Proc, racers)}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r.random = rand.New(rand.NewPCG(seed, 0))
	gate := create(t, posixshm.Default, freeName(t), 4, nil)
	t.Cleanup(func() { ok(t, gate.Remove()) })
	r.gate = mapped(t, gate, nil)
	for i := range racers {
		r.tags = append(r.tags, uint64(i+1))
	}
	return r
}

// outcome is what a round came to.
type outcome struct {
	created, found, dead int
}

// run is one round; do is the order that all get.
func (r *race) run(t *testing.T, do order) (o outcome) {
	points := r.points
	if !do.Replace {
		points = []string{"open", "reserved", "initialised", "linked"}
	}
	turns := r.random.Perm(racers)
	victims := map[int]string{} // and the point; "" is whenever
	for len(victims) < killed {
		// In some rounds they come first, for those who come late get no further than to
		// see that the name is taken.
		i := turns[len(victims)]
		victims[i] = ""
		if r.random.IntN(2) == 0 {
			victims[i] = points[r.random.IntN(len(points))]
		}
	}
	if r.random.IntN(3) == 0 {
		r.random.Shuffle(racers, func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
	}
	ok(t, r.gate.Store32(0, 0))
	for i := range r.agents {
		if r.agents[i] == nil {
			r.agents[i] = startAgent(t, nil)
		}
	}
	for _, i := range turns {
		do.Dir, do.Name, do.Size, do.Tag, do.KillAt = r.d, "/raced", racersSize, r.tags[i], victims[i]
		do.Gate = strings.TrimPrefix(r.gate.Name(), "posix:")
		give(t, r.agents[i], do)
	}
	// Whenever: after a number of chances for the others.
	for i, point := range victims {
		if point == "" {
			for range r.random.IntN(2000) {
				runtime.Gosched()
			}
			if err := r.agents[i].Signal(syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}
	}
	for i, p := range r.agents {
		a, alive := hear(t, p)
		if point, victim := victims[i]; victim && point == "" {
			// It may have answered before it died.
			p.ExitCode()
			r.agents[i] = nil
		} else if !alive {
			r.agents[i] = nil
		}
		switch {
		case !alive:
			o.dead++
		case a.Created:
			o.created++
		case a.Error == "":
			o.found++
		default:
			wantDescription(t, a.Error, exists)
			o.found++
		}
	}
	return o
}

// check requires exactly one object, whole, made by one of the racers.
func (r *race) check(t *testing.T, round int, o outcome) {
	t.Helper()
	wantEntries(t, r.d, "raced")
	obj, err := r.d.Open("/raced", nil)
	ok(t, err)
	if tag, err := checkWhole(obj, r.tags...); err != nil {
		t.Errorf("round %d: content %d, %v", round, tag, err)
	}
	if info := stat(t, obj); info.Size != racersSize || info.Removed {
		t.Errorf("round %d: %+v", round, info)
	}
	if o.created > 1 || o.created == 0 && o.dead == 0 {
		t.Errorf("round %d: %d processes say that they created it, %d are dead", round, o.created, o.dead)
	}
	ok(t, errors.Join(obj.Remove(), obj.Close()))
	wantEntries(t, r.d)
}

func raceRounds() int {
	if testing.Short() {
		return 10
	}
	return 100
}

func TestManyCreateOneName(t *testing.T) {
	r := newRace(t, newDir(t), raceRounds())
	// Somebody who opens it all the time never sees half of one.
	var over atomic.Bool
	opened, done := 0, make(chan error)
	go func() {
		done <- func() error {
			for !over.Load() {
				obj, err := r.d.Open("/raced", nil)
				if errors.Is(err, os.ErrNotExist) {
					runtime.Gosched()
					continue
				}
				if err != nil {
					return err
				}
				_, err = checkWhole(obj, r.tags...)
				if err := errors.Join(err, obj.Close()); err != nil {
					return fmt.Errorf("an opener: %w", err)
				}
				opened++
			}
			return nil
		}()
	}()
	var sum outcome
	for round := range r.rounds {
		do := order{Do: "create"}
		if round%2 == 1 {
			do.Do = "open or create"
		}
		o := r.run(t, do)
		r.check(t, round, o)
		sum.created, sum.found, sum.dead = sum.created+o.created, sum.found+o.found, sum.dead+o.dead
	}
	over.Store(true)
	ok(t, <-done)
	t.Logf("%d rounds: created %d, found %d, killed in the middle %d; the opener saw %d", r.rounds, sum.created, sum.found, sum.dead, opened)
}

// The same by replacement: there is one object afterwards, and after the next creation
// no temporary name.
func TestManyReplaceOneName(t *testing.T) {
	r := newRace(t, newDir(t), raceRounds()/5)
	create(t, r.d, "/raced", racersSize, filled(r.tags[0], false))
	for round := range r.rounds {
		r.run(t, order{Do: "create", Replace: true})
		obj, err := r.d.Open("/raced", nil)
		ok(t, err)
		if tag, err := checkWhole(obj, r.tags...); err != nil {
			t.Errorf("round %d: content %d, %v", round, tag, err)
		}
		closeOK(t, obj)
		next, err := r.d.Create("/next", 1, nil)
		ok(t, err)
		wantEntries(t, r.d, "next", "raced")
		ok(t, errors.Join(next.Remove(), next.Close()))
	}
}

// The memory of those that lost or died is free again when they are gone.
func TestRacersLeaveNoMemory(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	const size = 16 << 20
	d := newDir(t)
	testenv.MountTmpfs(t, string(d), size)
	r := newRace(t, d, raceRounds()/5)
	for round := range r.rounds {
		r.check(t, round, r.run(t, order{Do: "create"}))
		if n := free(t, r.d); n != size {
			t.Errorf("round %d: %d of %d bytes are free", round, n, size)
		}
	}
}
