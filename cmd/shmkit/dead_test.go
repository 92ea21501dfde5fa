package main

import (
	"io"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/queue"
)

// buryLines makes dead letters of lines, in a queue that stays open until the test ends.
func buryLines(t *testing.T, lines ...string) *queue.Bytes {
	t.Helper()
	q, err := queue.OpenBytes("jobs", &queue.Options{Deliveries: 1, MaxItem: 100 << 10, Capacity: 4, DeadLetters: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, line := range lines {
		if err := q.Push(t.Context(), []byte(line)); err != nil {
			t.Fatal(err)
		}
		item, err := q.TryPop()
		if err != nil {
			t.Fatal(err)
		}
		if err := item.Retry(); err != nil {
			t.Fatal(err)
		}
	}
	return q
}

// A dead that ends while it has letters, however it does, leaves all of them where they were.
func TestADeadThatEndsEarlyLeavesTheLetters(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			queueDir(t)
			q := buryLines(t, strings.Repeat("x", 100<<10), "second", "third") // the first is more than a pipe holds
			before := runKinds(t, "dead", "jobs", "--json")
			r, w, err := os.Pipe() // nobody reads on
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			b := startTo(t, w, "dead", "jobs", "--drop", "--json", "--sequence", "1", "--sequence", "3")
			w.Close()
			if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if s, err := q.Stat(); err != nil || s.Dead != 0 || s.DeadHeld != 3 {
				t.Fatalf("while it prints: %+v, %v", s, err)
			}
			b.signal(sig)
			b.wait()
			if ws := b.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != sig || b.errs.Len() > 0 {
				t.Errorf("%v, %q", b.cmd.ProcessState, b.errs.String())
			}
			if after := runKinds(t, "dead", "jobs", "--json"); !reflect.DeepEqual(after, before) {
				t.Errorf("%+.300v, and before %+.300v", after, before)
			}
			if s, err := q.Stat(); err != nil || s.Dead != 3 || s.DeadHeld != 0 || s.Dropped != 0 {
				t.Errorf("%+v, %v", s, err)
			}
			if r := runKinds(t, "dead", "jobs", "--drop"); r.code != exitDone {
				t.Errorf("%+v", r)
			}
		})
	}
}
