package topic

import "github.com/shmkit/shmkit/internal/words"

// pool is what a publisher knows of the chunks of its lane. Shared memory is asked once, when the
// lane is adopted. Protected by lane.mu.
type pool struct {
	ring    int
	inRing  []uint32 // the chunk + 1 that each slot names, 0 none
	taken   []bool   // while adopting: the chunk is in the ring
	free    []uint32
	retired []uint32 // in no slot; hazards may name them
	named   []bool   // scratch: hazards name them
}

func (p *pool) init(g *geometry) {
	p.ring = g.ring
	if g.inline {
		return
	}
	n := g.chunks
	p.inRing, p.taken, p.named = make([]uint32, g.ring), make([]bool, n), make([]bool, n)
	p.free, p.retired = make([]uint32, 0, n), make([]uint32, 0, n)
}

// keep notes that the slot of v names a chunk, and reports whether it can be.
func (p *pool) keep(v uint64, chunk uint32) bool {
	if p.inRing == nil {
		return true
	}
	if int(chunk) >= len(p.taken) || p.taken[chunk] {
		return false
	}
	p.taken[chunk] = true
	p.inRing[v>>1&uint64(p.ring-1)] = chunk + 1
	return true
}

// rest retires all that no slot names.
func (p *pool) rest() {
	for i, taken := range p.taken {
		if !taken {
			p.retired = append(p.retired, uint32(i))
		}
	}
	p.taken = nil
}

// replace notes that the slot of v names another chunk now.
func (p *pool) replace(v uint64, chunk uint32) {
	at := &p.inRing[v>>1&uint64(p.ring-1)]
	if *at != 0 {
		p.retired = append(p.retired, *at-1)
	}
	*at = chunk + 1
}

// take takes a chunk that nobody reads. mu is held.
func (l *lane) take() (chunk uint32, err error) {
	if chunk, err = l.first(); err == nil {
		l.pool.takeFirst()
	}
	return chunk, err
}

// takeFirst takes what first returned.
func (p *pool) takeFirst() { p.free = p.free[:len(p.free)-1] }

// first returns the free chunk that is taken next. mu is held.
func (l *lane) first() (chunk uint32, err error) {
	p := &l.pool
	if len(p.free) == 0 {
		l.takeBack()
	}
	last := len(p.free) - 1
	if last < 0 { // more hazards than there can be: somebody lies
		return 0, ErrCorrupt
	}
	return p.free[last], nil
}

// fetchNext has the beginning of the chunk fetched that is taken next.
func (l *lane) fetchNext() {
	if last := len(l.pool.free) - 1; last >= 0 {
		words.PrefetchWrite(&l.m.chunk(l.index, l.pool.free[last])[0], 64)
	}
}

// giveBack returns a chunk that was taken and did not come into a slot.
func (l *lane) giveBack(chunk uint32) { l.pool.free = append(l.pool.free, chunk) }

// takeBack frees the retired chunks that no hazard names. Their messages were erased before they were
// retired, and nobody who looks at erased before storing a hazard has got them since.
func (l *lane) takeBack() {
	p, n := &l.pool, l.n
	clear(p.named)
	first := uint64(l.index)*uint64(len(p.named)) + 1
	for i := range n.highest() {
		for k := range n.hazardsOf(i) {
			if at := n.hazardsOf(i)[k].Load() - first; at < uint64(len(p.named)) {
				p.named[at] = true
			}
		}
	}
	point("take:looked")
	kept := p.retired[:0]
	for _, chunk := range p.retired {
		if p.named[chunk] {
			kept = append(kept, chunk)
		} else {
			p.free = append(p.free, chunk)
		}
	}
	p.retired = kept
}
