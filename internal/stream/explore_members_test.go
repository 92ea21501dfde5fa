package stream

// The steps of members: appending, waiting for space, reading, sleeping.

// An action of a writer's program.
type action uint8

const (
	appendOne   action = iota // one record in a turn
	appendTwo                 // two records in a turn
	appendFile                // two records that are a file, and wait for its receivers
	untilRead                 // wait until every reader has read everything
	untilReader               // wait until there is a reader
	appendSeen                // appendFile, if there is a reader when it has turn; else back to untilReader, which is before it
	settle                    // find out which of its records nobody reads
)

// role is what an actor does as a member.
type role struct {
	reader  bool
	most    uint8 // reader: leave after so many records; 0 is at the end
	file    bool  // reader: leave after a whole file
	once    bool  // and so that its sender is told by that
	program []action

	failsFirst bool // gives up instead of waiting for lock
	failsLast  bool // gives up under lock, instead of becoming a member
	removes    bool // removes the name by hand, and does nothing else
}

// write is every step of a writer that is a member.
func (x *explorer) write(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	m := &w.memories[a.seg-1]
	switch a.pc {
	case perform:
		switch program := x.roles[i].program; {
		case int(a.act) == len(program):
			a.pc = leaveLock
			return x.depart(w, i)
		case program[a.act] == untilRead:
			if !w.caughtUp(a.seg) {
				return blocked, ""
			}
			a.act++
		case program[a.act] == untilReader && x.on != onSysV:
			a.pc = markArrivals
		case program[a.act] == untilReader:
			if w.readers == 0 {
				return blocked, ""
			}
			a.met = true
			a.act++
		case program[a.act] == settle:
			a.pc = settleLock
			if x.omit == omitSettle {
				a.pc, a.act = perform, a.act+1
			}
		default:
			a.pc = takeTurn
			return x.write(w, i)
		}
	case takeTurn:
		switch {
		case x.omit == omitTurn, x.tryTurn(w, a):
		case x.on != onSysV:
			a.pc = markTurns
			return moved, ""
		default:
			return blocked, ""
		}
		a.count = 0
		a.pc = x.inTurn(i, a)
	case readTail:
		a.tail, a.limit = m.tail, m.limit
		if a.tail == maxRecords {
			panic("too few records")
		}
		a.pc = x.nextRecord(a)
		if act := x.roles[i].program[a.act]; act == appendFile || act == appendSeen {
			a.start, a.pc = a.tail, markFile
		}
	case markFile:
		m.file, m.verified = file(recordOf(i, a.wrote)), 0
		a.pc = x.nextRecord(a)
	case writeHead:
		if x.omit == omitTailLast {
			m.tail++
		}
		for n := range w.actors {
			if r := &w.actors[n]; r.member && r.slot > 0 && r.seg == a.seg && a.tail >= r.cursor+x.ring {
				return moved, "a record that a living reader has not passed is overwritten"
			}
		}
		m.ring[a.tail%x.ring].head = recordOf(i, a.wrote)
		a.pc = writeRest
	case writeRest:
		m.ring[a.tail%x.ring].rest = recordOf(i, a.wrote)
		a.pc = storeTail
		if x.omit == omitTailLast {
			m.tail--
		}
	case storeTail:
		if m.tail != a.tail {
			return moved, "two writers append at the same place"
		}
		if a.met && !w.excused && !w.someoneReads(a.seg, a.tail) {
			return moved, "a reader that a writer has seen went away by itself"
		}
		m.log[a.tail] = recordOf(i, a.wrote)
		a.tail++
		m.tail = a.tail
		a.wrote++
		a.count++
		return moved, x.committed(a, x.roles[i].program[a.act])
	case giveTurn:
		x.locksOf(w, a).turn, a.undo.turn = 0, 0
		a.tail, a.limit, a.count = 0, 0, 0
		a.pc = perform
		if x.on != onSysV && x.omit != omitAnnounceTurn {
			a.pc = readTurns
		}
		a.act++
	}
	return moved, ""
}

