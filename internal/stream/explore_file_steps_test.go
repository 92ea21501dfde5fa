package stream

// The steps of docs/abi/stream-file.md that differ from those of the segment and the
// set. What an actor opened is its seg, and its locks are in there.

// joinFile is every step up to being a member.
func (x *explorer) joinFile(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	var m *memory
	if a.seg != 0 {
		m = &w.memories[a.seg-1]
	}
	switch a.pc {
	case openFile:
		if w.seg != 0 {
			a.seg, a.pc = w.seg, lockFile
			break
		}
		a.seg, a.fresh, a.pc = w.newMemory(), true, storeMagicFirst
		if x.omit == omitMagicFirst {
			a.pc = wipeFile
		}
		if x.omit != omitBornLocked {
			x.lockBy(w, a)
		}
	case lockFile:
		switch {
		case !x.lockBy(w, a):
			if !x.roles[i].failsFirst {
				return blocked, ""
			}
			w.leave(i)
		case x.on == onMemfd, x.omit == omitNameCheck:
			a.pc = lookAtFile
		default:
			a.pc = checkName
		}
	case checkName:
		a.pc = lookAtFile
		if w.seg != a.seg {
			a.pc = closeFile
		}
	case lookAtFile:
		switch l := &m.locks; {
		case !m.magic && m.dirty:
			return moved, "what a stream left is taken for somebody else's"
		case x.roles[i].failsFirst: // it was told to give up just now
			a.pc = lookForOthers
			if !m.magic {
				a.pc = unlockLast
			}
		case l.writers+l.readers > 0 && !m.magic:
			return moved, "a blank file is in use"
		case l.writers+l.readers > 0, m.magic && x.omit == omitStaleRemoval:
			if !m.whole {
				return moved, "a stream in use has no whole header"
			}
			a.pc = x.entrance(i)
		case m.magic && x.on == onName:
			a.pc = removeStaleName
		case x.omit == omitMagicFirst:
			a.pc = wipeFile
		default:
			a.pc = storeMagicFirst
		}
	case removeStaleName:
		if w.seg == a.seg || x.omit == omitNameCheck {
			w.seg = 0
		}
		a.pc = closeFile
	case closeFile:
		x.close(w, a)
	case storeMagicFirst:
		m.magic, a.pc = true, wipeFile
	case wipeFile:
		m.wipe()
		a.pc = fillFile
	case fillFile:
		m.limit, m.whole, m.dirty = x.ring, true, true
		switch a.pc = x.entrance(i); {
		case x.omit == omitMagicFirst:
			a.pc = storeMagicLast
		case x.omit == omitBornLocked && a.fresh:
			a.pc = nameFile
		}
	case storeMagicLast:
		m.magic, a.pc = true, x.entrance(i)
	case claimByte:
		if !x.roles[i].reader {
			m.locks.writers, a.undo.writers, a.pc = m.locks.writers+1, 1, x.naming(a)
			break
		}
		for n := range m.locks.alive {
			if m.locks.alive[n] == 0 && a.slot == 0 {
				a.slot = uint8(n) + 1
			}
		}
		if a.slot == 0 {
			panic("too few slots")
		}
		m.locks.alive[a.slot-1], a.undo.alive = 1, 1
		m.locks.readers, a.undo.readers = m.locks.readers+1, 1
		a.pc = readerReadsTail
	case nameFile:
		switch {
		case !a.fresh:
			a.pc = enterFile
		case w.seg != 0: // somebody else's came between
			x.close(w, a)
		case x.omit == omitBornLocked:
			w.seg, a.fresh, a.pc = a.seg, false, x.entrance(i)
		default:
			w.seg, a.fresh, a.pc = a.seg, false, enterFile
		}
	case enterFile:
		x.unlockBy(w, a)
		a.member, a.joins, a.pc = true, true, countWriter
		if x.roles[i].reader {
			a.pc = readArrivals
			if x.omit == omitAnnounceArrival {
				a.pc = readerLooks
			}
		}
	}
	return moved, ""
}

