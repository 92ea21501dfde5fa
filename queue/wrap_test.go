package queue_test

import (
	"encoding/binary"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

// Sequence numbers do not run out in the life of a machine. Should they, nothing is lost or doubled;
// of the order nothing is promised then.
func TestSequenceNumbersWrapAround(t *testing.T) {
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 6})
	q.Sequence().Store(math.MaxUint64 - 3)
	for n := range int64(6) {
		mustPush(t, q, n)
	}
	holder := shmtest.Start(t, "holder", dir, "2")
	holder.Expect("ready")
	holder.Kill()
	is(t, q, 6, 0, 0, 0) // all lists are made anew
	it, err := q.TryPop()
	must(t, err)
	must(t, it.Retry())
	got := empty(t, q)
	slices.Sort(got)
	if want := []int64{0, 1, 2, 3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("items %v came, not %v", got, want)
	}
	if n := q.Sequence().Load(); n > 12 {
		t.Errorf("the last sequence number is %d", n)
	}
}

// Deliveries are counted up to the bound of their bits and no further: the owner beside them, and the
// state, are not touched.
func TestDeliveriesStopAtTheirBound(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 1})
	mustPush(t, q, 7)
	q.State(0).Store(queue.Pack(2, queue.MaxDeliveries-1, 0)) // READY
	for range 3 {
		it := mustPop(t, q, 7, queue.MaxDeliveries)
		if v := q.State(0).Load(); v != queue.Pack(3, queue.MaxDeliveries, q.Me()) {
			t.Fatalf("its state is %#x", v)
		}
		must(t, it.Retry())
	}
	if got := empty(t, q); !slices.Equal(got, []int64{7}) {
		t.Errorf("%v", got)
	}
	// A limit at the bound buries it.
	q2 := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 1, Deliveries: queue.MaxDeliveries})
	mustPush(t, q2, 7)
	q2.State(0).Store(queue.Pack(2, queue.MaxDeliveries-1, 0))
	it := mustPop(t, q2, 7, queue.MaxDeliveries)
	must(t, it.Retry())
	is(t, q2, 0, 0, 0, 1)
	letter, err := q2.PopDead()
	must(t, err)
	must(t, letter.Done())
}

// The words that are slept at count to 2^32 and begin again: bit 0 stays what it means.
func TestBellsWrapAround(t *testing.T) {
	q := mustOpen(t, shmtest.Dir(t), queue.Options{Capacity: 1})
	for round := range 3 {
		q.Filled().Store(math.MaxUint32 - 1)
		popped := make(chan error, 1)
		go func() {
			it, err := q.Pop(limited(t))
			if err == nil {
				err = it.Done()
			}
			popped <- err
		}()
		shmtest.Eventually(t, "it sleeps", func() bool { return q.Filled().Load() == math.MaxUint32 })
		mustPush(t, q, 1)
		must(t, <-popped)
		// Who has slept leaves the bit, for others of whom it does not know.
		if v := q.Filled().Load(); v > 1 {
			t.Errorf("round %d: filled is %#x", round, v)
		}
		mustPush(t, q, 2)
		q.Emptied().Store(math.MaxUint32 - 1)
		pushed := make(chan error, 1)
		go func() { pushed <- q.Push(limited(t), &job{N: 3}) }()
		shmtest.Eventually(t, "it sleeps", func() bool { return q.Emptied().Load() == math.MaxUint32 })
		it := mustPop(t, q, 2, 1)
		must(t, it.Done())
		must(t, <-pushed)
		if v := q.Emptied().Load(); v > 1 {
			t.Errorf("round %d: emptied is %#x", round, v)
		}
		it = mustPop(t, q, 3, 1)
		must(t, it.Done())
	}
}

// The last generations of a slot fit beside its number in the owner of a cell, and what such a
// member had comes back.
func TestTheLastGenerationOfASlotHoldsItems(t *testing.T) {
	const last = 1<<20 - 2 // docs/abi/object.md
	dir := shmtest.Dir(t)
	q := mustOpen(t, dir, queue.Options{Capacity: 2, Members: 3})
	f, err := os.OpenFile(q.Path(), os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	for _, generation := range []uint32{last - 2, last - 1} {
		slot := int64(1)
		record := 4096 + slot*128
		_, err := f.WriteAt(binary.NativeEndian.AppendUint32(nil, generation*4), record) // free
		must(t, err)
		mustPush(t, q, 5)
		mustPush(t, q, 6)
		holder := shmtest.Start(t, "holder", dir, "1")
		holder.Expect("ready")
		if v, want := q.State(claimedCell(q)).Load(), queue.Pack(3, 1, uint32(slot)<<20|(generation+1)); v != want {
			t.Errorf("after generation %d the state is %#x, not %#x", generation, v, want)
		}
		// While it lives, a repair leaves it what it has.
		other := shmtest.Start(t, "holder", dir, "1")
		other.Expect("ready")
		other.Kill()
		is(t, q, 1, 1, 0, 0)
		holder.Kill()
		is(t, q, 2, 0, 0, 0)
		for n := range int64(2) {
			it := mustPop(t, q, 5+n, 2)
			must(t, it.Done())
		}
	}
	// The slot is used up, and the next one comes to another.
	holder := shmtest.Start(t, "holder", dir, "0")
	holder.Expect("ready")
	i, err := queue.Look("jobs", dir)
	must(t, err)
	if len(i.Members) != 2 || i.Members[1].Slot != 2 {
		t.Errorf("its members are %+v", i.Members)
	}
	holder.Kill()
}

// claimedCell returns the first cell that is CLAIMED.
func claimedCell(q *queue.Queue[job]) uint32 {
	for i := range uint32(2) {
		if q.State(i).Load()&7 == 3 {
			return i
		}
	}
	return 0
}