// inTurn is the step after turn was taken.
func (x *explorer) inTurn(i int, a *actor) step {
	if x.roles[i].program[a.act] == appendSeen && x.omit != omitLookInTurn {
		return countLock
	}
	return readTail
}

// someoneReads reports whether a living reader has begun at or before a position.
func (w *world) someoneReads(seg, pos uint8) bool {
	for i := range w.actors {
		if a := &w.actors[i]; a.member && a.seg == seg && a.slot > 0 && w.memories[seg-1].slots[a.slot-1].start <= pos {
			return true
		}
	}
	return false
}

// tryTurn takes turn for actor a, if it is free.
func (x *explorer) tryTurn(w *world, a *actor) bool {
	l := x.locksOf(w, a)
	if l.turn > 0 {
		return false
	}
	l.turn = 1
	if x.omit != omitUndoTurn {
		a.undo.turn = 1
	}
	return true
}

// committed decides what comes after a record.
func (x *explorer) committed(a *actor, act action) string {
	switch more := act != appendOne && a.count == 1; {
	case more && act == appendTwo:
		a.pc = x.nextRecord(a)
	case more:
		a.pc, a.ret = wakeHighest, writeHead // stands for nextRecord
	case act == appendFile, act == appendSeen:
		a.pc, a.ret = wakeHighest, awaitNeed
	case x.omit == omitWakeAtEnd:
		a.pc = giveTurn
	default:
		a.pc, a.ret = wakeHighest, giveTurn
	}
	return ""
}

// nextRecord is the first step of a record: writing, if there is space.
func (x *explorer) nextRecord(a *actor) step {
	if a.tail+1 <= a.limit || x.omit == omitCheckLimit {
		return writeHead
	}
	a.second = false
	return grantLock
}

// space is every step of a writer that waits for space.
func (x *explorer) space(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	m := &w.memories[a.seg-1]
	switch a.pc {
	case grantLock:
		if x.omit != omitGrantLock && !x.lockBy(w, a) {
			return blocked, ""
		}
		a.pc = grantValues
	case grantValues:
		a.living = x.locksOf(w, a).livingSlots()
		a.pc = grantCursors
	case grantCursors: // cursors only grow, so that at which moment each is read does not matter
		slowest := m.slowest(a.living, a.tail, maxRecords)
		if slowest+x.ring < a.tail {
			return moved, "a living reader is where no reader can be"
		}
		a.limit = slowest + x.ring
		a.living = 0
		a.pc = grantUnlock
	case grantUnlock:
		if x.omit != omitGrantLock {
			x.unlockBy(w, a)
		}
		a.pc = grantStore
	case grantStore:
		m.limit = a.limit
		switch ok := a.tail+1 <= a.limit; {
		case a.second && ok:
			a.pc = clearWaiting
		case a.second:
			a.pc = sleepForSpace
		case ok:
			a.pc = writeHead
		case x.omit == omitWakeBeforeSleep:
			a.pc = storeNeed
		default:
			a.pc, a.ret = wakeHighest, storeNeed
		}
	case storeNeed:
		m.need = min(a.tail+1+x.eager-x.ring, a.tail)
		a.pc = markWaiting
	case markWaiting:
		m.waiting, a.second = asleep, true
		a.pc = grantLock
		if x.omit == omitSecondGrant {
			a.pc = sleepForSpace
		}
	case sleepForSpace:
		if x.on != onSysV {
			a.pc = x.futex(m.waiting, inSpace, clearWaiting)
			break
		}
		if w.space == 0 {
			return blocked, ""
		}
		w.space--
		a.pc = clearWaiting
	case clearWaiting:
		m.waiting = awake
		a.pc = x.nextRecord(a)
	}
	return moved, ""
}

