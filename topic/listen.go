package topic

// Listener is a subscriber, living or gone, as a publisher sees it.
type Listener struct {
	Place int // of the places for subscribers that there are
	// Member is a number that whoever takes the place in another process has another of.
	Member uint32
	Alive  bool // false: it is dead, or has left, and nobody else has joined in its place
	// Ready: it is alive, has joined, so that it gets all that is published from now on, and is not about to
	// leave with CloseIfDone.
	Ready    bool
	Reliable bool
	// Next is the number (Info.Sequence) of the publisher's message that it reads next, or would have read. Of who
	// has just joined a topic with history it may be lower than what there is.
	Next uint64
}

func (l *lane) listeners() (sent uint64, all []Listener, err error) {
	err = l.run(func() error {
		sent = l.tail >> 1
		for i := range l.n.highest() {
			if at := l.listener(i); at.Member != 0 {
				all = append(all, at)
			}
		}
		return nil
	})
	return sent, all, l.n.fail("look at", err)
}

// listener looks at one place. Whose cursors are in it stands in its mode.
func (l *lane) listener(i int) Listener {
	h := l.n.seat(i)
	for {
		mode := h.mode.Load()
		owner := h.owner.Load()
		at := Listener{Place: i, Member: mode >> modeShift, Next: l.n.cursors(i)[l.index].Load() >> 1}
		at.Alive = owner != 0 && owner == at.Member && !l.n.dead(owner)
		at.Ready, at.Reliable = at.Alive && mode&going == 0, mode&reliable != 0
		if h.mode.Load() == mode {
			return at
		}
	}
}
