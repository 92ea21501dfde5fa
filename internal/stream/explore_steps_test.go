package stream

// The steps of joining and leaving, of which each does one thing that others can
// see. docs/abi/stream.md has them in words. Each step that is named in omission
// can be left out, to see that the explorer notices.

// step is where an actor is: what it does next.
type step uint8

const (
	unborn step = iota
	dead
	done

	earlySegment // only with omitSetFirst
	getSet
	takeLock
	lookAtValues
	findSegment
	lookAtSegment
	removeStale
	createSegment
	fillHeader
	storeMagic
	writerEnters
	countWriter
	readerReadsTail
	readerKeeps
	readerStoresStart
	readerStoresCursor
	readerReadsJoined
	readerRaisesHighest
	readerEnters

	perform // next action of a writer's program
	takeTurn
	readTail
	writeHead
	writeRest
	storeTail
	giveTurn
	markFile
	grantLock
	grantValues
	grantCursors
	grantUnlock
	grantStore
	storeNeed
	markWaiting
	sleepForSpace
	clearWaiting
	awaitNeed
	awaitMark
	awaitLock
	awaitValues
	awaitCursors
	awaitUnlock
	awaitSleep
	awaitClear
	awaitCount
	countLock
	countValues
	countUnlock
	settleLock
	settleValues
	settleSlots
	settleUnlock

	wakeHighest
	wakeSlot
	wakePost

	readerLooks
	readHead
	readRest
	verifyFile
	storeCursor
	lookAtWaiting
	lookAtNeed
	claimWaiting
	postSpace
	markAsleep
	lookAgain
	lookAtWriters
	lookAtJoined
	lookAtEnd
	sleepForData
	clearAsleep
	endLock
	endWriters
	endTail
	endLeave
	endUnlock

	leaveLock
	leaveValues // only with omitReleaseCheck
	leaveClaimWaiting
	leavePostSpace
	releaseToWriters
	releaseToReaders
	removeSegment
	removeSet

	// Of a file only.
	openFile
	lockFile
	checkName
	lookAtFile
	removeStaleName
	closeFile
	storeMagicFirst
	wipeFile
	fillFile
	storeMagicLast // only with omitMagicFirst
	claimByte
	nameFile
	enterFile

	markTurns
	lookAtTurn
	sleepForTurn
	inTurns // asleep in the kernel, as all that are named so
	readTurns
	announceTurns
	wakeTurns
	markArrivals
	lockToLook
	lookAtReaders
	unlockAfterLook
	sleepForReaders
	inArrivals
	readArrivals
	announceArrivals
	wakeArrivals

	inData
	inSpace
	inAwait

	unlockByte
	lookForOthers
	removeName
	wipeAll
	clearMagic
	unlockLast
	unlockToOthers
	lookOnceMore
	removeByHand
)

// omission is a step of the protocol that is left out or misplaced.
type omission uint8

const (
	nothing omission = iota
	omitSetFirst
	omitRecheckGone
	omitJoinLock
	omitEnterLock
	omitLeaveLock
	omitGrantLock
	omitAwaitLock
	omitReleaseCheck
	omitMagicLast
	omitStaleRemoval
	omitUndoLock
	omitUndoTurn
	omitUndoWriters
	omitUndoReaders
	omitUndoAlive
	omitTurn
	omitTailLast
	omitLookAgain
	omitWakeAtEnd
	omitWakeBeforeSleep
	omitWakeAtLeave
	omitWakeWriterAtLeave
	omitSecondGrant
	omitWakeWriter
	omitHighest
	omitEndAsleep
	omitWritersBeforeTail
	omitJoined
	omitTick
	omitCheckLimit
	omitVerifyBeforeCursor
	omitJoinedFirst
	omitEndLock
	omitEndWriters
	omitEndTail
	omitLookInTurn
	omitLeaveWithFile
	omitSettle
	omitSettleLock
	omitKeep
	omitStartFirst
	omitKeepGap

	// Of a file only.
	omitNameCheck
	omitBornLocked
	omitMagicFirst
	omitMagicLastWiped
	omitSecondLook
	omitUnlinkCheck
	omitAnnounceTurn
	omitSecondTry
	omitAnnounceArrival
	omitLookLock
	omitLookAtWord
)

// what is what a step did.
type what int

const (
	moved what = iota
	blocked
)

// lockBy takes lock for actor a, if it is free.
func (x *explorer) lockBy(w *world, a *actor) bool {
	l := x.locksOf(w, a)
	if l.lock > 0 {
		return false
	}
	l.lock = 1
	if x.omit != omitUndoLock {
		a.undo.lock = 1
	}
	return true
}

