package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

// memory attaches the segment of the stream, making or replacing it if need be. Only
// a segment that is the stream's is left in g.seg.
func (g *sysvGround) memory(_ context.Context, o Options, occupied bool) (store, error) {
	old, err := sysv.Open(g.key)
	switch {
	case err == nil:
		return g.take(old, o, occupied)
	case !errors.Is(err, fs.ErrNotExist):
		return store{}, err
	case occupied:
		return store{}, &Error{Address: g.name, Err: ErrBroken, Detail: "its segment was removed; its users have to end before the key can be used again"}
	}
	return g.create(o)
}

// create makes a segment.
func (g *sysvGround) create(o Options) (store, error) {
	seg, err := sysv.Create(g.key, ringOffset+o.Capacity, o.Mode)
	if errors.Is(err, fs.ErrExist) {
		return store{}, errAgain // somebody else's came between: look again
	}
	if err != nil {
		return store{}, err
	}
	point("create:made")
	g.seg = seg
	mem, err := seg.Attach(nil)
	if err != nil {
		return store{}, orAgain(err)
	}
	return g.attached(mem, ringOffset+o.Capacity, true), nil
}

func (g *sysvGround) attached(mem *shmkit.Mapping, size int64, made bool) store {
	return store{mapping: mem, size: size, made: made, magic: magic, companion: uint32(g.sem.ID())}
}

// take uses a segment that exists, or replaces it if it was left behind.
func (g *sysvGround) take(seg *sysv.Segment, o Options, occupied bool) (store, error) {
	mem, err := seg.Attach(nil)
	if err != nil {
		return store{}, orAgain(err)
	}
	info, err := seg.Stat()
	if err != nil {
		return store{}, several(orAgain(err), mem.Close())
	}
	what, err := identify(mem, info)
	if err != nil {
		return store{}, several(err, mem.Close())
	}
	switch {
	case what == foreign, what == blank && (occupied || info.Attached > 1):
		return store{}, several(g.foreign(info), mem.Close())
	case what == blank:
		g.seg = seg
		return g.attached(mem, info.Size, true), nil
	case !occupied: // its users were killed
		point("take:stale")
		err := ignoreGone(seg.Remove())
		if errors.Is(err, fs.ErrPermission) && info.Attached == 1 {
			g.seg = seg
			return g.attached(mem, info.Size, true), reset(mem)
		}
		if err := several(err, mem.Close()); err != nil {
			return store{}, err
		}
		point("take:removed")
		return g.create(o)
	}
	g.seg = seg
	return g.attached(mem, info.Size, false), nil
}

// reset makes a segment that was left behind new, for who may not remove it. What
// is in it stays a stream without users until magic goes, and is blank then.
func reset(mem *shmkit.Mapping) error {
	if _, err := mem.WriteAt(make([]byte, ringOffset-8), 8); err != nil {
		return err
	}
	point("take:wiped")
	return mem.Store64(0, 0)
}

// What has the stream's address can be.
type identity int

const (
	foreign identity = iota // somebody else's
	blank                   // nobody wrote to it yet
	ours
)

// identify looks at what a segment holds.
func identify(mem *shmkit.Mapping, info sysv.SegmentInfo) (identity, error) {
	if info.Size < ringOffset+MinCapacity {
		return foreign, nil
	}
	switch got, err := mem.Load64(0); {
	case err != nil:
		return foreign, err
	case got == magic:
		return ours, nil
	}
	head := make([]byte, ringOffset)
	if _, err := mem.ReadAt(head, 0); err != nil {
		return foreign, err
	}
	// Everything but magic may have been filled in by a maker that was killed.
	for i, b := range head {
		if b != 0 && (i < 8 || i >= 32) && (i < 128 || i >= 136) {
			return foreign, nil
		}
	}
	return blank, nil
}

// capacityOf returns how large a ring fits memory of size bytes.
func capacityOf(size int64) uint64 { return uint64(min(size-ringOffset, MaxCapacity)) &^ 7 }

// foreign is the error for a segment that is somebody else's.
func (g *sysvGround) foreign(info sysv.SegmentInfo) error {
	what := "holds something else"
	if info.Size < ringOffset+MinCapacity {
		what = fmt.Sprintf("is no stream, which has at least %d", ringOffset+MinCapacity)
	}
	return &Error{Address: g.name, Err: errTaken, Detail: fmt.Sprintf(
		"the segment of %d bytes made by process %d (%d attached) %s; choose another key, or remove it if it is not needed: shmkit rm %s",
		info.Size, info.CreatorPID, info.Attached, what, g.name)}
}
