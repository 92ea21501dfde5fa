package queue_test

import (
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

// Who looks sees what is there and whose it is, writes nothing, and is no member.
func TestLookTellsOfAQueueWithoutTakingPart(t *testing.T) {
	dir := shmtest.Dir(t)
	if _, err := queue.Look("jobs", dir); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("there is none: %v", err)
	}
	removed(t, dir)
	q := mustOpen(t, dir, queue.Options{Capacity: 5, Deliveries: 1, DeadLetters: 2, Members: 7})
	for n := range int64(5) {
		mustPush(t, q, n)
	}
	for n := range int64(2) {
		it := mustPop(t, q, n, 1)
		must(t, it.Retry())
	}
	holder := shmtest.Start(t, "holder", dir, "1")
	holder.Expect("ready")
	mine := mustPop(t, q, 3, 1)
	before := slices.Clone(q.Body())
	i, err := queue.Look("jobs", dir)
	must(t, err)
	if !slices.Equal(q.Body(), before) {
		t.Error("looking wrote something")
	}
	s, err := q.Stat()
	must(t, err)
	if i.Stat != s || s.Claimed != 2 || s.Dead != 2 {
		t.Errorf("%+v; Stat says %+v", i.Stat, s)
	}
	if i.Name != "jobs" || i.Path != q.Path() || i.Type != "queue_test.job" || i.Slots != 7 || i.Orphaned != 0 || i.Persistent {
		t.Errorf("%+v", i)
	}
	if len(i.Members) != 2 || !i.Members[0].Alive || i.Members[0].Held != 1 || i.Members[1].Held != 1 || i.Members[1].PID != holder.Pid() {
		t.Errorf("its members are %+v", i.Members)
	}
	// What the dead have is told until somebody has given it back.
	holder.Kill()
	if i, err = queue.Look("jobs", dir); err != nil || i.Claimed != 2 || i.Orphaned != 1 || i.Members[1].Alive {
		t.Errorf("%+v, %v", i, err)
	}
	is(t, q, 1, 1, 0, 2)
	if i, err = queue.Look("jobs", dir); err != nil || i.Orphaned != 0 {
		t.Errorf("%+v, %v", i, err)
	}
	must(t, mine.Done())
	// Bytes that no member writes are told of as such.
	state := q.State(0)
	was := state.Load()
	state.Store(7)
	if _, err := queue.Look("jobs", dir); !errors.Is(err, queue.ErrCorrupt) {
		t.Errorf("a state of 7: %v", err)
	}
	state.Store(was)
	if names, err := queue.Names(dir); err != nil || !slices.Equal(names, []string{"jobs"}) {
		t.Errorf("%v, %v", names, err)
	}
}

// removed removes the queue "jobs" when the test ends, with what is in it then.
func removed(t testing.TB, dir string) {
	t.Cleanup(func() {
		if err := queue.Remove("jobs", dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}