// await is every step of a sender that waits for its receivers.
func (x *explorer) await(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	m := &w.memories[a.seg-1]
	switch a.pc {
	case awaitNeed:
		m.need, a.pc = a.tail, awaitMark
	case awaitMark:
		m.waiting, a.pc = asleep, awaitLock
	case awaitLock:
		if x.omit != omitAwaitLock && !x.lockBy(w, a) {
			return blocked, ""
		}
		a.pc = awaitValues
	case awaitValues:
		a.living, a.pc = x.locksOf(w, a).livingSlots(), awaitCursors
	case awaitCursors:
		a.zero = m.slowest(a.living, a.tail, a.start) == a.tail
		a.living = 0
		a.pc = awaitUnlock
	case awaitUnlock:
		if x.omit != omitAwaitLock {
			x.unlockBy(w, a)
		}
		a.pc = awaitSleep
		if a.zero {
			a.pc = awaitClear
		}
	case awaitSleep:
		if x.on != onSysV {
			a.pc = x.futex(m.waiting, inAwait, awaitClear)
			break
		}
		if w.space == 0 {
			return blocked, ""
		}
		w.space--
		a.pc = awaitClear
	case awaitClear:
		m.waiting, a.pc = awake, awaitNeed
		if a.zero {
			a.pc = awaitCount
		}
	case awaitCount:
		received := uint8(0)
		for n := range w.actors {
			r := &w.actors[n]
			if !r.member || r.slot == 0 || m.slots[r.slot-1].start > a.start {
				continue
			}
			if received++; r.cursor < a.tail {
				return moved, "the sender did not wait for a receiver of its file"
			}
		}
		if m.verified < received {
			return moved, "the sender overlooks a receiver that has the file"
		}
		if m.file != file(recordOf(i, a.wrote-1)) {
			return moved, "the sender counts the receivers of another file"
		}
		if x.roles[i].program[a.act] == appendSeen && m.verified == 0 && !w.excused {
			return moved, "a sender begins a file that nobody takes"
		}
		a.zero, a.start, a.pc = false, 0, giveTurn

	case countLock:
		if !x.lockBy(w, a) {
			return blocked, ""
		}
		a.pc = countValues
	case countValues:
		a.zero, a.pc = x.locksOf(w, a).livingSlots() == 0, countUnlock
	case countUnlock:
		x.unlockBy(w, a)
		a.pc = readTail
		if a.zero {
			a.act -= 2 // giveTurn goes one on
			a.pc = giveTurn
		}
		a.zero = false

	case settleLock:
		if x.omit != omitSettleLock && !x.lockBy(w, a) {
			return blocked, ""
		}
		a.pc = settleValues
	case settleValues:
		a.living, a.count, a.pc = x.locksOf(w, a).livingSlots(), w.kills, settleSlots
	case settleSlots:
		for pos := range m.tail {
			reported := !m.accounted(a.living, pos)
			switch mine := int(m.log[pos]-1)/8 == i; {
			case !mine:
			case reported && m.printed>>pos&1 == 1:
				return moved, "a writer reports a line that was read"
			case !reported && m.printed>>pos&1 == 0 && !w.someoneReads(a.seg, pos) && a.count == w.kills:
				return moved, "a line that nobody reads is not reported"
			}
		}
		a.living, a.count, a.pc = 0, 0, settleUnlock
	case settleUnlock:
		if x.omit != omitSettleLock {
			x.unlockBy(w, a)
		}
		a.act, a.pc = a.act+1, perform
	}
	return moved, ""
}

// accounted reports whether a record was read or is going to be.
func (m *memory) accounted(living, pos uint8) bool {
	if m.since <= pos && pos < m.passed {
		return true
	}
	for n, s := range m.slots {
		if s.start <= pos && (pos < s.cursor || living>>n&1 == 1) {
			return true
		}
	}
	return false
}

