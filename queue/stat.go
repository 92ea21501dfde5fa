package queue

import "context"

// Stat is what is in a queue.
type Stat struct {
	Capacity    int // items there can be
	MaxItem     int // bytes
	Deliveries  int // at most, 0 no limit
	DeadLetters int // that are kept

	Ready    int // items that wait for a consumer
	Claimed  int // items that consumers have
	Writing  int // loans that producers have
	Dead     int // dead letters
	DeadHeld int // dead letters that are being read
	Free     int // cells that nothing is in, those for dead letters included

	Pushed  uint64 // items that were ever pushed
	Dropped uint64 // dead letters that were dropped for newer ones; too few by those whose dropping was killed

	Size int64 // of the queue's file, bytes; all of it is reserved
}

// Stat counts what is in the queue. What the dead had is back where it belongs by then, as far as
// anybody has noticed the death.
func (c *core) Stat() (s Stat, err error) {
	s = Stat{Capacity: int(c.capacity), MaxItem: int(c.room), Deliveries: int(c.geometry.deliveries), DeadLetters: int(c.letters),
		Size: int64(c.o.Mapping().Len())}
	if _, err := c.sweep(); err != nil {
		return s, c.fail("stat", err)
	}
	counts := s.counts()
	err = c.do(context.Background(), func() (wakes, error) {
		for _, n := range counts {
			*n = 0
		}
		for i := range c.cells() {
			state := stateOf(c.cell(i).state.Load())
			if state > deadClaimed {
				return 0, ErrCorrupt
			}
			*counts[state]++
		}
		s.Pushed, s.Dropped = c.w.sequence.Load(), c.w.dropped.Load()
		return 0, nil
	})
	return s, c.fail("stat", err)
}

// counts are the counts by the state of a cell.
func (s *Stat) counts() [deadClaimed + 1]*int {
	return [...]*int{free: &s.Free, writing: &s.Writing, ready: &s.Ready, claimed: &s.Claimed, dead: &s.Dead, deadClaimed: &s.DeadHeld}
}
