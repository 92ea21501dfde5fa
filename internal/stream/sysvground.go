package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/sysv"
)

// The semaphores of the set; docs/abi/stream.md.
const (
	semLock    = 0
	semTurn    = 1
	semWriters = 2
	semReaders = 3
	semSpace   = 4
	semAlive   = 5
	semData    = semAlive + MaxReaders
	semCount   = semData + MaxReaders
)

// tick bounds every sleep that the death of a peer could strand. While nobody is
// killed, nobody needs it.
var tick = 100 * time.Millisecond

// sysvGround is a segment and a semaphore set with undo, under one key.
type sysvGround struct {
	m    *member
	name string
	key  sysv.Key
	sem  *sysv.SemaphoreSet
	seg  *sysv.Segment

	values []int // of the semaphores, when lock was taken to join
	who    int   // what it joined as
}

func (g *sysvGround) address() string { return g.name }

// open opens the semaphore set with the key or makes it.
func (g *sysvGround) open(o Options) (err error) {
	if g.key == sysv.Private {
		return &Error{Address: g.name, Err: fs.ErrInvalid, Detail: "a stream needs a key, so that others can find it"}
	}
	// Found out later, it would leave a set that nobody can use.
	if l, err := sysv.ReadSemaphoreLimits(); err == nil && l.MaxOps < maxPosts {
		return &Error{Address: g.name, Err: syscall.E2BIG,
			Detail: fmt.Sprintf("it changes up to %d semaphores in one step and the limit is %d (kernel.sem, SEMOPM); raise it", maxPosts, l.MaxOps)}
	}
	g.sem, err = g.openSet(o.Mode)
	return err
}

