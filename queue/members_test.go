package queue_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

// Who is dead is not told by its pid: both first processes of PID namespaces have pid 1.
func TestMembersInAnotherPIDNamespace(t *testing.T) {
	testenv.RequireRoot(t)
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 3})
	inside := &shmtest.StartOptions{Cloneflags: syscall.CLONE_NEWPID}
	mustPush(t, q, 1)
	mustPush(t, q, 2)
	p := shmtest.StartWith(t, inside, "holder", dir, "1")
	p.Expect("ready")
	r := shmtest.StartWith(t, inside, "holder", dir, "1")
	r.Expect("ready")
	is(t, q, 0, 2, 0, 0)
	p.Kill()
	is(t, q, 1, 1, 0, 0)
	it := mustPop(t, q, 1, 2)
	must(t, it.Done())
	// Out of the namespace, and into it.
	mine := shmtest.StartWith(t, inside, "taker", dir)
	mine.Expect("ready")
	mustPush(t, q, 3)
	must(t, mine.Wait())
	r.Send("leave")
	must(t, r.Wait())
	if got := empty(t, q); len(got) > 0 {
		t.Errorf("%v came back from the living", got)
	}
}

// Two handles in one process are two members, whoever else dies: what one has the other
// leaves alone.
func TestTwoHandlesInOneProcessWhileAThirdIsKilled(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := mustOpen(t, dir, queue.Options{Capacity: 4}), mustOpen(t, dir, queue.Options{})
	if a.Me() == b.Me() || &a.Body()[0] == &b.Body()[0] {
		t.Fatal("they are one")
	}
	for n := range int64(4) {
		mustPush(t, a, n)
	}
	first := mustPop(t, a, 0, 1)
	second := mustPop(t, b, 1, 1)
	for round := range 3 {
		holder := shmtest.Start(t, "holder", dir, "2")
		holder.Expect("ready")
		holder.Kill()
		is(t, []*queue.Queue[job]{a, b}[round%2], 2, 2, 0, 0)
		is(t, b, 2, 2, 0, 0)
	}
	// In the middle of a step, with the mutex.
	dier := shmtest.Start(t, "dier", dir)
	<-dier.Exited()
	is(t, b, 2, 2, 0, 0)
	if second.Done() != nil || second.Done() == nil {
		t.Error("it is not done with, or twice")
	}
	must(t, first.Retry())
	for i, n := range []int64{0, 2, 3} {
		it := mustPop(t, []*queue.Queue[job]{b, a}[i%2], n, []int{2, 5, 4}[i])
		must(t, it.Done())
	}
	if got := empty(t, b); len(got) > 0 {
		t.Errorf("%v are left", got)
	}
}

// A queue for which there is no memory is not made, and leaves nothing.
// Of what the dead had for the last time as many become letters as are kept, the latest; the
// others are counted.
func TestWhatADeadConsumerHadForTheLastTimeIsBuriedOrCounted(t *testing.T) {
	for _, c := range []struct {
		letters, kept int
	}{{-1, 0}, {1, 1}, {2, 2}, {5, 3}} {
		dir := shmtest.Dir(t)
		q := mustOpen(t, dir, queue.Options{Capacity: 3, Deliveries: 1, DeadLetters: c.letters})
		for n := range int64(3) {
			mustPush(t, q, n)
		}
		p := shmtest.Start(t, "holder", dir, "3")
		p.Expect("ready")
		p.Kill()
		is(t, q, 0, 0, 0, c.kept)
		if s, err := q.Stat(); err != nil || s.Dropped != uint64(3-c.kept) {
			t.Errorf("%d are kept: %+v, %v", c.kept, s, err)
		}
		for n := 3 - c.kept; n < 3; n++ {
			l, err := q.PopDead()
			must(t, err)
			if l.Data().N != int64(n) || l.Deliveries() != 1 {
				t.Errorf("%d are kept: letter %d, delivered %d times; want %d", c.kept, l.Data().N, l.Deliveries(), n)
			}
			must(t, l.Done())
		}
		if got := empty(t, q); len(got) > 0 {
			t.Errorf("%v came back", got)
		}
	}
}

// Who never finds the queue empty, nor full, looks for the dead all the same.
func TestABusyQueueGetsBackWhatTheDeadHad(t *testing.T) {
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 4})
	mustPush(t, q, 0)
	p := shmtest.Start(t, "holder", dir, "1")
	p.Expect("ready")
	mustPush(t, q, 1)
	p.Kill()
	shmtest.Eventually(t, "the item comes again", func() bool {
		mustPush(t, q, 1)
		it, err := q.TryPop()
		must(t, err)
		again := it.Data().N == 0 && it.Deliveries() == 2
		must(t, it.Done())
		return again
	})
	empty(t, q)
}

// A loan of a dead producer is no item: it keeps no queue.
func TestALoanOfTheDeadDoesNotKeepTheQueue(t *testing.T) {
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 1})
	p := shmtest.Start(t, "lender", dir)
	p.Expect("ready")
	p.Kill()
	must(t, q.Close())
	if names, err := queue.Names(dir); err != nil || len(names) > 0 {
		t.Errorf("%v is left, %v", names, err)
	}
}

func TestAQueueThatDoesNotFitIsNotMade(t *testing.T) {
	testenv.RequireRoot(t)
	if !testenv.InPrivateMount(t) {
		return
	}
	dir := t.TempDir()
	testenv.MountTmpfs(t, dir, 64<<10)
	if _, err := queue.Open[job]("jobs", &queue.Options{Dir: dir, Capacity: 10_000}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v", err)
	}
	if names, err := queue.Names(dir); err != nil || len(names) > 0 {
		t.Errorf("%v, %v", names, err)
	}
	// What fits is reserved: it works when all the rest is taken.
	func() {
		q, err := queue.Open[job]("jobs", &queue.Options{Dir: dir, Capacity: 8, Members: 4})
		must(t, err)
		if err := os.WriteFile(filepath.Join(dir, "rest"), make([]byte, 128<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("there was room: %v", err)
		}
		if got := empty(t, q); len(got) > 0 {
			t.Errorf("%v", got)
		}
		must(t, q.Close())
	}()
	// The memory of a closed handle is given back when nobody can touch it any more.
	shmtest.Eventually(t, "it is given back", func() bool {
		runtime.GC()
		maps, err := os.ReadFile("/proc/self/maps")
		return err == nil && !bytes.Contains(maps, []byte(dir))
	})
}
