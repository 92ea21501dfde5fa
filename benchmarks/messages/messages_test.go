package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// Every work is verified and measured, for so short a time that the numbers mean nothing.
func TestEveryWorkRuns(t *testing.T) {
	withCompiler(t)
	for _, pinned := range []bool{true, false} {
		at := twoCPUs(t)
		if !pinned {
			at = place{all: at.all}
		}
		b := &bench{all: works(), at: at, duration: time.Millisecond, rounds: 1, least: 1, shorter: 100}
		for _, w := range works() {
			t.Run(w.name+map[bool]string{true: "", false: ",unpinned"}[pinned], func(t *testing.T) {
				if w.name == "topic-loan" || w.name == "topic-touched" {
					roomFor(t, 512<<20)
				}
				var rows []row
				err := at.run(func() error {
					return b.run(context.Background(), []work{w}, func(r row) { rows = append(rows, r) })
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(rows) != 1 || rows[0].Slices+rows[0].Thrown == 0 {
					t.Fatalf("%+v", rows)
				}
				if r := rows[0]; r.Slices > 0 && (r.NS.Median <= 0 || r.BaseNS.Median <= 0 || r.Ratio.Median <= 0) {
					t.Errorf("%+v", r)
				}
				leavesNothing(t)
			})
		}
	}
}

// roomFor skips where shared memory has no room for so many bytes, as in a container that was given little.
func roomFor(t *testing.T, bytes uint64) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &st); err != nil {
		t.Fatal(err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < bytes {
		t.Skipf("/dev/shm has %d MiB free, this takes up to %d", free>>20, bytes>>20)
	}
}

func TestWorksAreWellFormed(t *testing.T) {
	all := works()
	for i, w := range all {
		if j := slices.IndexFunc(all, func(o work) bool { return o.name == w.name }); j != i {
			t.Errorf("two are called %s", w.name)
		}
		if w.base != "" && !slices.ContainsFunc(all[:i], func(o work) bool { return o.name == w.base }) {
			t.Errorf("%s has the base %s, which does not stand before it", w.name, w.base)
		}
		if p := w.cut(); p < 1 || p > mostParts || w.n%p != 0 {
			t.Errorf("%s: %d operations in %d parts", w.name, w.n, p)
		}
	}
}

func TestJSONOfOneWork(t *testing.T) {
	withCompiler(t)
	twoCPUs(t)
	var out bytes.Buffer
	if err := run(context.Background(), []string{"-works", "bounce", "-duration", "1ms", "-json"}, &out); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Go   string
		CPUs string
		Rows []row
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if got.Go != runtime.Version() || got.CPUs == "" || len(got.Rows) != 1 || got.Rows[0].Work != "bounce" || got.Rows[0].Base != "floor" {
		t.Errorf("%+v", got)
	}
}

func TestCommandLine(t *testing.T) {
	var out bytes.Buffer
	if err := run(context.Background(), []string{"-list"}, &out); err != nil || !strings.Contains(out.String(), "bounce") {
		t.Errorf("%v\n%s", err, out.String())
	}
	for want, args := range map[string][]string{
		"nonsense": {"-works", "bounce,nonsense"},
		"more":     {"more"},
	} {
		if err := run(context.Background(), args, &out); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", args, err, want)
		}
	}
}

func TestWithoutCompilerItSaysSo(t *testing.T) {
	twoCPUs(t)
	t.Setenv("PATH", "")
	if err := run(context.Background(), []string{"-works", "bounce"}, new(bytes.Buffer)); !errors.Is(err, errNoCompiler) {
		t.Errorf("%v, want %v", err, errNoCompiler)
	}
}

func TestWithOneCPUItSaysSo(t *testing.T) {
	at := twoCPUs(t)
	err := at.run(func() error {
		_, err := findPlace(false)
		return err
	})
	if !errors.Is(err, errOneCPU) {
		t.Errorf("%v, want %v", err, errOneCPU)
	}
	if all, err := sys.CPUs(); err != nil || len(all) < 2 {
		t.Errorf("afterwards: %v, %v", all, err)
	}
}

func TestAnEndedContextEndsIt(t *testing.T) {
	withCompiler(t)
	at := twoCPUs(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("that is enough")
	b := &bench{all: works(), at: at, duration: time.Hour, rounds: 1, least: 1, shorter: 100}
	err := at.run(func() error {
		w := bounce()
		open := w.parent
		w.parent = func(r *room) (side, error) {
			s, err := open(r)
			return &canceller{side: s, after: 10, cancel: func() { cancel(why) }}, err
		}
		return b.run(ctx, []work{w}, func(row) {})
	})
	if !errors.Is(err, why) {
		t.Errorf("%v, want %v", err, why)
	}
	leavesNothing(t)
}

// A canceller is a side that ends a context after some runs.
type canceller struct {
	side
	after  int
	cancel func()
}

func (c *canceller) run(n int, check bool) error {
	if c.after--; c.after == 0 {
		c.cancel()
	}
	return c.side.run(n, check)
}
