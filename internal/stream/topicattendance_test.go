package stream

import (
	"math/rand/v2"
	"testing"

	"github.com/shmkit/shmkit/topic"
)

// A writer that looks at any moments never takes a line for read, or about to be read, that is neither, and finds
// out of all lines if it looks after each step.
func TestAWriterKnowsWhichLinesNobodyReads(t *testing.T) {
	type seat struct {
		member      uint32
		alive       bool
		start, next uint64
	}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		always := seed%3 == 0
		var seats [3]seat
		read, got := map[uint64]bool{}, 0
		sent, member := r.Uint64N(3), uint32(0)
		first := sent + 1
		var a attendance
		look := func() {
			var all []topic.Listener
			for i, s := range seats {
				if s.member != 0 {
					all = append(all, topic.Listener{Place: i, Member: s.member, Alive: s.alive, Ready: s.alive, Next: s.next})
				}
			}
			a.see(sent, all)
		}
		look()
		for range 40 {
			s := &seats[r.IntN(len(seats))]
			switch r.IntN(4) {
			case 0:
				sent++
			case 1: // comes, or leaves
				if s.alive {
					s.alive = false
				} else {
					member++
					*s = seat{member, true, sent + 1, sent + 1}
				}
			default:
				if s.alive && s.next <= sent {
					read[s.next] = true
					s.next++
					got++
				}
			}
			if always || r.IntN(3) == 0 {
				look()
			}
		}
		look()
		unread := int64(0)
		for n := first; n <= sent; n++ {
			will := read[n]
			for _, s := range seats {
				will = will || s.alive && s.start <= n
			}
			if !will {
				unread++
			}
		}
		if a.unread < unread || always && a.unread != unread || a.unread > int64(sent+1-first) {
			t.Fatalf("seed %d: %d of %d unread, it says %d", seed, unread, sent+1-first, a.unread)
		}
	}
}
