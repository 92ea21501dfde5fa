package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

// The points that a queue has are come to in these plays, and a kill at any of them loses and
// doubles nothing but what is delivered again, and says so.
func TestKilledAtEveryPointOfTheQueue(t *testing.T) {
	was := queue.SetLongest(time.Hour) // what is missed is not made good by it
	t.Cleanup(func() { queue.SetLongest(was) })
	shmtest.KillAtEveryPoint(t, []shmtest.Play{
		{Name: "produces", Act: playProduces},
		{Name: "consumes", Act: playConsumes},
		{Name: "waits for an item", Act: playWaitsForAnItem},
		{Name: "waits for room", Act: playWaitsForRoom},
		{Name: "gives up", Act: playGivesUp},
		{Name: "waits while one dies", Act: playWaitsForTheDead},
		{Name: "waits while a producer dies", Act: playWaitsForADeadProducer},
		{Name: "tries after a death", Act: playTries},
		{Name: "joins after a death", Act: playJoins},
		{Name: "buries", Act: playBuries},
		{Name: "reads dead letters", Act: playReads},
		{Name: "passes on", Act: playPassesOn},
		{Name: "repairs", Act: playRepairs},
		{Name: "pushes two", Act: playPushesTwo},
		{Name: "pushes to who sleeps", Act: playPushesToWhoSleeps},
		{Name: "makes room for who sleeps", Act: playMakesRoom},
	}, &shmtest.KillOptions{
		Points:    shmtest.PointsIn(t, "core.go", "lists.go", "steps.go", "repair.go", "wait.go", "guest.go", "held.go"),
		FirstOnly: testing.Short(), Parallel: true,
	})
}

func ready(p *shmtest.Proc) { _, _ = p.ReadLine() } // it may be dead

// tally counts how often each item is there, done with by others included.
type tally map[int64]int

func (c tally) add(all []int64) {
	for _, n := range all {
		c[n]++
	}
}

// playProduces is a victim that pushes, with another that does, and one that pops.
func playProduces(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpen(t, dir, queue.Options{Capacity: 3}), mustOpen(t, dir, queue.Options{})
	p := v.Start("producer", dir, "0", "20")
	ready(p)
	c := tally{}
	pushing := begin(func() error {
		for n := range int64(20) {
			if err := b.Push(limited(t), &job{N: 100 + n}); err != nil {
				return err
			}
		}
		return nil
	})
	last := map[bool]int64{true: -1, false: 99}
	for !p.Ended() || c[119] == 0 {
		it, err := a.TryPop()
		if err == queue.ErrEmpty {
			continue
		}
		must(t, err)
		n := it.Data().N
		if n != last[n < 100]+1 || it.Deliveries() != 1 {
			t.Fatalf("item %d behind %d, delivered %d times", n, last[n < 100], it.Deliveries())
		}
		last[n < 100] = n
		c[n]++
		must(t, it.Done())
	}
	must(t, <-pushing)
	c.add(empty(t, a))
	for n, k := range c {
		if k != 1 && n >= 0 {
			t.Errorf("item %d came %d times", n, k)
		}
	}
}

// playConsumes is a victim that pops and retries, with another that pops.
func playConsumes(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpen(t, dir, queue.Options{Capacity: 30}), mustOpen(t, dir, queue.Options{})
	for n := range int64(30) {
		mustPush(t, a, n)
	}
	p := v.Start("consumer", dir, "10")
	ready(p)
	c := tally{}
	for n := range 10 {
		it, err := b.Pop(limited(t))
		must(t, err)
		c[it.Data().N]++
		if n%3 == 0 {
			c[it.Data().N]--
			must(t, it.Retry())
			continue
		}
		must(t, it.Done())
	}
	<-p.Exited()
	left := tally{}
	left.add(empty(t, a))
	done := 0
	for n := range int64(30) {
		if k := c[n] + left[n]; k > 1 {
			t.Errorf("item %d came %d times", n, k)
		} else if k == 0 {
			done++ // by the victim
		}
	}
	if done > 10 {
		t.Errorf("the victim was done with %d", done)
	}
}

