package topic

// A lane and a seat belong to the member that owner names, as long as it lives. Who takes one does
// so by compare-and-swap from the owner it saw: death is permanent.

// claim makes this member the owner, if it was nobody's, or the dead one's that it was.
func (n *node) claim(owner *words32, of uint32) bool {
	return owner.CompareAndSwap(of, n.me)
}

// unowned returns the owner if there is none, or, if also the dead count as none, a dead one.
func (n *node) unowned(owner *words32, dead bool) (of uint32, ok bool) {
	of = owner.Load()
	if of == 0 || !dead {
		return of, of == 0
	}
	return of, n.dead(of)
}