func (x *explorer) unlockBy(w *world, a *actor) {
	// Who unlocks a semaphore unlocks it, whoever locked it.
	if l := x.locksOf(w, a); x.on == onSysV && w.set == a.set && l.lock > 0 || a.undo.lock > 0 {
		l.lock, a.undo.lock = 0, 0
	}
}

// join is every step up to being a member. bad says what must not happen.
func (x *explorer) join(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	reader := x.roles[i].reader
	switch a.pc {
	case earlySegment:
		if w.seg == 0 {
			w.makeMemory()
		}
		a.seg, a.pc = w.seg, getSet
	case getSet:
		if w.set == 0 {
			w.makeSet()
		}
		a.set, a.pc = w.set, takeLock
	case takeLock:
		switch {
		case x.roles[i].failsFirst && (a.set != w.set || !x.lockBy(w, a)):
			w.leave(i)
		case x.roles[i].failsFirst:
			a.pc = releaseToWriters
		case a.set == w.set && x.omit == omitJoinLock:
			a.pc = lookAtValues
		case a.set == w.set && !x.lockBy(w, a):
			return blocked, ""
		case a.set == w.set, x.omit == omitRecheckGone:
			a.pc = lookAtValues
		default:
			a.set, a.pc = 0, getSet
		}
	case lookAtValues:
		if a.set == w.set {
			a.inUse = w.writers+w.readers > 0
			a.slot = 0
			for n := range w.alive {
				if reader && w.alive[n] == 0 && a.slot == 0 {
					a.slot = uint8(n) + 1
				}
			}
			if reader && a.slot == 0 {
				panic("too few slots")
			}
		} else if reader {
			a.slot = 1
		}
		a.pc = findSegment
	case findSegment:
		switch {
		case a.seg != 0: // omitSetFirst
			a.pc = lookAtSegment
		case w.seg != 0:
			a.seg, a.pc = w.seg, lookAtSegment
		case a.inUse:
			return moved, "the segment is gone under its users"
		default:
			a.pc = createSegment
		}
	case lookAtSegment:
		switch m := &w.memories[a.seg-1]; {
		case !m.magic && (a.inUse || w.attached(a.seg) > 1) && x.omit != omitSetFirst:
			return moved, "a blank segment is in use"
		case !m.magic:
			a.pc = fillHeader
		case !a.inUse && x.omit != omitStaleRemoval:
			a.pc = removeStale
		case m.semID != a.set:
			return moved, "segment and set do not belong together"
		default:
			a.pc = x.entrance(i)
		}
	case removeStale:
		if w.seg == a.seg {
			w.seg = 0
		}
		a.seg, a.pc = 0, createSegment
		w.sweep()
	case createSegment:
		if w.seg != 0 {
			return moved, "another segment came between"
		}
		w.makeMemory()
		a.seg, a.pc = w.seg, fillHeader
		if x.omit == omitMagicLast {
			a.pc = storeMagic
		}
	case fillHeader:
		m := &w.memories[a.seg-1]
		m.semID, m.limit, m.whole = a.set, x.ring, true
		a.pc = storeMagic
		if x.omit == omitMagicLast {
			a.pc = x.entrance(i)
		}
	case storeMagic:
		w.memories[a.seg-1].magic = true
		a.pc = x.entrance(i)
		if x.omit == omitMagicLast {
			a.pc = fillHeader
		}
	case writerEnters:
		x.unlockBy(w, a)
		if a.set == w.set {
			w.writers++
			if x.omit != omitUndoWriters {
				a.undo.writers = 1
			}
		}
		a.member, a.joins, a.inUse, a.pc = true, true, false, countWriter
	case countWriter:
		w.memories[a.seg-1].joined++
		a.pc = perform
	case readerReadsTail:
		if x.omit == omitEnterLock {
			x.unlockBy(w, a)
		}
		a.cursor, a.pc = w.memories[a.seg-1].tail, readerKeeps
		if x.omit == omitKeep {
			a.pc = readerStoresStart
		}
	case readerKeeps:
		m := &w.memories[a.seg-1]
		m.keep(m.slots[a.slot-1], x.omit == omitKeepGap)
		a.pc = readerStoresStart
		if x.omit == omitStartFirst {
			a.pc = readerStoresCursor
		}
	case readerStoresStart:
		w.memories[a.seg-1].slots[a.slot-1].start = a.cursor
		a.pc = readerStoresCursor
		if x.omit == omitStartFirst {
			a.pc = readerReadsJoined
		}
	case readerStoresCursor:
		s := &w.memories[a.seg-1].slots[a.slot-1]
		s.cursor, s.sleeping = a.cursor, awake
		a.pc = readerReadsJoined
		if x.omit == omitStartFirst {
			a.pc = readerStoresStart
		}
	case readerReadsJoined:
		a.joined = w.memories[a.seg-1].joined
		a.seen = (x.on != onSysV || a.set == w.set) && x.locksOf(w, a).writers > 0
		a.pc = readerRaisesHighest
	case readerRaisesHighest:
		if m := &w.memories[a.seg-1]; x.omit != omitHighest {
			m.highest = max(m.highest, a.slot)
		}
		if a.set == w.set {
			w.data[a.slot-1] = 0
		}
		a.pc = readerEnters
		if x.on != onSysV {
			a.pc = nameFile
		}
	case readerEnters:
		if x.omit != omitEnterLock {
			x.unlockBy(w, a)
		}
		if a.set == w.set {
			w.readers++
			w.alive[a.slot-1]++
			if x.omit != omitUndoReaders {
				a.undo.readers = 1
			}
			if x.omit != omitUndoAlive {
				a.undo.alive = 1
			}
		}
		a.member, a.joins, a.inUse, a.pc = true, true, false, readerLooks
	}
	return moved, ""
}

