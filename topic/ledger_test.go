package topic_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shmtest"
)

// sending is one call of who publishes.
type sending struct {
	first, count int64
	sent         int // -1: it was killed in it
	begun, ended time.Duration
}

// delivery is one message that somebody got.
type delivery struct {
	number         int64
	publisher      uint32
	sequence, miss uint64
}

// presence is what one subscriber wrote down.
type presence struct {
	joined, left time.Duration // 0: it was killed before
	got          map[int][]delivery
}

// checkLedger checks what publishers and subscribers say against each other.
func checkLedger(t *testing.T, all []shmtest.Entry, kinds map[string]string) {
	t.Helper()
	lanes := map[uint32]int{}           // of publishers
	publishers := map[string]uint32{}   // of workers
	sendings := map[string][]*sending{} // of workers
	presences := map[string]*presence{} // of workers
	published := map[int64]*sending{}   // by number
	sequences := map[[2]uint64]int64{}  // numbers by lane and sequence number
	at := map[int64][2]uint64{}         // and the other way round
	for _, e := range all {
		var id uint32
		var lane, sent int
		var first, count int64
		var d delivery
		switch {
		case scan(e.Text, "lane %d %d", &id, &lane):
			lanes[id], publishers[e.Who] = lane, id
		case scan(e.Text, "send %d %d", &first, &count):
			s := &sending{first: first, count: count, sent: -1, begun: e.At}
			sendings[e.Who] = append(sendings[e.Who], s)
			for i := range count {
				published[first+i] = s
			}
		case scan(e.Text, "sent %d %d", &first, &sent):
			s := published[first]
			s.sent, s.ended = sent, e.At
		case e.Text == "joined":
			presences[e.Who] = &presence{joined: e.At, got: map[int][]delivery{}}
		case e.Text == "left":
			presences[e.Who].left = e.At
		case scan(e.Text, "got %d %d %d %d", &d.number, &d.publisher, &d.sequence, &d.miss):
			lane, known := lanes[d.publisher]
			if !known {
				t.Fatalf("%s got %+v, of nobody", e.Who, d)
			}
			p := presences[e.Who]
			p.got[lane] = append(p.got[lane], d)
		default:
			t.Fatalf("%s says %q", e.Who, e.Text)
		}
	}
	deliveries := 0
	for who, p := range presences {
		for lane, got := range p.got {
			deliveries += len(got)
			for i, d := range got {
				s := published[d.number]
				where := [2]uint64{uint64(lane), d.sequence}
				switch {
				case d.number < 0:
					t.Fatalf("%s got a torn message: %+v", who, d)
				case s == nil, publishers[fmt.Sprint(d.number>>32)] != d.publisher:
					t.Fatalf("%s got what nobody published: %+v", who, d)
				case s.sent >= 0 && d.number-s.first >= int64(s.sent):
					t.Fatalf("%s got what was not published: %+v, %+v", who, d, *s)
				}
				if other, there := sequences[where]; there && other != d.number {
					t.Fatalf("message %d of lane %d is %d and %d", d.sequence, lane, other, d.number)
				}
				if other, there := at[d.number]; there && other != where {
					t.Fatalf("%d is at %v and %v", d.number, other, where)
				}
				sequences[where], at[d.number] = d.number, where
				if i > 0 && d.sequence != got[i-1].sequence+1+d.miss {
					t.Fatalf("%s got %+v behind %+v", who, d, got[i-1])
				}
				if kinds[who] == "reliable" && d.miss != 0 {
					t.Fatalf("%s is reliable, and missed: %+v", who, d)
				}
			}
		}
	}
	// What came to whom was published between its joining and its leaving: that must be all of it.
	promised := 0
	for who, p := range presences {
		if kinds[who] != "reliable" {
			continue
		}
		has := map[int64]bool{}
		last := map[int]uint64{}
		for lane, got := range p.got {
			for _, d := range got {
				has[d.number] = true
				last[lane] = d.sequence
			}
		}
		for worker, list := range sendings {
			lane := lanes[publishers[worker]]
			for _, s := range list {
				for i := range int64(max(s.sent, 0)) {
					n := s.first + i
					if has[n] || s.begun < p.joined {
						continue
					}
					where, seen := at[n]
					before := p.left != 0 && s.ended < p.left // it has read all there was when it left
					behind := seen && where[1] < last[lane]   // it has read what came after it
					if before || behind {
						t.Fatalf("%s, joined at %v and left at %v, did not get %d of lane %d, sent from %v to %v", who, p.joined, p.left, n, lane, s.begun, s.ended)
					}
					promised++
				}
			}
		}
	}
	// The numbers of a lane have no holes but where nobody looked.
	bySequence := map[int][]uint64{}
	for where := range sequences {
		bySequence[int(where[0])] = append(bySequence[int(where[0])], where[1])
	}
	for lane, list := range bySequence {
		slices.SortFunc(list, cmp.Compare[uint64])
		t.Logf("lane %d: %d messages up to %d", lane, len(list), list[len(list)-1])
	}
	if deliveries == 0 {
		t.Error("nobody got anything")
	}
	t.Logf("%d workers, %d messages tried, %d deliveries", len(kinds), len(published), deliveries)
}

func scan(text, format string, to ...any) bool {
	n, err := fmt.Sscanf(text, format, to...)
	return err == nil && n == len(to)
}