// naming is where a member goes on that has its byte.
func (x *explorer) naming(a *actor) step {
	if a.fresh {
		return nameFile
	}
	return enterFile
}

// wipe makes everything behind magic zero.
func (m *memory) wipe() {
	*m = memory{locks: m.locks, magic: m.magic, orphan: m.orphan, killed: m.killed}
}

// close closes a file, to begin anew.
func (x *explorer) close(w *world, a *actor) {
	x.locksOf(w, a).undo(a)
	*a = actor{pc: openFile}
	w.sweep()
}

// events is every step of bringing an event about, and of waiting for one. A word is
// here whether it is odd, and its being another value is told to those who have read
// it.
func (x *explorer) events(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	m := &w.memories[a.seg-1]
	switch a.pc {
	case markTurns:
		m.turns, a.moved, a.pc = true, false, lookAtTurn
		if x.omit == omitSecondTry {
			a.pc = sleepForTurn
		}
	case lookAtTurn:
		a.pc = sleepForTurn
		if x.tryTurn(w, a) {
			a.moved, a.count, a.pc = false, 0, x.inTurn(i, a)
		}
	case sleepForTurn:
		a.pc = inTurns
		if a.moved {
			a.moved, a.pc = false, markTurns
		}
	case readTurns:
		a.odd, a.moved, a.pc = m.turns, false, announceTurns
	case announceTurns:
		a.pc = x.announce(w, a, &m.turns, wakeTurns, perform, lookAtTurn, sleepForTurn, announceTurns)
	case wakeTurns:
		x.wakeWho(w, a, inTurns, markTurns)
		a.pc = perform

	case markArrivals:
		m.arrivals, a.moved, a.pc = true, false, lockToLook
	case lockToLook:
		if x.omit != omitLookLock && !x.lockBy(w, a) {
			return blocked, ""
		}
		a.pc = lookAtReaders
	case lookAtReaders:
		a.zero, a.pc = m.locks.readers == 0, unlockAfterLook
	case unlockAfterLook:
		if x.omit != omitLookLock {
			x.unlockBy(w, a)
		}
		a.pc = sleepForReaders
		if !a.zero {
			a.moved, a.met, a.act, a.pc = false, true, a.act+1, perform
		}
		a.zero = false
	case sleepForReaders:
		a.pc = inArrivals
		if a.moved {
			a.moved, a.pc = false, markArrivals
		}
	case readArrivals:
		a.odd, a.moved, a.pc = m.arrivals, false, announceArrivals
	case announceArrivals:
		a.pc = x.announce(w, a, &m.arrivals, wakeArrivals, readerLooks, lockToLook, lookAtReaders, unlockAfterLook, sleepForReaders, announceArrivals)
	case wakeArrivals:
		x.wakeWho(w, a, inArrivals, markArrivals)
		a.pc = readerLooks

	default: // asleep in the kernel
		return blocked, ""
	}
	return moved, ""
}

// announce is the one atomic step of an announcement: it fails if the word is not
// what was read.
func (x *explorer) announce(w *world, a *actor, word *bool, wake, after step, readers ...step) step {
	next := after
	if !a.moved && *word == a.odd {
		if *word = false; a.odd {
			next = wake
		}
		for n := range w.actors {
			for _, pc := range readers {
				if b := &w.actors[n]; b != a && b.seg == a.seg && b.pc == pc {
					b.moved = true
				}
			}
		}
	}
	a.odd, a.moved = false, false
	return next
}

// wakeWho wakes those who sleep in the kernel at a place of the same file.
func (x *explorer) wakeWho(w *world, a *actor, in, next step) {
	for n := range w.actors {
		if b := &w.actors[n]; b.seg == a.seg && b.pc == in {
			b.pc = next
		}
	}
}

