package main

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/memfd"
)

// A room is what the two sides of a work have in common.
type room struct {
	ctx context.Context // ends when the other process did
	mem *shmkit.Mapping // as many bytes as the work asks for, zeros at first, all pages present
	dir string          // a new folder in shared memory, for things with names
	// peer is the folder in /proc of the child's thread, in the parent. It is known when the work
	// runs.
	peer string

	head  *shmkit.Mapping         // the first page, which is the frame's
	start *shmkit.TypedView[line] // counts the runs, see meet
	runs  uint64
}

const page = 4096

// enter maps the room.
func (r *room) enter(f *memfd.File) error {
	all, err := f.Map(nil)
	if err != nil {
		return err
	}
	if err := all.Prefault(0, int64(all.Len()), shmkit.Write); err != nil {
		return errors.Join(err, all.Close())
	}
	if r.head, r.mem, err = all.Split(page); err != nil {
		return errors.Join(err, all.Close())
	}
	r.start, err = shmkit.View[line](r.head, 0)
	return err
}

// leave unmaps it.
func (r *room) leave() error {
	var err error
	if r.start != nil {
		err = r.start.Close()
	}
	if r.head != nil {
		err = errors.Join(err, r.head.Close(), r.mem.Close())
	}
	return err
}

// meet returns when both sides are about to run: the child says so, and the parent waits for it.
func (r *room) meet(parent bool) error {
	r.runs++
	return r.finish(&r.start.Data().word, r.runs, parent)
}

// await spins until the word is v. Where both processes have one CPU it is the other's turn after
// a while.
func (r *room) await(word *atomic.Uint64, v uint64) error {
	for looks := uint32(1); word.Load() != v; looks++ {
		if looks%(1<<16) == 0 {
			if r.ctx.Err() != nil {
				return context.Cause(r.ctx)
			}
			sys.Yield()
		}
	}
	return nil
}

// finish ends a run of a stream: the receiver says that it has message number seq, for which
// the sender waits.
func (r *room) finish(word *atomic.Uint64, seq uint64, sender bool) error {
	if sender {
		return r.await(word, seq)
	}
	word.Store(seq)
	return nil
}
