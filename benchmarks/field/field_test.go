package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/bench"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestMain(m *testing.M) {
	if race.Enabled {
		fmt.Println("skipped: what is measured is not what the race detector makes of it, and takes minutes")
		return
	}
	bench.Main()
	testenv.Main(m, nil)
}

// here are the names of the peers that can be built here.
func here(t *testing.T) (names []string) {
	t.Helper()
	for _, p := range peers() {
		if why := p.absent(); why != "" {
			t.Log(why)
			continue
		}
		names = append(names, p.name)
	}
	if names == nil {
		t.Skip("no other system can be built here: there is no g++")
	}
	return names
}

// built compiles one peer.
func built(t *testing.T, name string) *set {
	t.Helper()
	s, err := build(t.Context(), []string{name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat("/dev/shm/iceoryx_mgmt"); s.daemon != nil && err == nil {
			t.Error("the daemon's memory is still there") // its programs were killed, and it aborts then
		}
	})
	if len(s.missing) > 0 {
		t.Skip(strings.Join(s.missing, "; "))
	}
	return s
}

// tiny measures ways as shortly as can be, beside what they are paired with.
func tiny(t *testing.T, foreign []bench.Foreign) (*bench.Result, error) {
	t.Helper()
	o := bench.Options{Sizes: []int{64}, Duration: 20 * time.Millisecond, Rounds: 1, Paired: paired}
	for _, w := range foreign {
		if w.Suite == "throughput" && w.Name != foreign[0].Name { // the same code as of latency, one way: that of one will do
			continue
		}
		o.Foreign = append(o.Foreign, w)
		if !slices.Contains(o.Suites, w.Suite) {
			o.Suites = append(o.Suites, w.Suite)
			o.Ways = append(o.Ways, map[string][]string{"sync": {"Mutex", "Mutex and Cond", "CountingSemaphore"}, "latency": {"topic"}}[w.Suite]...)
		}
	}
	return bench.Run(t.Context(), o)
}

// TestPeers: each that can be built carries messages, verified, or excludes, and is in the report beside shmkit; and no figures
// come from a program that spoils something, on either side.
func TestPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles C++, which takes a minute")
	}
	for _, name := range here(t) {
		t.Run(name, func(t *testing.T) {
			s := built(t, name)
			res, err := tiny(t, s.ways)
			if err != nil {
				t.Fatal(err)
			}
			text := report(t.Context(), []*bench.Result{res}, s, "go test", "a commit")
			seen := map[string]bool{}
			for _, r := range res.Rows {
				if !r.Foreign {
					continue
				}
				seen[r.Way] = true
				if r.Operations == 0 || r.Nanoseconds.Median <= 0 || (r.Suite == "latency") && r.Times == nil || r.Paired == nil {
					t.Errorf("%v: %+v", r.Trial, r)
				}
				if !strings.Contains(text, "\n| "+r.Name()+" | ") {
					t.Errorf("%v is not in the report", r.Trial)
				}
			}
			for _, w := range s.ways {
				if !seen[w.Name] {
					t.Errorf("%s of %s has no row", w.Name, w.Suite)
				}
			}
			if !strings.Contains(text, "## Where shmkit loses") {
				t.Error(text)
			}
			for _, w := range s.ways {
				if w.Suite != "throughput" { // the same code as of latency, one way
					spoiled(t, w)
				}
			}
		})
	}
}

// spoiled has each side of a way spoil what it does.
func spoiled(t *testing.T, w bench.Foreign) {
	for _, who := range []string{"A", "B"} {
		for _, group := range append(w.Groups, "") {
			if (group == "") != (w.Groups == nil) || group == bench.GroupAlone && who == "B" { // who does nothing
				continue
			}
			one := w
			if group != "" {
				one.Groups = []string{group}
			}
			t.Run(strings.ReplaceAll(w.Name+" "+group+" by "+who, " ", "_"), func(t *testing.T) {
				t.Setenv("SHMKIT_FIELD_SPOIL", who)
				res, err := tiny(t, []bench.Foreign{one})
				if err == nil {
					t.Fatalf("it has figures: %v", res.Rows)
				}
				for _, found := range []string{"was changed on its way", "additions under the lock", "woken for"} {
					if strings.Contains(err.Error(), found) {
						return
					}
				}
				t.Error(err)
			})
		}
	}
}

// TestLosses: what is faster than shmkit is told.
func TestLosses(t *testing.T) {
	row := func(way string, foreign bool, beside float64) *bench.Row {
		r := &bench.Row{Trial: bench.Trial{Suite: "throughput", Way: way, Wait: bench.Block, Size: 64, Foreign: foreign, Ours: !foreign}, Operations: 1}
		if foreign {
			r.Paired = &bench.Spread{Low: beside, Median: beside, High: beside}
		}
		return r
	}
	rows := []*bench.Row{row("topic", false, 0), row("topic loan", false, 0), row("rocket", true, 0.5), row("snail", true, 9)}
	var b strings.Builder
	losses(&b, []*bench.Result{{Rows: rows}})
	if got := b.String(); !strings.Contains(got, "rocket takes 0.50 of the time of topic.") || strings.Contains(got, "snail") {
		t.Error(got)
	}
	b.Reset()
	losses(&b, []*bench.Result{{Rows: rows[:2]}})
	if !strings.Contains(b.String(), "In none") {
		t.Error(b.String())
	}
}

// TestAims: among several the one that is nearest to shmkit counts, and one that is missed, or may be, is said to be.
func TestAims(t *testing.T) {
	row := func(way string, beside float64) *bench.Row {
		return &bench.Row{Trial: bench.Trial{Suite: "latency", Way: way, Wait: bench.Block, Size: 64}, Paired: &bench.Spread{Low: beside - 5, Median: beside, High: beside + 5}}
	}
	var b strings.Builder
	aims(&b, []*bench.Result{{Rows: []*bench.Row{row("pipe", 20), row("C pipe", 60), row("C tcp", 90), row("ZeroMQ", 2), row("iceoryx", 7)}}})
	for _, want := range []string{"| 20 × (15–25) | pipe | **missed** |", "| 60 × (55–65) | C pipe | reached |", "| 7 × (2–12) | iceoryx | **not clear** |"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// TestClean: what a program that was killed has left is removed, and nothing there is well.
func TestClean(t *testing.T) {
	folder := fmt.Sprintf("shmkit-field-test-%d", os.Getpid())
	for _, name := range []string{folder + "-there", "sem." + folder + "-mutex"} {
		if err := os.WriteFile("/dev/shm/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove("/dev/shm/" + name) })
	}
	q, err := sysv.CreateQueue(sysv.Private, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Remove() })
	if err := os.Mkdir("/dev/shm/"+folder, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll("/dev/shm/" + folder) })
	if err := os.WriteFile("/dev/shm/"+folder+"/queue", []byte(strconv.Itoa(q.ID())), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(cleanBoost(folder), cleanSysvQueue(folder), cleanPosixQueues(folder)); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob("/dev/shm/*" + folder + "-*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if _, err := sysv.OpenQueueID(q.ID()); err == nil {
		t.Error("the queue is still there")
	}
}

func TestWrongArguments(t *testing.T) {
	for _, args := range [][]string{{"boost"}, {"-peers", "pigeon"}, {"-sizes", "many"}, {"-speed"}} {
		if err := run(t.Context(), args, &strings.Builder{}, &strings.Builder{}); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
