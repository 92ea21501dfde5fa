package futex

import "math/bits"

// What tests look at inside.

// fronts is how many goroutines have a slot, and how many are with a poller.
func fronts() (direct, polled int) {
	overflow.mu.Lock()
	defer overflow.mu.Unlock()
	for _, p := range overflow.pollers {
		polled += pollerFronts - p.room
	}
	return bits.OnesCount64(slotsTaken.Load()), polled
}

// settled reports whether so many fronts sleep.
func settled(want int) bool {
	direct, polled := fronts()
	return direct+polled == want
}

// pollers is how many there are.
func pollers() int {
	overflow.mu.Lock()
	defer overflow.mu.Unlock()
	return len(overflow.pollers)
}

// waiting is how many waiters of this process there are, in queues.
func waiting() (n int) {
	for i := range shards {
		s := &shards[i]
		s.mu.Lock()
		for q := s.queues; q != nil; q = q.next {
			for w := q.front; w != nil; w = w.next {
				n++
			}
		}
		s.mu.Unlock()
	}
	return n
}

// parked is how many of them wait to be called.
func parked() (n int) {
	for i := range shards {
		s := &shards[i]
		s.mu.Lock()
		for q := s.queues; q != nil; q = q.next {
			for w := q.front; w != nil; w = w.next {
				if w.parked {
					n++
				}
			}
		}
		s.mu.Unlock()
	}
	return n
}

// watching is how many registrations with contexts there are. Slots in use count.
func watching() (n int) {
	for i := range slots {
		for {
			taken := slotsTaken.Load()
			if taken&(1<<i) != 0 {
				n++
				break
			}
			if tryTake(taken, i) {
				if slots[i].watch.done != nil {
					n++
				}
				slotsTaken.And(^(uint64(1) << i))
				break
			}
		}
	}
	return n
}
