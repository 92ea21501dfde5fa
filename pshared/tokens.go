package pshared

import (
	"context"
	"fmt"
	"io/fs"
	"runtime"

	"github.com/shmkit/shmkit/internal/futex"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/words"
)

// A member's entry for a counting semaphore, in a:
//
//	generation(20) shut(1) busy(10) account(33)
const (
	accountBits       = 33
	accountMask       = 1<<accountBits - 1
	accountOneBusy    = 1 << accountBits
	accountBusy       = (1<<10 - 1) << accountBits
	accountShut       = 1 << 43
	accountGeneration = 44
)

// accountOf returns the account in an entry: tokens taken and not posted or settled since.
func accountOf(a uint64) int64 { return int64(a & accountMask) }

// withAccount returns an entry with another account, as near to n as there can be.
func withAccount(a uint64, n int64) uint64 {
	return a&^accountMask | uint64(min(max(n, 0), accountMask))
}

// The word lost: n(48) tokens that may be lost, and the slot + 1 of a dead member whose account
// is in n and not cleared yet, above them.
const (
	lostTag  = 48
	lostMost = 1<<lostTag - 1
)

// begin enters that one more goroutine of this member is at work, and change in the account.
func (c *CountingSemaphore) begin(change int64) error {
	for range 100_000 {
		a := c.entry.a.Load()
		switch {
		case a>>accountGeneration != uint64(generationOf(c.me)) || a&accountShut != 0:
			return ErrClosed // or about to be, or a peer wrote that
		case a&accountBusy == accountBusy:
			runtime.Gosched()
		case c.entry.a.CompareAndSwap(a, withAccount(a, accountOf(a)+change)+accountOneBusy):
			return nil
		}
	}
	return ErrCorrupt // nobody is that busy
}

// end undoes the first half of begin, and enters change.
func (c *CountingSemaphore) end(change int64) {
	for {
		a := c.entry.a.Load()
		if a&accountBusy == 0 || c.entry.a.CompareAndSwap(a, withAccount(a, accountOf(a)+change)-accountOneBusy) {
			return
		}
	}
}

// take takes a token, ok false if there is none. ErrClosed: the handle is closed or about to
// be, or the entry is spoilt. It is as unguarded as taking a free Mutex. slept: this goroutine
// has slept, and others may sleep still.
func (c *CountingSemaphore) take(slept bool) (ok bool, err error) {
	w := c.word
	if w.state.Load()&tokensMask == 0 {
		return false, nil
	}
	if err := c.begin(1); err != nil {
		return false, err
	}
	point("wait:entered")
	for {
		v := w.state.Load()
		if v&tokensMask == 0 {
			c.end(-1)
			return false, nil
		}
		next := v - 1
		if slept {
			next |= tokensWaited
		}
		if !w.state.CompareAndSwap(v, next) {
			continue
		}
		point("wait:taken")
		c.end(0)
		return true, nil
	}
}

// post adds n tokens, and returns how many are to be woken. Errors are as of take.
func (c *CountingSemaphore) post(n int64) (wake int, err error) {
	switch {
	case n < 1:
		return 0, fmt.Errorf("%d tokens: %w", n, fs.ErrInvalid)
	case n > MaxTokens:
		return 0, ErrTooManyTokens
	}
	w := c.word
	if err := c.begin(0); err != nil {
		return 0, err
	}
	point("post:entered")
	for {
		v := w.state.Load()
		if int64(v&tokensMask)+n > MaxTokens {
			c.end(0)
			return 0, ErrTooManyTokens
		}
		if !w.state.CompareAndSwap(v, v&tokensMask+uint32(n)) {
			continue
		}
		point("post:posted")
		c.end(-n)
		if v&tokensWaited != 0 {
			wake = int(n)
		}
		return wake, nil
	}
}

// The following are within run.

// refused makes sense of an ErrClosed of begin: nil is to try again.
func (c *CountingSemaphore) refused(err error) error {
	if err != ErrClosed || c.in.isClosed() {
		return err
	}
	a := c.entry.a.Load()
	if a>>accountGeneration != uint64(generationOf(c.me)) {
		return ErrCorrupt
	}
	return nil
}

func (c *CountingSemaphore) postSlow(n int64) error {
	for range retries {
		wake, err := c.post(n)
		if err == nil {
			_, err := futex.Wake(&c.word.state, wake)
			return err
		}
		if err := c.refused(err); err != nil {
			return err
		}
	}
	return ErrCorrupt
}

// retries bounds how often something is tried again that only a Close that was refused can
// have been in the way of.
const retries = 1000

// takeOrTell takes a token, or returns that some are lost, ok false if there is neither.
// thorough: also if the kernel has to be asked who is dead.
func (c *CountingSemaphore) takeOrTell(slept, thorough bool) (ok bool, err error) {
	for range retries {
		if err := c.tell(); err != nil {
			if err = c.refused(err); err != nil {
				return false, err
			}
			continue
		}
		ok, err := c.take(slept)
		if err != nil {
			if err = c.refused(err); err != nil {
				return false, err
			}
			continue
		}
		if ok {
			return true, nil
		}
		if !thorough || !c.deadTaker(c.dead) {
			return false, nil
		}
		point("wait:dead")
		_, err = c.o.Sweep()
		point("wait:swept")
		if err != nil {
			return false, err
		}
		thorough = false // what another handle is in the middle of is its to tell
	}
	return false, ErrCorrupt
}

