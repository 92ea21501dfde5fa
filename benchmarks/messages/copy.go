package main

import (
	"encoding/binary"
	"structs"
	"sync/atomic"

	"github.com/shmkit/shmkit"
)

// large is how long the message of copies is.
const large = 4 << 20

// copies is the least that it takes to move a large message: one copy in, one copy out.
func copies() work {
	return work{
		name: "copy", op: "4 MiB copied in, handed over, copied out, answered", n: 4,
		memory: large + 4096, moved: large,
		parent: func(r *room) (side, error) { return newCopier(r, true) },
		child:  func(r *room) (side, error) { return newCopier(r, false) },
	}
}

// turns is at the end of what copies shares: who filled and who took, a line each.
type turns struct {
	_      structs.HostLayout
	filled atomic.Uint64
	_      [120]byte
	taken  atomic.Uint64
	_      [120]byte
}

type copier struct {
	r       *room
	writes  bool
	turns   *shmkit.TypedView[turns]
	shared  *shmkit.SliceView[byte]
	private []byte
	want    []byte
	seq     uint64
}

func newCopier(r *room, writes bool) (side, error) {
	t, err := shmkit.View[turns](r.mem, large)
	if err != nil {
		return nil, err
	}
	shared, err := shmkit.ViewSlice[byte](r.mem, 0, large)
	if err != nil {
		return nil, err
	}
	c := &copier{r: r, writes: writes, turns: t, shared: shared, private: make([]byte, large), want: make([]byte, large)}
	fill(c.private, 0) // also makes its pages present
	fill(c.want, 0)
	return c, nil
}

func (c *copier) run(n int, check bool) error {
	for range n {
		c.seq++
		var err error
		if c.writes {
			err = c.write(check)
		} else {
			err = c.take(check)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) write(check bool) error {
	if check {
		fill(c.private, c.seq)
	} else {
		binary.NativeEndian.PutUint64(c.private, c.seq)
	}
	copy(c.shared.Data(), c.private)
	t := c.turns.Data()
	t.filled.Store(c.seq)
	return c.r.await(&t.taken, c.seq)
}

func (c *copier) take(check bool) error {
	t := c.turns.Data()
	if err := c.r.await(&t.filled, c.seq); err != nil {
		return err
	}
	copy(c.private, c.shared.Data())
	if check {
		if err := verify(c.private, c.seq, c.want); err != nil {
			return err
		}
	}
	t.taken.Store(c.seq)
	return nil
}

func (c *copier) close() error {
	if err := c.shared.Close(); err != nil {
		return err
	}
	return c.turns.Close()
}