// entrance is where an actor goes on that found the segment.
func (x *explorer) entrance(i int) step {
	switch {
	case x.roles[i].failsLast && x.on != onSysV:
		return lookForOthers
	case x.roles[i].failsLast:
		return releaseToWriters
	case x.on != onSysV:
		return claimByte
	case x.roles[i].reader:
		return readerReadsTail
	}
	return writerEnters
}

// depart is every step of leaving.
func (x *explorer) depart(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	switch a.pc {
	case leaveLock:
		switch {
		case x.on == onSysV && a.set != w.set:
			return moved, "the set is gone under its users"
		case x.omit == omitLeaveLock:
		case !x.lockBy(w, a):
			return blocked, ""
		}
		switch {
		case a.over && w.memories[a.seg-1].tail != a.cursor: // only with omitEndLock
			return moved, "a reader ends before a line that was written for it"
		case a.slot > 0 && !a.over && !x.roles[i].file:
			w.excused = true
		}
		return moved, x.leaves(w, a)
	case leaveValues:
		a.inUse = w.writers+w.readers > 0
		a.pc = wakeHighest
		if !a.inUse {
			a.pc = removeSegment
		}
	case leaveClaimWaiting:
		a.pc = x.departure()
		if m := &w.memories[a.seg-1]; m.waiting == asleep && x.omit != omitWakeWriterAtLeave {
			m.waiting, a.pc = posted, leavePostSpace
		}
	case leavePostSpace:
		x.postSpace(w, a)
		a.pc = x.departure()
	case releaseToWriters:
		a.pc = releaseToReaders
		if w.writers > 0 || x.omit == omitReleaseCheck && a.inUse {
			x.release(w, i)
		}
	case releaseToReaders:
		a.pc = removeSegment
		if w.readers > 0 {
			x.release(w, i)
		}
	case removeSegment:
		if w.seg == a.seg {
			w.seg = 0
		}
		a.pc = removeSet
	case removeSet:
		if w.set == a.set {
			w.removeSet()
		}
		w.leave(i)
	}
	return moved, ""
}

// leaves ends the membership of who has lock.
func (x *explorer) leaves(w *world, a *actor) string {
	if x.on != onSysV {
		a.pc = unlockByte
		return ""
	}
	if a.slot > 0 {
		w.readers--
		w.alive[a.slot-1]--
	} else {
		w.writers--
	}
	// The lock is to be undone, nothing else any more.
	*a = actor{joins: true, pc: wakeHighest, ret: leaveClaimWaiting, set: a.set, seg: a.seg, undo: undo{lock: a.undo.lock}}
	switch x.omit {
	case omitReleaseCheck:
		a.pc = leaveValues
	case omitWakeAtLeave:
		a.pc, a.ret = leaveClaimWaiting, unborn
	}
	return ""
}

// keep remembers what the last reader of a slot read. over takes gaps for read.
func (m *memory) keep(s place, over bool) {
	switch {
	case s.cursor <= s.start, s.cursor < m.since && !over:
	case s.start <= m.passed || over:
		m.since, m.passed = min(m.since, s.start), max(m.passed, s.cursor)
	default:
		m.since, m.passed = s.start, s.cursor
	}
}

// release gives lock back to those that stay.
func (x *explorer) release(w *world, i int) {
	if x.omit != omitLeaveLock {
		x.unlockBy(w, &w.actors[i])
	}
	w.leave(i)
}
