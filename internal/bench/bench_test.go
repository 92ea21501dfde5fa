package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/race"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	if race.Enabled {
		fmt.Println("skipped: what is measured is not what the race detector makes of it, and takes minutes")
		return
	}
	moreWays, moreLocks, moreSignals, moreFans, moreFileWays = badWays(), badLocks(), badSignals(), badFans(), badFileWays()
	Main()
	testenv.Main(m, nil)
}

// short is options of a run that takes as little as one can.
func short(suite string, ways ...string) Options {
	return Options{Suites: []string{suite}, Ways: ways, Sizes: []int{64}, Duration: time.Millisecond, Rounds: 1, turns: 2}
}

// names are those of ways.
func names(all []way) (names []string) {
	for _, w := range all {
		names = append(names, w.name)
	}
	return names
}

func TestMessagesGoEveryWay(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a hundred processes, twice")
	}
	for suite, size := range map[string]int{"latency": 8, "throughput": 5000} {
		t.Run(suite, func(t *testing.T) {
			ways := names(allWays())
			if suite == "throughput" { // the same code one way: that of some will do
				ways = []string{"pipe", "unix datagram", "sysv queue", "segment", "topic", "queue"}
			}
			o := short(suite, ways...)
			o.Sizes = []int{size}
			res, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			want := 2 * (2*len(ways) + len(yardsticks()))
			if suite == "throughput" {
				want -= 2 // a cache line is no stream
			}
			if len(res.Rows) != want {
				t.Errorf("%d rows, want %d", len(res.Rows), want)
			}
			for _, r := range res.Rows {
				whole(t, r)
			}
		})
	}
}

// whole looks at a row's figures.
func whole(t *testing.T, r *Row) {
	t.Helper()
	if r.Impossible != "" {
		t.Errorf("%v: %s", r.Trial, r.Impossible)
		return
	}
	n := r.Nanoseconds
	if r.Operations < 2 || n.Low <= 0 || n.Low > n.Median || n.Median > n.High || r.CPU <= 0 || r.Ratio <= 0 || r.PerSecond <= 0 {
		t.Errorf("%v: %+v", r.Trial, r)
	}
	if timed := r.Suite == "latency"; timed != (r.Times != nil) {
		t.Errorf("%v: times of round trips, and of nothing else: %+v", r.Trial, r.Times)
	}
	if x := r.Times; x != nil && (x.P50 <= 0 || x.P50 > x.P90 || x.P90 > x.P99 || x.P99 > x.P999 || x.P999 > x.Max) {
		t.Errorf("%v: percentiles %+v", r.Trial, x)
	}
	if r.Memory == nil || *r.Memory < int64(r.Size) && r.Way != "cache line" {
		t.Errorf("%v: memory %v", r.Trial, r.Memory)
	}
}

// A bad way is a pipe that does something wrong with message number 150.
type bad struct {
	end
	send150 func(end) error
}

func (b *bad) send(seq uint64) error {
	if seq == 150 {
		return b.send150(b.end)
	}
	return b.end.send(seq)
}

func badWays() (all []way) {
	add := func(name string, send150 func(end) error) {
		w := pipeWay()
		open := w.open
		w.name = name
		w.open = func(r *room) (end, error) {
			e, err := open(r)
			return &bad{e, send150}, err
		}
		all = append(all, w)
	}
	add("spoils", func(e end) error {
		w := e.(*wire)
		before := w.r.pay.size
		w.r.pay.put(w.buf, 150)
		w.buf[before-1] ^= 1
		_, err := w.files[1].Write(w.buf)
		return err
	})
	add("loses", func(e end) error { return e.send(151) })
	add("doubles", func(e end) error { return errors.Join(e.send(149), e.send(150)) })
	add("shortens", func(e end) error {
		w := e.(*wire)
		w.r.pay.put(w.buf, 150)
		_, err := w.files[1].Write(append(w.buf[:8:8], w.buf[9:]...))
		if err != nil {
			return err
		}
		return e.send(151)
	})
	add("fails", func(end) error { return errors.New("out of paper") })
	add("dies", func(end) error { os.Exit(3); return nil })
	return all
}

// TestBrokenTransportHasNoFigures: what is wrong with a message ends the run, with words that tell.
func TestBrokenTransportHasNoFigures(t *testing.T) {
	want := map[string]string{
		"spoils": "message 150 was changed on its way", "loses": "message 151 came for 150", "doubles": "message 149 came for 150",
		"shortens": "message 150", "fails": "out of paper", "dies": "exit status 3",
	}
	for _, w := range badWays() {
		for _, suite := range []string{"latency", "throughput"} {
			t.Run(w.name+"/"+suite, func(t *testing.T) {
				res, err := Run(t.Context(), short(suite, w.name))
				if err == nil {
					t.Fatalf("figures: %+v", res.Rows)
				}
				if !strings.Contains(err.Error(), want[w.name]) || !strings.Contains(err.Error(), suite+" "+w.name) {
					t.Errorf("the error does not say %q of %s: %v", want[w.name], suite+" "+w.name, err)
				}
				if n := strings.Count(err.Error(), "\n"); n > 1 {
					t.Errorf("%d lines: %v", n+1, err)
				}
				gone(t)
			})
		}
	}
}

// gone fails if something of a run is still there.
func gone(t *testing.T) {
	t.Helper()
	left, err := filepath.Glob(fmt.Sprintf("/dev/shm/%s%d-*", folder, os.Getpid()))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid()))
	if err == nil && len(children) > 0 {
		t.Errorf("processes left: %s", children)
	}
}

// TestCancelled: whenever a run is cancelled, it ends soon and leaves nothing.
func TestCancelled(t *testing.T) {
	for _, after := range []int{0, 1, 4, 20} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			why := errors.New("enough")
			told := 0
			o := short("latency")
			o.Ways = []string{"sysv queue", "segment", "topic"}
			o.Progress = func(Progress) {
				if told++; told > after {
					cancel(why)
				}
			}
			_, err := Run(ctx, o)
			if !errors.Is(err, why) {
				t.Errorf("%v, want %v", err, why)
			}
			gone(t)
		})
	}
}

func TestRowsOfOtherSizesAreImpossible(t *testing.T) {
	o := short("latency", "sysv queue", "posix queue")
	o.Sizes = []int{1 << 20}
	res, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range res.Rows {
		if !r.Yardstick {
			found++
			if !strings.Contains(r.Impossible, "at most") || r.Operations != 0 {
				t.Errorf("%v: %q, %d operations", r.Trial, r.Impossible, r.Operations)
			}
		}
	}
	if found != 8 {
		t.Errorf("%d rows", found)
	}
}

func TestWrongOptions(t *testing.T) {
	for _, o := range []Options{
		{Suites: []string{"speed"}}, {Ways: []string{"pigeon"}}, {Sizes: []int{7}}, {Sizes: []int{1<<30 + 1}}, {Duration: 1},
	} {
		if res, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v: %+v", o, res)
		}
	}
}