// waitSlow is Wait when that could not be done at once.
func (c *CountingSemaphore) waitSlow(ctx context.Context) error {
	if ok, err := c.takeOrTell(false, false); ok || err != nil {
		return err
	}
	for s := c.spin.Begin(); s.More(); {
		if c.word.state.Load()&tokensMask == 0 {
			continue
		}
		if ok, err := c.takeOrTell(false, false); ok || err != nil {
			s.Hit()
			return err
		}
	}
	return c.sleepForToken(ctx)
}

// sleepForToken takes a token, sleeping until there is one.
func (c *CountingSemaphore) sleepForToken(ctx context.Context) (err error) {
	w := c.word
	c.o.Waiting(1)
	defer c.o.Waiting(-1)
	c.in.sleeps(&c.core, 1)
	defer c.in.sleeps(&c.core, -1)
	q := futex.Enter(&w.state)
	defer q.Leave()
	slept := false
	for ; ; slept = true {
		ok, err := c.takeOrTell(slept, false)
		if ok && slept && w.state.Load()&tokensMask != 0 {
			err = c.wakeOne() // there may be one for whoever else sleeps
		}
		if err == nil && !ok && c.in.isClosed() {
			err = ErrClosed
		}
		switch {
		case ok:
			return nil
		case err != nil && slept: // the wake-up may have been for a token
			_ = c.wakeOne() // if it fails, the others find out
			return err
		case err != nil:
			return err
		}
		v := w.state.Load()
		if v&tokensMask != 0 || v&tokensWaited == 0 && !w.state.CompareAndSwap(v, v|tokensWaited) {
			continue
		}
		point("wait:marked")
		if err := q.Sleep(ctx, tokensWaited, longest); err != nil {
			return err // and the mark is set for whoever else sleeps
		}
		point("wait:woken")
	}
}

func (c *CountingSemaphore) wakeOne() error {
	_, err := futex.Wake(&c.word.state, 1)
	point("wait:passed")
	return err
}

// tell returns a *TokensLostError if tokens are lost that nobody was told of yet. From then on
// they are in this member's account.
func (c *CountingSemaphore) tell() error {
	w := c.word
	for {
		v := w.lost.Load()
		if v == 0 {
			return nil
		}
		if v>>lostTag != 0 {
			clearTagged(c.o, c.at, v, &w.lost)
			continue
		}
		n := int64(v)
		if err := c.begin(n); err != nil {
			return err
		}
		point("tell:entered")
		if w.lost.CompareAndSwap(v, 0) {
			point("tell:told")
			c.end(0)
			return &TokensLostError{N: n}
		}
		c.end(-n)
	}
}

// deadTaker reports whether a member is dead that has taken tokens.
func (c *CountingSemaphore) deadTaker(dead asker) bool {
	for slot := range c.o.Highest() {
		a := c.entryOf(slot).a.Load()
		if accountOf(a) > 0 && slot != c.o.Slot() && dead(owner(slot, uint32(a>>accountGeneration))) {
			return true
		}
	}
	return false
}

// loseTokens puts a dead member's account among the lost tokens. The caller has the dead
// member's slot, and is perhaps no member.
func loseTokens(o *object.Object, at *place, slot int) error {
	w, e := wordAt[CountingWord](o.Body(), at.offset), entryAt(o.Part(slot), at.entry)
	tag := uint64(slot+1) << lostTag
	for {
		v := w.lost.Load()
		if v>>lostTag != 0 {
			clearTagged(o, at, v, &w.lost)
			continue
		}
		n := accountOf(e.a.Load())
		if n == 0 {
			break
		}
		point("lose:seen")
		if w.lost.CompareAndSwap(v, tag|min(v+uint64(n), lostMost)) {
			point("lose:added")
		}
	}
	if w.lost.Load() == 0 {
		return nil
	}
	_, err := futex.Wake(&w.state, 1)
	point("lose:woke")
	return err
}

// clearTagged clears the account of the dead member whose tag is in v, which lost was, and
// takes the tag away.
func clearTagged(o *object.Object, at *place, v uint64, lost *words.Uint64) {
	slot := int(v>>lostTag) - 1
	point("lose:tag seen")
	if slot < o.Members() { // no other is written
		e := entryAt(o.Part(slot), at.entry)
		a := e.a.Load()
		if lost.Load() != v { // the account may be another's
			return
		}
		point("lose:tagged")
		if accountOf(a) > 0 && !e.a.CompareAndSwap(a, withAccount(a, 0)) {
			return
		}
	}
	point("lose:cleared")
	lost.CompareAndSwap(v, v&lostMost)
	point("lose:untagged")
}

// seeCounting tells of a counting semaphore. Its holders are those with more tokens taken than
// posted and settled.
func seeCounting(s *sight, w *WordInfo) {
	state, lost := s.u32(0), s.u64(8)
	w.Waiters = state&tokensWaited != 0
	maybe := lost & lostMost
	for n, m := range s.i.Members {
		a, _ := s.part(n)
		if uint32(a>>accountGeneration) != m.Generation || accountOf(a) <= 0 {
			continue
		}
		w.Holders = append(w.Holders, Holder{Member: n, Count: int(accountOf(a))})
		if !m.Alive && lost>>lostTag != uint64(m.Slot+1) {
			maybe += uint64(accountOf(a))
		}
	}
	if w.State = fmt.Sprintf("%d tokens", state&tokensMask); maybe > 0 {
		w.State += fmt.Sprintf(", %d may be lost", maybe)
	}
}
