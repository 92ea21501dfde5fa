package stream

import (
	"slices"

	"github.com/shmkit/shmkit/topic"
)

// attendance is who listens to a writer, and what became of its lines: each was read, will be read by somebody who
// is there, or was there for nobody. That it was for nobody may be said of too many, and is not of too few.
type attendance struct {
	begun   bool
	settled uint64           // lines with lower numbers are decided
	unread  int64            // how many of them nobody has read
	here    map[int]listener // by place
	read    []span           // by those who have gone, as far as it is not settled
}

// listener gets the lines from the first one that it was seen to be for.
type listener struct {
	member     uint32
	from, next uint64
}

// see takes note of who is there. sent is the number of the writer's last line.
func (c *attendance) see(sent uint64, all []topic.Listener) {
	if !c.begun {
		c.begun, c.settled, c.here = true, sent+1, map[int]listener{}
	}
	found := map[int]topic.Listener{}
	for _, l := range all {
		found[l.Place] = l
	}
	for place, was := range c.here {
		l := found[place]
		same := l.Member == was.member
		if same {
			was.next = max(was.next, min(l.Next, sent+1))
			c.here[place] = was
		}
		if !same || !l.Alive {
			c.read = append(c.read, span{was.from, was.next})
			delete(c.here, place)
		}
	}
	for _, l := range all {
		if _, known := c.here[l.Place]; !known && l.Ready {
			c.here[l.Place] = listener{l.Member, l.Next, l.Next}
		}
	}
	c.settle(sent)
}

// settle decides lines, in order, up to the first one that somebody will read.
func (c *attendance) settle(sent uint64) {
	defer func() {
		c.read = slices.DeleteFunc(c.read, func(r span) bool { return r.to <= c.settled })
	}()
	for c.settled <= sent {
		to := sent + 1 // nothing is known of the lines before
		passed := c.settled
		note := func(from, next uint64) {
			switch {
			case from > c.settled:
				to = min(to, from)
			case next > passed:
				passed = next
			}
		}
		waits := false
		for _, r := range c.read {
			note(r.from, r.to)
		}
		for _, l := range c.here {
			note(l.from, l.next)
			waits = waits || l.from <= c.settled && l.next <= c.settled
		}
		switch {
		case passed > c.settled:
			c.settled = passed
		case waits:
			return
		default:
			c.unread += int64(to - c.settled)
			c.settled = to
		}
	}
}
