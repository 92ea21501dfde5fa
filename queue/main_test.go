package queue_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

func TestMain(m *testing.M) {
	queue.SetPoint(shmtest.Point)
	shmtest.Main(m, roles)
}

// roles are what other processes of the tests do.
var roles = map[string]shmtest.Role{}

func addRoles(more map[string]shmtest.Role) bool {
	maps.Copy(roles, more)
	return true
}

var ctx = context.Background()

// limited is a context that ends only if something is stuck.
func limited(t testing.TB) context.Context {
	c, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A job is an item of the tests.
type job struct {
	N    int64
	Text [24]byte
}

// mustOpen opens the queue "jobs"; it is closed with the test.
func mustOpen(t testing.TB, dir string, o queue.Options) *queue.Queue[job] {
	t.Helper()
	o.Dir = dir
	q, err := queue.Open[job]("jobs", &o)
	must(t, err)
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func mustPush(t testing.TB, q *queue.Queue[job], n int64) {
	t.Helper()
	must(t, q.Push(limited(t), &job{N: n}))
}

// mustPop takes the next item, which must be n, delivered so often.
func mustPop(t testing.TB, q *queue.Queue[job], n int64, deliveries int) queue.Item[job] {
	t.Helper()
	it, err := q.Pop(limited(t))
	must(t, err)
	if it.Data().N != n || it.Deliveries() != deliveries {
		t.Fatalf("popped %d, delivered %d times; want %d, %d", it.Data().N, it.Deliveries(), n, deliveries)
	}
	return it
}

// is reports that the queue counts so many: ready, claimed, being written, dead.
func is(t testing.TB, q *queue.Queue[job], ready, claimed, writing, dead int) {
	t.Helper()
	s, err := q.Stat()
	must(t, err)
	if s.Ready != ready || s.Claimed != claimed || s.Writing != writing || s.Dead != dead {
		t.Fatalf("%+v; want %d ready, %d claimed, %d writing, %d dead", s, ready, claimed, writing, dead)
	}
}

// empty empties the queue of what is ready, and all of its room must be there then.
func empty(t testing.TB, q *queue.Queue[job]) (got []int64) {
	t.Helper()
	for {
		it, err := q.TryPop()
		if err == queue.ErrEmpty {
			break
		}
		must(t, err)
		got = append(got, it.Data().N)
		must(t, it.Done())
	}
	s, err := q.Stat()
	must(t, err)
	for range s.Capacity {
		must(t, q.TryPush(&job{N: -1}))
	}
	if err := q.TryPush(&job{}); err != queue.ErrFull {
		t.Fatalf("full, and pushing: %v", err)
	}
	for range s.Capacity {
		it := mustPop(t, q, -1, 1)
		must(t, it.Done())
	}
	return got
}