// wake is every step of waking the readers.
func (x *explorer) wake(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	m := &w.memories[a.seg-1]
	after := func() step {
		ret := a.ret
		a.ret = unborn
		if ret == writeHead {
			return x.nextRecord(a)
		}
		return ret
	}
	switch a.pc {
	case wakeHighest:
		a.living = m.highest // how many are to be looked at
		a.pc = wakeSlot
		if a.living == 0 {
			a.pc = after()
		}
	case wakeSlot:
		n := a.living - 1
		if s := &m.slots[n]; s.sleeping == asleep {
			s.sleeping = posted
			a.marked |= 1 << n
		}
		a.living--
		switch {
		case a.living > 0:
		case a.marked != 0:
			a.pc = wakePost
		default:
			a.pc = after()
		}
	case wakePost:
		for n := range w.data {
			if a.marked>>n&1 == 1 {
				x.postData(w, a, n)
			}
		}
		a.marked = 0
		a.pc = after()
	}
	return moved, ""
}

// livingSlots is which alive semaphores are not 0, as one look at all values.
func (l *locks) livingSlots() (set uint8) {
	for n, v := range l.alive {
		if v > 0 {
			set |= 1 << n
		}
	}
	return set
}

// slowest is the smallest cursor of the readers in these slots that started at or
// before a position; tail if there are none.
func (m *memory) slowest(living, tail, startedBy uint8) uint8 {
	for n, s := range m.slots {
		if living>>n&1 == 1 && s.start <= startedBy {
			tail = min(tail, s.cursor)
		}
	}
	return tail
}

// read is every step of a reader that is a member.
func (x *explorer) read(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	m := &w.memories[a.seg-1]
	s := &m.slots[a.slot-1]
	switch a.pc {
	case readerLooks:
		switch {
		case m.tail != a.cursor:
			a.pc = readHead
		case x.omit == omitEndAsleep:
			a.early, a.pc = true, lookAtJoined
		default:
			a.pc = markAsleep
		}
	case readHead:
		a.got, a.pc = m.ring[a.cursor%x.ring].head, readRest
	case readRest:
		if a.got != m.ring[a.cursor%x.ring].rest || a.got != m.log[a.cursor] {
			return moved, "a reader sees another record than was committed"
		}
		return moved, x.took(w, i)
	case verifyFile:
		if m.file == file(a.got) {
			m.verified++
		} else if w.lives(int(a.got-1) / 8) {
			return moved, "a receiver cannot tell the living sender of its file"
		}
		a.pc = storeCursor
		switch {
		case x.roles[i].once && x.omit != omitLeaveWithFile:
			a.pc = leaveLock
		case x.omit == omitVerifyBeforeCursor:
			a.pc = lookAtWaiting
		}
	case storeCursor:
		m.printed |= 1 << a.cursor
		a.cursor++
		s.cursor = a.cursor
		a.read++
		a.pc = lookAtWaiting
		if x.omit == omitVerifyBeforeCursor && a.end {
			a.pc = verifyFile
		}
	case lookAtWaiting:
		a.pc = x.passed(a, i)
		if m.waiting == asleep && x.omit != omitWakeWriter {
			a.pc = lookAtNeed
		}
	case lookAtNeed:
		a.pc = x.passed(a, i)
		if a.cursor >= m.need {
			a.pc = claimWaiting
		}
	case claimWaiting:
		a.pc = x.passed(a, i)
		if m.waiting == asleep {
			m.waiting, a.pc = posted, postSpace
		}
	case postSpace:
		x.postSpace(w, a)
		a.pc = x.passed(a, i)
	}
	return moved, ""
}

// took decides what a reader does with the record it has read.
func (x *explorer) took(w *world, i int) string {
	a := &w.actors[i]
	a.pc = storeCursor
	if !x.roles[i].file {
		a.got = 0
		return ""
	}
	switch first := a.got%2 == 1; {
	case first:
		a.begun, a.got = a.got, 0
	case a.begun == 0: // joined in the middle
		a.got = 0
	case file(a.begun) != file(a.got):
		return "a receiver sees two files mixed"
	default:
		a.end = true
		a.pc = verifyFile
		if x.omit == omitVerifyBeforeCursor {
			a.pc = storeCursor
		}
	}
	return ""
}