// playWaitsForAnItem is a victim that sleeps for an item, with another behind it.
func playWaitsForAnItem(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 4})
	p := v.Start("taker", dir)
	ready(p)
	asleep(t, dir, 1, p)
	n := sleepers(t, dir)
	behind := begin(func() error {
		it, err := a.Pop(limited(t))
		if err != nil {
			return err
		}
		return it.Done()
	})
	asleep(t, dir, n+1, p)
	mustPush(t, a, 1)
	mustPush(t, a, 2)
	must(t, <-behind)
	<-p.Exited()
	if got := empty(t, a); len(got) > 1 {
		t.Errorf("%v are left", got)
	}
}

// playWaitsForRoom is a victim that sleeps for room, with another behind it.
func playWaitsForRoom(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 2})
	mustPush(t, a, 1)
	mustPush(t, a, 2)
	p := v.Start("giver", dir, "3")
	ready(p)
	asleep(t, dir, 1, p)
	n := sleepers(t, dir)
	behind := begin(func() error { return a.Push(limited(t), &job{N: 4}) })
	asleep(t, dir, n+1, p)
	for n := range int64(2) {
		it := mustPop(t, a, n+1, 1)
		must(t, it.Done())
	}
	must(t, <-behind)
	<-p.Exited()
	c := tally{}
	c.add(empty(t, a))
	if c[4] != 1 || c[3] > 1 || len(c) > 2 {
		t.Errorf("%v are left", c)
	}
}

// playGivesUp is a victim that waits, and gives up.
func playGivesUp(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 2})
	<-v.Start("quitter", dir).Exited()
	empty(t, a)
}

// holder starts one that has so many items.
func holder(t *testing.T, dir string, n int) *shmtest.Proc {
	p := shmtest.Start(t, "holder", dir, fmt.Sprint(n))
	p.Expect("ready")
	return p
}

// playWaitsForTheDead is a victim that waits for what somebody has who dies, with another behind
// it. The last item is for who lives.
func playWaitsForTheDead(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 4})
	mustPush(t, a, 1)
	mustPush(t, a, 2)
	doomed := holder(t, dir, 2)
	p := v.Start("taker", dir)
	ready(p)
	asleep(t, dir, 1, p)
	doomed.Kill()
	it, err := a.Pop(limited(t))
	must(t, err)
	if it.Deliveries() < 2 {
		t.Errorf("delivered %d times", it.Deliveries())
	}
	must(t, it.Done())
	<-p.Exited()
	if got := empty(t, a); len(got) > 1 {
		t.Errorf("%v are left", got)
	}
}

// playWaitsForADeadProducer is a victim that waits for the room of a loan.
func playWaitsForADeadProducer(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 1})
	doomed := shmtest.Start(t, "lender", dir)
	doomed.Expect("ready")
	p := v.Start("giver", dir, "1")
	ready(p)
	asleep(t, dir, 1, p)
	doomed.Kill()
	<-p.Exited()
	if got := empty(t, a); len(got) > 1 || len(got) == 1 && got[0] != 1 {
		t.Errorf("%v are left", got)
	}
}

// playTries is a victim that finds the dead where it does not wait.
func playTries(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 4})
	for n := range int64(3) {
		mustPush(t, a, n)
	}
	first, second := holder(t, dir, 1), holder(t, dir, 2)
	p := v.Start("taker", dir, "when told to")
	ready(p)
	first.Kill()
	second.Kill()
	p.Send("go")
	<-p.Exited()
	if got := empty(t, a); len(got) < 2 || len(got) > 3 {
		t.Errorf("%v are left", got)
	}
}

// playJoins is a victim that cleans the record of a dead one to get one.
func playJoins(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 4, Members: 2})
	mustPush(t, a, 1)
	holder(t, dir, 1).Kill()
	<-v.Start("opener", dir).Exited()
	it := mustPop(t, a, 1, 2)
	must(t, it.Done())
	empty(t, a)
}

