package object

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// point is called between the steps of the protocol; tests kill there.
var point = func(name string) {}

// enter makes this handle a member: it claims a slot. J is held for reading, or
// nobody else can see the object yet.
func (o *Object) enter() error {
	if err := o.checkRecords(); err != nil {
		return err
	}
	for _, wanted := range []uint32{stateFree, stateLive} {
		for slot := range o.members {
			if _, state := unpack(o.record(slot).ident.Load()); state != wanted {
				continue
			}
			taken, err := o.claim(slot)
			if taken || err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("%w: %d members are alive; make it with more, or close some", ErrFull, o.members)
}

// checkRecords finds what no member writes.
func (o *Object) checkRecords() error {
	if h := o.h.highest.Load(); h > uint32(o.members) {
		return fmt.Errorf("%w: slots up to %d of %d are in use", ErrCorrupt, h, o.members)
	}
	for slot := range o.members {
		generation, state := unpack(o.record(slot).ident.Load())
		if state > stateRetired || generation > MaxGeneration || state == stateLive && generation == 0 {
			return fmt.Errorf("%w: member %d is in state %d, generation %d", ErrCorrupt, slot, state, generation)
		}
	}
	return nil
}

// Could reports whether a slot can ever have been of a generation. What says otherwise
// was written by no member.
func (o *Object) Could(slot int, generation uint32) bool {
	if slot < 0 || slot >= o.members || generation == 0 {
		return false
	}
	now, _ := unpack(o.record(slot).ident.Load())
	return generation <= now
}

// claim takes a slot if nobody holds its byte and its generations are not used up. What
// a dead member left there is recovered first.
func (o *Object) claim(slot int) (taken bool, err error) {
	if ok, err := o.locks.claim(slot); !ok || err != nil {
		return false, err
	}
	point("join:byte")
	defer func() {
		if !taken {
			err = errors.Join(err, o.locks.drop(slot))
		}
	}()
	if err := o.clean(slot); err != nil {
		return false, err
	}
	r := o.record(slot)
	generation, state := unpack(r.ident.Load())
	if state != stateFree || generation >= MaxGeneration {
		return false, nil // retired
	}
	generation++
	o.describe(r)
	point("join:described")
	for h := o.h.highest.Load(); h < uint32(slot)+1 && !o.h.highest.CompareAndSwap(h, uint32(slot)+1); {
		h = o.h.highest.Load()
	}
	point("join:highest")
	o.slot, o.gen = slot, generation
	r.ident.Store(ident(generation, stateLive))
	point("join:live")
	return true, nil
}

// clean makes a record whose byte this handle holds a free one, or a retired one,
// whatever its last owner left. It is right if it is done again from the start.
func (o *Object) clean(slot int) error {
	r := o.record(slot)
	generation, state := unpack(r.ident.Load())
	switch {
	case state == stateRetired:
		return nil
	case state == stateLive: // its owner died
		generation = min(generation+1, MaxGeneration) // so that it does not look as if it had left
		if o.recover != nil {
			if err := o.recover(o, slot); err != nil {
				return err
			}
		}
		point("clean:recovered")
	}
	clear(o.Part(slot))
	r.waiting.Store(0)
	point("clean:cleared")
	state = stateFree
	if generation >= MaxGeneration {
		state = stateRetired
	}
	r.ident.Store(ident(generation, state))
	point("clean:free")
	return nil
}

// describe writes who this process is, for people.
func (o *Object) describe(r *record) {
	me := self()
	r.pid.Store(uint32(me.pid))
	r.start.Store(me.start)
	r.pidns.Store(me.pidns)
	r.uid.Store(uint32(os.Geteuid()))
	r.joined.Store(time.Now().UnixNano())
	for i := range r.command {
		r.command[i].Store(binary.NativeEndian.Uint64(me.command[8*i:]))
	}
}

// leave ends the membership: the record first, then the byte.
func (o *Object) leave() error {
	err := guard(func() error {
		r := o.record(o.slot)
		clear(o.Part(o.slot))
		r.waiting.Store(0)
		state := uint32(stateFree)
		if o.gen >= MaxGeneration {
			state = stateRetired
		}
		r.ident.Store(ident(o.gen, state))
		return nil
	})
	point("leave:free")
	err = errors.Join(err, o.locks.drop(o.slot))
	point("leave:dropped")
	return err
}

// Dead reports whether the member that a slot and generation name is dead, or has left.
// A member that is merely stopped is alive. What cannot be found out is taken for
// alive.
func (o *Object) Dead(slot int, generation uint32) bool {
	if slot == o.slot && generation == o.gen {
		return false
	}
	if slot < 0 || slot >= o.members {
		return true
	}
	gone := func() bool {
		g, state := unpack(o.record(slot).ident.Load())
		return g != generation || state != stateLive
	}
	if gone() {
		return true
	}
	if slot == o.slot { // another generation of mine
		return true
	}
	alive, err := o.locks.others(slot, 1)
	if err != nil {
		return false
	}
	return !alive || gone()
}

// Left reports whether the member that a slot and generation name left in order, and
// nobody has been in its slot since. It held nothing when it left.
func (o *Object) Left(slot int, generation uint32) bool {
	if slot < 0 || slot >= o.members || generation == 0 {
		return false
	}
	return o.record(slot).ident.Load() == ident(generation, stateFree)
}

// Sweep recovers every dead member's record, and returns how many there were. What another
// goroutine of this handle has begun is over when it returns; what another handle has begun
// may not be.
func (o *Object) Sweep() (n int, err error) {
	o.sweeping.Lock()
	defer o.sweeping.Unlock()
	err = guard(func() error {
		for slot := range o.Highest() {
			if slot == o.slot {
				continue
			}
			if _, state := unpack(o.record(slot).ident.Load()); state != stateLive {
				continue
			}
			ok, err := o.locks.claim(slot)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			if _, state := unpack(o.record(slot).ident.Load()); state == stateLive {
				err = o.clean(slot)
				n++
			}
			if err := errors.Join(err, o.locks.drop(slot)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return n, o.fail("recover", err, "")
	}
	return n, nil
}

// removeCheck unlinks the name of an object that nobody living has open, and reports
// whether there is nothing under the name any more. force removes a persistent one too. One
// whose annex is gone is kept for nobody.
// This handle must not be a member.
func (o *Object) removeCheck(ctx context.Context, force bool) (removed bool, err error) {
	kept := func() (kept bool, err error) {
		if gone, err := o.annexGone(); gone || err != nil {
			return false, err
		}
		err = guard(func() error {
			kept = !force && (o.persistent || o.kept())
			return nil
		})
		return kept, err
	}
	return o.place.removeCheck(ctx, &o.locks, o.AnnexPath(), kept)
}

// kept reports whether the object has something to tell the next one. What does not even
// fit the kind has not.
func (o *Object) kept() bool { return o.keep != nil && o.keep(o) }

// removeCheck is Object.removeCheck by who has the object open, not joined. annex is the
// path of its second file, "" if there is none. kept is asked when nobody lives; nil keeps
// nothing.
func (p place) removeCheck(ctx context.Context, l *locks, annex string, kept func() (bool, error)) (removed bool, err error) {
	switch err := l.join(ctx, sys.F_WRLCK); {
	case errors.Is(err, ErrBusy): // who holds it up will look after it, or the next one
		return false, nil
	case err != nil:
		return false, err
	}
	point("remove:locked")
	defer func() { err = errors.Join(err, l.leave()) }()
	same, err := p.isNamed(l)
	if err != nil || !same {
		return true, err
	}
	alive, err := l.others(0, MaxMembers)
	if err != nil || alive {
		return false, err
	}
	if kept != nil {
		if keep, err := kept(); err != nil || keep {
			return false, err
		}
	}
	point("remove:alone")
	if annex != "" { // first: without the object nobody would find it
		if err := unlinkAnnex(annex, l); err != nil {
			return false, err
		}
		point("remove:half")
	}
	if err := os.Remove(p.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	point("remove:unlinked")
	return true, nil
}

// isNamed reports whether the path still names the file that l has open.
func (p place) isNamed(l *locks) (same bool, err error) {
	err = l.file.Use(func(f *os.File) error {
		mine, err := f.Stat()
		if err != nil {
			return err
		}
		named, err := os.Lstat(p.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		same = err == nil && os.SameFile(mine, named) && mine.Sys().(*syscall.Stat_t).Nlink > 0
		return err
	})
	return same, err
}