// afterFutex is where those go on who slept.
var afterFutex = map[step]step{
	inTurns: markTurns, inArrivals: markArrivals, inData: clearAsleep, inSpace: clearWaiting, inAwait: awaitClear,
}

// futex is the kernel's: it sleeps if the word is what it has to be.
func (x *explorer) futex(word uint8, in, after step) step {
	if word == asleep || x.omit == omitLookAtWord {
		return in
	}
	return after
}

// postData wakes the reader in a slot, postSpace the writer that waits for space.
func (x *explorer) postData(w *world, a *actor, n int) {
	if x.on == onSysV {
		w.data[n]++
		return
	}
	for k := range w.actors {
		if b := &w.actors[k]; b.seg == a.seg && b.slot == uint8(n)+1 && b.pc == inData {
			b.pc = clearAsleep
		}
	}
}

func (x *explorer) postSpace(w *world, a *actor) {
	if x.on == onSysV {
		w.space++
		return
	}
	x.wakeWho(w, a, inSpace, clearWaiting)
	x.wakeWho(w, a, inAwait, awaitClear)
}

// departure is the step of a leaver that has woken everybody.
func (x *explorer) departure() step {
	if x.on != onSysV {
		return lookForOthers
	}
	return releaseToWriters
}

// departFile is every step of leaving from the unlocking of the byte on.
func (x *explorer) departFile(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	if a.pc == removeByHand {
		if w.seg != 0 {
			w.memories[w.seg-1].orphan = true
			w.seg = 0
		}
		w.actors[i] = actor{pc: done}
		w.sweep()
		return moved, ""
	}
	m := &w.memories[a.seg-1]
	l := &m.locks
	switch a.pc {
	case unlockByte:
		lock := a.undo.lock
		a.undo.lock = 0
		l.undo(a)
		*a = actor{joins: true, pc: wakeHighest, ret: leaveClaimWaiting, seg: a.seg, undo: undo{lock: lock}}
		if x.omit == omitWakeAtLeave {
			a.pc, a.ret = leaveClaimWaiting, unborn
		}
	case lookForOthers:
		switch {
		case a.fresh: // what it made goes with it
			a.pc = unlockLast
		case l.writers+l.readers > 0:
			a.pc = unlockToOthers
		case x.on == onMemfd:
			a.pc = wipeAll
		default:
			a.pc = removeName
		}
	case removeName:
		if w.seg == a.seg || x.omit == omitUnlinkCheck {
			w.seg = 0
		}
		a.pc = unlockLast
	case wipeAll:
		a.pc = clearMagic
		if x.omit == omitMagicLastWiped {
			m.magic = false
			break
		}
		m.wipe()
	case clearMagic:
		m.wipe()
		m.magic, a.pc = false, unlockLast
	case unlockLast:
		x.release(w, i)
	case unlockToOthers:
		if x.omit != omitLeaveLock {
			x.unlockBy(w, a)
		}
		a.pc = lookOnceMore
		if x.omit == omitSecondLook {
			w.leave(i)
		}
	case lookOnceMore:
		switch {
		case l.writers+l.readers > 0, !x.lockBy(w, a):
			w.leave(i)
		default:
			a.pc = lookForOthers
		}
	}
	return moved, ""
}

// wrongFile says which invariant does not hold; "" if all do.
func (x *explorer) wrongFile(w *world) string {
	for i := range w.actors {
		a := &w.actors[i]
		if !a.member {
			continue
		}
		switch m := &w.memories[a.seg-1]; {
		case a.seg != w.seg && !m.orphan:
			return "split: a member's file is not the one with the name"
		case !m.magic || !m.whole:
			return "a member's file has no whole header"
		case a.slot > 0 && m.limit > m.slots[a.slot-1].cursor+x.ring:
			return "writers may overwrite what a living reader has not passed"
		}
	}
	return ""
}