// playBuries is a victim whose items come back for the last time; two letters are kept.
func playBuries(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 8, Deliveries: 1, DeadLetters: 1})
	for n := range int64(8) {
		mustPush(t, a, n)
	}
	holder(t, dir, 2).Kill()
	p := v.Start("consumer", dir, "4") // 2, 4, 5 and 7; 3 and 6 are retried, and buried
	ready(p)
	<-p.Exited()
	empty(t, a)
	s, err := a.Stat()
	must(t, err)
	if s.Dead != 1 || s.Dropped > 4 {
		t.Errorf("%+v", s)
	}
	it, err := a.PopDead()
	must(t, err)
	must(t, it.Done())
	empty(t, a)
}

// playReads is a victim that reads dead letters.
func playReads(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 4, Deliveries: 1, DeadLetters: 3})
	for n := range int64(3) {
		mustPush(t, a, n)
		it := mustPop(t, a, n, 1)
		must(t, it.Retry())
	}
	<-v.Start("reader", dir).Exited()
	c := tally{}
	for {
		it, err := a.PopDead()
		if err == queue.ErrEmpty {
			break
		}
		must(t, err)
		c[it.Data().N]++
		must(t, it.Done())
	}
	c.add(empty(t, a))
	for n := range int64(3) {
		if c[n] > 1 || c[n] == 0 && n == 2 {
			t.Errorf("%v are left", c)
		}
	}
}

// playPassesOn is a victim that is woken, and gives up before it has looked.
func playPassesOn(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 4})
	p := v.Start("passer", dir)
	ready(p)
	<-p.Exited()
	empty(t, a)
}

// playRepairs is a victim that finds what two left who died with items, and one that died in the
// middle of taking one.
func playRepairs(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 5, Deliveries: 1, DeadLetters: 1})
	for n := range int64(5) {
		mustPush(t, a, n)
	}
	first, second := holder(t, dir, 1), holder(t, dir, 2)
	<-shmtest.Start(t, "dier", dir).Exited()
	first.Kill()
	second.Kill()
	<-v.Start("looker", dir).Exited()
	is(t, a, 1, 0, 0, 1)
	it, err := a.PopDead()
	must(t, err)
	if it.Data().N != 3 {
		t.Errorf("the letter is %d", it.Data().N)
	}
	must(t, it.Done())
	if got := empty(t, a); len(got) != 1 || got[0] != 4 {
		t.Errorf("%v are left", got)
	}
}

// playPushesTwo is a victim that pushes behind its own item, with nobody else about.
func playPushesTwo(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a := mustOpen(t, dir, queue.Options{Capacity: 2})
	<-v.Start("producer", dir, "0", "2").Exited()
	for n, got := range empty(t, a) {
		if got != int64(n) || n > 1 {
			t.Errorf("item %d is %d", n, got)
		}
	}
}

// playPushesToWhoSleeps is a victim that pushes what somebody sleeps for.
func playPushesToWhoSleeps(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpen(t, dir, queue.Options{Capacity: 2}), mustOpen(t, dir, queue.Options{})
	sleeper := begin(func() error {
		it, err := b.Pop(limited(t))
		if err != nil {
			return err
		}
		return it.Done()
	})
	asleep(t, dir, 1, nil)
	<-v.Start("giver", dir, "1").Exited()
	mustPush(t, a, 2) // should it not have come to that
	must(t, <-sleeper)
	if got := empty(t, a); len(got) > 1 || len(got) == 1 && got[0] != 2 {
		t.Errorf("%v are left", got)
	}
}

// playMakesRoom is a victim that takes an item where somebody sleeps for the room.
func playMakesRoom(t *testing.T, v *shmtest.Victim) {
	dir := shmtest.Dir(t)
	a, b := mustOpen(t, dir, queue.Options{Capacity: 1}), mustOpen(t, dir, queue.Options{})
	mustPush(t, a, 1)
	sleeper := begin(func() error { return b.Push(limited(t), &job{N: 2}) })
	asleep(t, dir, 1, nil)
	p := v.Start("taker", dir)
	<-p.Exited()
	// The item of a victim that was killed with it is back.
	for len(sleeper) == 0 {
		it, err := a.TryPop()
		if err == queue.ErrEmpty {
			continue
		}
		must(t, err)
		if it.Data().N == 2 { // it was pushed a moment ago
			must(t, it.Done())
			break
		}
		must(t, it.Done())
	}
	must(t, <-sleeper)
	empty(t, a)
}
