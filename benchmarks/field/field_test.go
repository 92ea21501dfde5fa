package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/bench"
	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/testenv"
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

// tiny measures one peer as shortly as can be, without shmkit's own ways but topics.
func tiny(t *testing.T, name string, suites ...string) (*bench.Result, *set, error) {
	t.Helper()
	s, err := build(t.Context(), []string{name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if len(s.missing) > 0 {
		t.Skip(strings.Join(s.missing, "; "))
	}
	res, err := bench.Run(t.Context(), bench.Options{
		Suites: suites, Sizes: []int{64}, Ways: []string{"topic"}, Duration: 20 * time.Millisecond, Rounds: 1, Foreign: s.ways,
	})
	return res, s, err
}

// TestPeers: each that can be built carries messages, verified, or excludes, and is in the report.
func TestPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles C++, which takes a minute")
	}
	for _, name := range here(t) {
		t.Run(name, func(t *testing.T) {
			suites := []string{"latency", "throughput"}
			if name == "locks" {
				suites = []string{"sync"}
			}
			res, s, err := tiny(t, name, suites...)
			if err != nil {
				t.Fatal(err)
			}
			text, found := report(t.Context(), []*bench.Result{res}, s, "go test"), 0
			for _, r := range res.Rows {
				if !r.Foreign {
					continue
				}
				found++
				if r.Operations == 0 || r.Nanoseconds.Median <= 0 || (r.Suite == "latency") && r.Times == nil {
					t.Errorf("%v: %+v", r.Trial, r)
				}
				if !strings.Contains(text, "\n| "+r.Name()+" | ") {
					t.Errorf("%v is not in the report", r.Trial)
				}
			}
			if found == 0 || !strings.Contains(text, "## Where shmkit loses") {
				t.Errorf("%d rows of it:\n%s", found, text)
			}
		})
	}
}

// TestSpoiledMessagesAreFound: a program that spoils what it sends has no figures.
func TestSpoiledMessagesAreFound(t *testing.T) {
	here(t)
	t.Setenv("SHMKIT_FIELD_SPOIL", "1")
	res, _, err := tiny(t, "kernel", "latency")
	if err == nil || !strings.Contains(err.Error(), "was changed on its way") {
		t.Errorf("%v, %v", res, err)
	}
}

// TestLosses: what is faster than shmkit is told.
func TestLosses(t *testing.T) {
	row := func(way string, foreign bool, ns float64) *bench.Row {
		return &bench.Row{Trial: bench.Trial{Suite: "throughput", Way: way, Wait: bench.Block, Size: 64, Foreign: foreign, Ours: !foreign}, Operations: 1, Nanoseconds: bench.Spread{Low: ns, Median: ns, High: ns}}
	}
	rows := []*bench.Row{row("topic", false, 100), row("topic loan", false, 90), row("rocket", true, 45), row("snail", true, 900)}
	var b strings.Builder
	losses(&b, []*bench.Result{{Rows: rows}})
	if got := b.String(); !strings.Contains(got, "rocket takes 0.50 of the time of topic loan") || strings.Contains(got, "snail") {
		t.Error(got)
	}
	b.Reset()
	losses(&b, []*bench.Result{{Rows: rows[:2]}})
	if !strings.Contains(b.String(), "In none") {
		t.Error(b.String())
	}
}

func TestWrongArguments(t *testing.T) {
	for _, args := range [][]string{{"boost"}, {"-peers", "pigeon"}, {"-sizes", "many"}, {"-speed"}} {
		if err := run(t.Context(), args, &strings.Builder{}, &strings.Builder{}); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
