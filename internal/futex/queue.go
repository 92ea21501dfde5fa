package futex

import (
	"sync"

	"github.com/shmkit/shmkit/internal/words"
)

// A key says what the waiters of one queue have in common. Those who take turns at a
// word share a queue, whatever value each saw last. Those who wait for a change share
// one with whoever saw the same value, so that all in it wait for the same thing.
type key struct {
	word  *words.Uint32
	v     uint32 // 0 for turns
	turns bool
}

// A queue is the waiters of this process under one key, in the order they came. The
// one in front has the right to sleep in the kernel. It exists while it has waiters.
type queue struct {
	key         key
	front, back *Waiter
	next        *queue // in its shard, or among the spare ones
}

// spareLimit is how many empty queues a shard keeps.
const spareLimit = 8

// A shard is the queues whose words hash to the same number.
type shard struct {
	mu     sync.Mutex
	queues *queue // all below is protected by mu, and so are the queues
	spare  *queue
	spares int

	_ [32]byte // shards don't share cache lines
}

var shards [256]shard

func shardOf(word *words.Uint32) *shard {
	return &shards[spread(address(word))%uint64(len(shards))]
}

// spread hashes an address or the like, so that neighbours come apart.
func spread(a uintptr) uint64 {
	const golden = 0x9e3779b97f4a7c15 // 2^64 divided by the golden ratio
	return uint64(a) * golden >> 32
}

// join appends w to the queue of its key.
func (s *shard) join(w *Waiter, k key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.find(k)
	if q == nil {
		q = s.open(k)
	}
	w.queue, w.prev, w.next = q, q.back, nil
	if q.back != nil {
		q.back.next = w
	} else {
		q.front = w
	}
	q.back = w
}

// leave takes w out of its queue. If it was in front, the next one is told that now
// it is: it compares with the value it saw last, and so finds out about whatever
// woke w.
func (s *shard) leave(w *Waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := w.queue
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.front = w.next
		if q.front != nil {
			q.front.promote()
		}
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.back = w.prev
	}
	w.queue, w.prev, w.next = nil, nil, nil
	if q.front == nil {
		s.close(q)
	}
}

func (s *shard) find(k key) *queue {
	q := s.queues
	for q != nil && q.key != k {
		q = q.next
	}
	return q
}

func (s *shard) open(k key) *queue {
	q := s.spare
	if q != nil {
		s.spare, s.spares = q.next, s.spares-1
	} else {
		q = new(queue)
	}
	*q = queue{key: k, next: s.queues}
	s.queues = q
	return q
}

func (s *shard) close(q *queue) {
	at := &s.queues
	for *at != q {
		at = &(*at).next
	}
	*at = q.next
	*q = queue{} // it keeps no memory
	if s.spares < spareLimit {
		q.next = s.spare
		s.spare, s.spares = q, s.spares+1
	}
}