// passed is what a reader does after a record.
func (x *explorer) passed(a *actor, i int) step {
	if most := x.roles[i].most; a.end || most > 0 && a.read == most {
		return leaveLock
	}
	return readerLooks
}

// lives reports whether an actor is a member.
func (w *world) lives(i int) bool { return w.actors[i].member }

// someWriterEnded reports whether a writer has ended, or is about to.
func (x *explorer) someWriterEnded(w *world) bool {
	for n, r := range x.roles {
		if a := &w.actors[n]; !r.reader && (a.pc == dead || a.pc == done || a.joins && !a.member) {
			return true
		}
	}
	return false
}

// sleep is every step of a reader that has nothing to read.
func (x *explorer) sleep(w *world, i int) (did what, bad string) {
	a := &w.actors[i]
	m := &w.memories[a.seg-1]
	s := &m.slots[a.slot-1]
	switch a.pc {
	case markAsleep:
		s.sleeping, a.pc = asleep, lookAgain
	case lookAgain:
		switch {
		case m.tail != a.cursor && x.omit != omitLookAgain:
			a.pc = clearAsleep
		case a.early:
			a.pc = sleepForData
		case x.omit == omitJoinedFirst:
			a.pc = lookAtWriters
		default:
			a.pc = lookAtJoined
		}
	case lookAtJoined:
		a.seen = a.seen || x.omit != omitJoined && m.joined != a.joined
		a.pc = lookAtWriters
		if x.omit == omitJoinedFirst {
			a.pc = lookAtEnd
		}
	case lookAtWriters:
		if x.omit == omitWritersBeforeTail && !a.end {
			a.end = true // this was the look at tail; the one at writers is the next step
			if m.tail != a.cursor {
				a.end, a.pc = false, clearAsleep
			}
			break
		}
		a.end = false
		writers := x.locksOf(w, a).writers
		a.zero, a.ghost, a.pc = writers == 0, m.tail, lookAtEnd
		a.seen = a.seen || writers > 0
		if x.omit == omitJoinedFirst {
			a.pc = lookAtJoined
		}
	case lookAtEnd:
		switch {
		case a.seen && a.zero && (m.tail == a.cursor || x.omit == omitWritersBeforeTail):
			if a.cursor < a.ghost {
				return moved, "a reader ends before it has read what a writer it saw committed"
			}
			if !x.someWriterEnded(w) {
				return moved, "a reader ends, and no writer has"
			}
			a.over, a.pc = true, clearAsleep
		case a.early:
			a.pc = markAsleep
		default:
			a.pc = sleepForData
		}
		a.zero, a.ghost = false, 0
	case sleepForData:
		if x.on != onSysV {
			a.pc = x.futex(s.sleeping, inData, clearAsleep)
			break
		}
		if w.data[a.slot-1] == 0 {
			return blocked, ""
		}
		w.data[a.slot-1]--
		a.pc = clearAsleep
	case clearAsleep:
		s.sleeping, a.early = awake, false
		a.pc = readerLooks
		switch {
		case a.end:
			a.pc = leaveLock
		case a.over && x.omit == omitEndLock:
			a.pc = leaveLock
			return moved, ""
		case a.over:
			a.pc = endLock
		}
		a.over = false
	case endLock:
		if !x.lockBy(w, a) {
			return blocked, ""
		}
		a.pc = endWriters
		if x.omit == omitEndWriters {
			a.pc = endTail
		}
	case endWriters:
		a.pc = endTail
		if x.locksOf(w, a).writers > 0 {
			a.pc = endUnlock
		}
	case endTail:
		a.pc = endLeave
		if m.tail != a.cursor && x.omit != omitEndTail {
			a.pc = endUnlock
		}
	case endLeave:
		if m.tail != a.cursor {
			return moved, "a reader ends before a line that was written for it"
		}
		return moved, x.leaves(w, a)
	case endUnlock:
		x.unlockBy(w, a)
		a.pc = readerLooks
	}
	return moved, ""
}