func (g *sysvGround) openSet(mode fs.FileMode) (*sysv.SemaphoreSet, error) {
	set, err := sysv.OpenOrCreateSemaphores(g.key, semCount, mode)
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	if err != nil {
		if old, openErr := sysv.OpenSemaphores(g.key); openErr == nil {
			if _, err := checkSet(old); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
	return checkSet(set)
}

// checkSet refuses a set that has another number of semaphores.
func checkSet(set *sysv.SemaphoreSet) (*sysv.SemaphoreSet, error) {
	info, err := set.Stat()
	if err != nil {
		return nil, orAgain(err)
	}
	if info.Count != semCount {
		return nil, &Error{Address: SysV(set.Key()).address, Err: ErrForeign,
			Detail: fmt.Sprintf("its semaphore set (sem:%#x, %d semaphores) belongs to something else; choose another key", uint32(set.Key()), info.Count)}
	}
	return set, nil
}

func (g *sysvGround) lock(ctx context.Context) error { return g.lockAnd(ctx) }

// lockAnd takes the lock, together with more changes in the same step.
func (g *sysvGround) lockAnd(ctx context.Context, more ...sysv.Op) error {
	ops := append([]sysv.Op{sysv.Zero(semLock), sysv.Post(semLock).Undo()}, more...)
	return orAgain(g.sem.Op(ctx, ops...))
}

func (g *sysvGround) unlock() error { return g.unlockAnd() }

// unlockAnd gives the lock back, together with more changes in the same step, none
// of which may have to wait.
func (g *sysvGround) unlockAnd(more ...sysv.Op) error {
	ops := append([]sysv.Op{sysv.Wait(semLock).Undo()}, more...)
	return orAgain(g.sem.TryOp(ops...))
}

// turnBack takes lock if that is free: the set may be its own, and does not stay.
// Who has lock now will look after that instead.
func (g *sysvGround) turnBack() error {
	if err := g.sem.TryOp(sysv.Zero(semLock), sysv.Post(semLock).Undo()); err != nil {
		return nil
	}
	return g.release()
}

func (g *sysvGround) occupied() (inUse bool, err error) {
	if g.values, err = g.sem.Values(); err != nil {
		return false, orAgain(err)
	}
	return g.values[semWriters] > 0 || g.values[semReaders] > 0, nil
}

func (g *sysvGround) claim() (int, error) {
	for i := range MaxReaders {
		if g.values[semAlive+i] == 0 {
			return i, orAgain(g.sem.SetValue(semData+i, 0))
		}
	}
	return -1, nil
}

func (g *sysvGround) enter(who int) error {
	g.who = who
	return g.unlockAnd(g.presence(sysv.Post)...)
}

// presence is what a member changes in the semaphores by joining (sysv.Post), or by
// leaving (sysv.Wait).
func (g *sysvGround) presence(change func(int) sysv.Op) []sysv.Op {
	if g.who == aWriter {
		return []sysv.Op{change(semWriters).Undo()}
	}
	return []sysv.Op{change(semReaders).Undo(), change(semAlive + g.who).Undo()}
}

// depart takes lock and takes the changes of enter back in one step.
func (g *sysvGround) depart(ctx context.Context) (bool, error) {
	gone := g.presence(sysv.Wait)
	switch err := g.lockAnd(ctx, gone...); {
	case errors.Is(err, errAgain):
		// Somebody removed the set. The segment is no use to anybody now.
		return false, g.removeSegment()
	case errors.Is(err, context.DeadlineExceeded):
		return false, g.departUnlocked(gone)
	case err != nil:
		return false, err
	}
	return true, nil
}

func (g *sysvGround) part() error {
	err := g.sem.TryOp(g.presence(sysv.Wait)...)
	if errors.Is(err, sysv.ErrWouldBlock) {
		return &Error{Address: g.name, Err: ErrCorrupt, Detail: "somebody else changed its semaphores"}
	}
	return orAgain(err)
}

// departUnlocked takes back what the joining did to the semaphores as the kernel
// does it for the dead: whether that was the last member is left to the next one.
func (g *sysvGround) departUnlocked(gone []sysv.Op) error {
	e := &Error{Address: g.name, Err: ErrBusy, Detail: fmt.Sprintf("left without it after %v", leavePatience)}
	if pid, err := g.sem.LastPID(semLock); err == nil {
		e.Detail += fmt.Sprintf("; process %d took it last", pid)
	}
	switch err := g.sem.TryOp(gone...); {
	case errors.Is(err, sysv.ErrWouldBlock):
		e.Err = ErrCorrupt
		e.Detail = "somebody else changed its semaphores"
	case err != nil:
		return several(e, ignoreGone(err))
	}
	return e
}

// release gives lock back if there are members, and otherwise removes what there
// is. That there is one and giving lock back are one step: whoever leaves later,
// or is killed later, finds lock free.
func (g *sysvGround) release() error {
	for _, members := range []int{semWriters, semReaders} {
		err := g.unlockAnd(sysv.Wait(members), sysv.Post(members))
		switch {
		case errors.Is(err, sysv.ErrWouldBlock):
		case errors.Is(err, errAgain): // a segment without its set is no use to anybody
			return g.removeSegment()
		default:
			return err
		}
	}
	if v, err := g.sem.Value(semLock); err != nil || v == 0 {
		return several(ignoreGone(err), g.m.corrupt("somebody else changed its semaphores"))
	}
	return g.remove()
}

// remove removes the segment and the set, under lock; there are no members. Who
// may not remove them leaves them to the next one.
func (g *sysvGround) remove() error {
	err := g.removeSegment()
	point("leave:segment removed")
	serr := g.sem.Remove()
	if errors.Is(serr, fs.ErrPermission) {
		serr = g.unlock()
	}
	point("leave:removed")
	return several(err, ignoreGone(serr))
}

// removeSegment removes the segment if it is known and this user may.
func (g *sysvGround) removeSegment() error {
	if g.seg == nil {
		return nil
	}
	if err := g.seg.Remove(); !errors.Is(err, fs.ErrPermission) {
		return ignoreGone(err)
	}
	return nil
}

func (g *sysvGround) close() error { return nil }

func (g *sysvGround) takeTurn(ctx context.Context) error {
	return orAgain(g.sem.Op(ctx, sysv.Zero(semTurn), sysv.Post(semTurn).Undo()))
}

func (g *sysvGround) giveTurn() error { return orAgain(g.sem.TryOp(sysv.Wait(semTurn).Undo())) }

func (g *sysvGround) hasWriters() (bool, error) {
	n, err := g.sem.Value(semWriters)
	return n > 0, orAgain(err)
}

func (g *sysvGround) readers() (int, error) {
	n, err := g.sem.Value(semReaders)
	return n, orAgain(err)
}

func (g *sysvGround) awaitReaders(ctx context.Context, n int) error {
	return orAgain(g.sem.Op(ctx, sysv.Add(semReaders, -n), sysv.Add(semReaders, n)))
}

func (g *sysvGround) living() (*[MaxReaders]bool, error) {
	values, err := g.sem.Values()
	if err != nil {
		return nil, orAgain(err)
	}
	var alive [MaxReaders]bool
	for i := range alive {
		alive[i] = values[semAlive+i] != 0
	}
	return &alive, nil
}

// semOf is the semaphore of a bell.
func semOf(b bell) int {
	if b == spaceBell {
		return semSpace
	}
	return semData + int(b)
}

func (g *sysvGround) sleep(ctx context.Context, b bell) error {
	short, cancel := context.WithTimeout(ctx, tick)
	defer cancel()
	err := g.sem.Op(short, sysv.Wait(semOf(b)))
	if errors.Is(err, context.DeadlineExceeded) {
		return ctx.Err() // which may have ended when the tick did
	}
	return orAgain(err)
}

func (g *sysvGround) rouse(bells []bell) error {
	posts := make([]sysv.Op, len(bells))
	for i, b := range bells {
		posts[i] = sysv.Post(semOf(b))
	}
	return g.post(posts)
}

// maxPosts is how many semaphores are posted to in one call. SEMOPM is 500 where
// nobody changed it, and was 32 for a long time.
const maxPosts = 32

// post wakes the sleepers at the given semaphores.
func (g *sysvGround) post(all []sysv.Op) error {
	for n := maxPosts; len(all) > 0; {
		n = min(n, len(all))
		err := g.sem.TryOp(all[:n]...)
		switch full := errors.Is(err, syscall.ERANGE); {
		case full && n > 1: // for one of them, and then none was posted to
			n = 1
			continue
		case err != nil && !full: // who has so many posts to take sleeps no more
			return orAgain(err)
		}
		all = all[n:]
	}
	return nil
}

func (g *sysvGround) explain(err error) error { return err }

// orAgain turns the errors of a set that is gone into errAgain.
func orAgain(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errAgain
	}
	return err
}

// ignoreGone drops the error of doing something to what has gone already.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errAgain) || errors.Is(err, ErrTruncated) {
		return nil
	}
	return err
}
