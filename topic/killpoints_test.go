package topic_test

import (
	"strconv"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// The points that a topic has are come to in these plays. A kill at any of them loses, doubles and
// tears nothing, holds nobody up, and leaves the memory whole.
func TestKilledAtEveryPointOfTheTopic(t *testing.T) {
	plays := append(playsOf[sheet, *sheet]("slots"), playsOf[frame, *frame]("chunks")...)
	shmtest.KillAtEveryPoint(t, plays, &shmtest.KillOptions{
		Points:    shmtest.PointsIn(t, "."),
		FirstOnly: testing.Short(), Parallel: true,
	})
}

// playsOf are the plays with messages of one form.
func playsOf[T any, M message[T]](form string) (plays []shmtest.Play) {
	for name, act := range map[string]func(*stage[T, M]){
		"publishes":                    (*stage[T, M]).publishes,
		"publishes to who sleeps":      (*stage[T, M]).publishesToSleepers,
		"takes over":                   (*stage[T, M]).takesOver,
		"is held up by the dead":       (*stage[T, M]).heldUpAwake,
		"sleeps, held up by the dying": (*stage[T, M]).heldUpAsleep,
		"is joined as it reclaims":     (*stage[T, M]).isJoined,
		"subscribes":                   (*stage[T, M]).subscribes,
		"waits for a message":          (*stage[T, M]).waitsForAMessage,
		"makes room for who sleeps":    (*stage[T, M]).makesRoom,
		"takes the seat of the dead":   (*stage[T, M]).takesTheSeat,
		"is overtaken":                 (*stage[T, M]).isOvertaken,
		"is the first and the last":    (*stage[T, M]).isFirstAndLast,
	} {
		plays = append(plays, shmtest.Play{Name: name + " in " + form, Act: func(t *testing.T, v *shmtest.Victim) {
			act(&stage[T, M]{t: t, v: v, form: form})
		}})
	}
	return plays
}

// A stage is what one play plays on.
type stage[T any, M message[T]] struct {
	t    *testing.T
	v    *shmtest.Victim
	form string
	*world[T, M]
}

// open makes the topic, of one lane with a ring of eight.
func (g *stage[T, M]) open(subscribers int) {
	g.world = newWorld[T, M](g.t, topic.Options{Dir: shmtest.Dir(g.t), Publishers: 1, Subscribers: subscribers, Depth: 5, History: 3, Held: 3, Loans: 2})
}

func (g *stage[T, M]) victim(role string, args ...string) *shmtest.Proc {
	return g.v.Start(role+" "+g.form, append([]string{g.dir}, args...)...)
}

// another starts somebody who is ready then.
func (g *stage[T, M]) another(role string, args ...string) *shmtest.Proc {
	p := shmtest.Start(g.t, role+" "+g.form, append([]string{g.dir}, args...)...)
	p.Expect("ready")
	return p
}

// said returns the last number that a victim said, until its end.
func said(p *shmtest.Proc) (last int64) {
	for {
		line, err := p.ReadLine()
		if err != nil {
			return last
		}
		if n, err := strconv.ParseInt(line, 10, 64); err == nil {
			last = n
		}
	}
}

// followers start a reliable subscriber and one that is not, who follow to the last message.
func (g *stage[T, M]) followers() (finish func()) {
	a := g.subscriber(topic.SubscriberOptions{})
	b := g.subscriber(topic.SubscriberOptions{BestEffort: true})
	var k, l course
	first := begin(func() error { return follow[T, M](a, &k, true, 1<<30) })
	second := begin(func() error { return follow[T, M](b, &l, false, 1<<30) })
	return func() {
		g.t.Helper()
		must(g.t, <-first)
		must(g.t, <-second)
		if k.last != l.last {
			g.t.Errorf("one has read up to %d, the other to %d", k.last, l.last)
		}
		must(g.t, a.Close())
		must(g.t, b.Close())
	}
}

// succeed publishes some messages, and the last one, in the place of the victim, who has promised
// those up to a number.
func (g *stage[T, M]) succeed(promised int64) {
	g.t.Helper()
	s := g.subscriber(topic.SubscriberOptions{})
	var k course
	read := func() uint64 {
		g.t.Helper()
		for {
			var m T
			i, err := s.TryRead(&m)
			if err == topic.ErrEmpty {
				return k.last
			}
			must(g.t, err)
			must(g.t, k.see(M(&m).get(), i, true))
		}
	}
	// It goes on behind what could be read before it came, and nothing is behind what it publishes.
	last := read()
	p := g.publisher()
	if p.LaneIndex() != 0 || p.Tail() != last || int64(last) < promised || read() != last {
		g.t.Errorf("message %d was published, %d could be read, %d are there", promised, last, p.Tail())
	}
	must(g.t, publish[T, M](p, 8, 1, nil))
	if read() != last+1 || k.ranks != 8 {
		g.t.Errorf("behind message %d is one of rank %d, up to %d", last+1, k.ranks, k.last)
	}
	must(g.t, s.Close())
	must(g.t, publish[T, M](p, 8, 20, nil))
	g.last(p)
	must(g.t, p.Close())
}

func (g *stage[T, M]) last(p *topic.Publisher[T]) {
	g.t.Helper()
	must(g.t, publish[T, M](p, theLast, 1, nil))
}

func (g *stage[T, M]) publishes() {
	g.open(5)
	finish := g.followers()
	p := g.victim("publisher", "1", "40")
	g.succeed(said(p))
	finish()
	g.whole()
}

// publishesToSleepers is a victim that publishes what others sleep for.
func (g *stage[T, M]) publishesToSleepers() {
	g.open(5)
	finish := g.followers()
	asleep(g.t, g.dir, 2, nil)
	s := g.subscriber(topic.SubscriberOptions{})
	p := g.victim("publisher", "1", "1")
	<-p.Exited()
	if stat, err := g.topic.Stat(); err != nil {
		g.t.Error(err)
	} else if len(stat.Lanes) > 0 && stat.Lanes[0].Sent > 0 {
		// It is there: they wake without anybody who publishes more.
		must(g.t, follow[T, M](s, &course{}, true, 1))
		shmtest.Eventually(g.t, "who slept has it", func() bool {
			stat, err := g.topic.Stat()
			must(g.t, err)
			for _, s := range stat.Seats {
				if s.Behind > 0 {
					return false
				}
			}
			return true
		})
	}
	must(g.t, s.Close())
	g.succeed(said(p))
	finish()
	g.whole()
}

// takesOver is a victim that comes to the lane of one that was killed in the middle of a batch.
func (g *stage[T, M]) takesOver() {
	g.open(5)
	finish := g.followers()
	doomed := shmtest.Start(g.t, "dier "+g.form, g.dir, "batch:behind", "8")
	<-doomed.Exited()
	p := g.victim("publisher", "2", "12")
	g.succeed(said(p))
	finish()
	g.whole()
}

// heldUpAwake is a victim that is held up by a dead subscriber.
func (g *stage[T, M]) heldUpAwake() {
	g.open(5)
	g.another("idler").Kill()
	finish := g.followers()
	p := g.victim("publisher", "1", "20")
	g.succeed(said(p))
	finish()
	g.whole()
}

// heldUpAsleep is a victim that sleeps for room when the subscriber dies who holds it up.
func (g *stage[T, M]) heldUpAsleep() {
	g.open(5)
	doomed := g.another("idler")
	finish := g.followers()
	p := g.victim("publisher", "1", "20")
	asleep(g.t, g.dir, 3, p)
	doomed.Kill()
	g.succeed(said(p))
	finish()
	g.whole()
}

// isJoined is a victim that has taken back what a subscriber that joins had counted on.
func (g *stage[T, M]) isJoined() {
	g.open(5)
	finish := g.followers()
	p := g.victim("reclaimer", "1", "12")
	g.succeed(said(p))
	finish()
	g.whole()
}

// subscribes is a victim that receives, and has the publisher wait.
func (g *stage[T, M]) subscribes() {
	g.open(5)
	finish := g.followers()
	p := g.publisher()
	must(g.t, publish[T, M](p, 1, 6, nil))
	v := g.victim("subscriber", "reliable", "at once", "24")
	_, _ = v.ReadLine() // it may be dead
	must(g.t, publish[T, M](p, 1, 40, nil))
	g.last(p)
	finish()
	<-v.Exited()
	must(g.t, p.Close())
	g.whole()
}

// waitsForAMessage is a victim that sleeps for a message, as others do.
func (g *stage[T, M]) waitsForAMessage() {
	g.open(5)
	finish := g.followers()
	p := g.publisher()
	v := g.victim("subscriber", "reliable", "at once", "1")
	_, _ = v.ReadLine()
	asleep(g.t, g.dir, 3, v)
	must(g.t, publish[T, M](p, 1, 1, nil))
	<-v.Exited()
	g.last(p)
	finish()
	must(g.t, p.Close())
	g.whole()
}

// makesRoom is a victim that a publisher sleeps for.
func (g *stage[T, M]) makesRoom() {
	g.open(5)
	p := g.publisher()
	v := g.victim("subscriber", "reliable", "told", "12")
	_, _ = v.ReadLine()
	finish := g.followers()
	publishing := begin(func() error { return publish[T, M](p, 1, 30, nil) })
	asleep(g.t, g.dir, 3, v) // the publisher, and those who have read it all
	v.Send("go")
	must(g.t, <-publishing)
	g.last(p)
	finish()
	<-v.Exited()
	must(g.t, p.Close())
	g.whole()
}

// takesTheSeat is a victim in the seat of one who was killed with views.
func (g *stage[T, M]) takesTheSeat() {
	g.open(3)
	finish := g.followers()
	p := g.publisher()
	must(g.t, publish[T, M](p, 1, 4, nil))
	g.another("idler", "3").Kill()
	v := g.victim("subscriber", "reliable", "at once", "10")
	_, _ = v.ReadLine()
	must(g.t, publish[T, M](p, 1, 30, nil))
	g.last(p)
	finish()
	<-v.Exited()
	must(g.t, p.Close())
	g.whole()
}

// isOvertaken is a victim that a publisher doesn't wait for.
func (g *stage[T, M]) isOvertaken() {
	g.open(5)
	p := g.publisher()
	v := g.victim("subscriber", "best effort", "told", "8")
	_, _ = v.ReadLine()
	finish := g.followers()
	must(g.t, publish[T, M](p, 1, 30, nil))
	v.Send("go")
	must(g.t, publish[T, M](p, 1, 20, nil))
	g.last(p)
	finish()
	<-v.Exited()
	must(g.t, p.Close())
	g.whole()
}

// isFirstAndLast is a victim that makes the topic, and nobody else has it.
func (g *stage[T, M]) isFirstAndLast() {
	dir := shmtest.Dir(g.t)
	<-g.v.Start("founder of "+g.form, dir).Exited()
	g.world = newWorld[T, M](g.t, topic.Options{Dir: dir, Publishers: 1, Subscribers: 2}) // at once
	stat, err := g.topic.Stat()
	must(g.t, err)
	if len(stat.Lanes) > 0 || len(stat.Seats) > 0 || stat.MaxPublishers != 1 {
		g.t.Errorf("it is not a new one: %+v", stat)
	}
}
