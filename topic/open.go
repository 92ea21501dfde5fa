package topic

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"sync"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/race"
)

// A kind is what is known of a topic's messages.
type kind struct {
	t     reflect.Type                // nil for whatever a topic has that exists
	room  uint64                      // for one; 0 for messages of bytes
	check func(*shmkit.Mapping) error // reports why there can be none in shared memory; nil if there can
}

// config returns what a new topic is made of.
func (o *Options) config(k kind) (object.Config, error) {
	w, err := o.words(k.room)
	if err != nil {
		return object.Config{}, err
	}
	g, err := geometryOf(w)
	if err != nil {
		return object.Config{}, err
	}
	c := object.Config{Kind: object.Topic, Members: g.lanes + g.seats + spareMembers, Stride: object.RecordHeader, Words: w,
		Persistent: o.Persistent, Mode: o.mode(), AnyOwner: o.AnyOwner, BodySize: int64(g.bodySize()), AnySize: true,
		Annex: int64(g.messagesFile()), AnnexMode: o.publishMode()}
	if k.t != nil {
		c.Type, c.Fingerprint = k.t.String(), object.Fingerprint(k.t)
	}
	c.Init = func(obj *object.Object) error {
		mapping, b, err := obj.Annex(true)
		if err == nil && k.check != nil { // before it has a name
			err = k.check(mapping)
		}
		if err != nil {
			return err
		}
		m := messages{geometry: &g, b: b}
		for i := range g.lanes {
			m.lane(i).reclaimed.Store(firstNumber)
			m.lane(i).erased.Store(firstNumber)
		}
		return nil
	}
	return c, nil
}

// A getter is object.Create, Open or OpenOrCreate.
type getter func(context.Context, object.Dir, string, object.Config) (*object.Object, error)

// node is a handle of a topic, whatever its messages are.
type node struct {
	geometry // immutable, like the next six
	o        *object.Object
	w        *bodyHeader
	body     []byte
	me       uint32 // as an owner
	device   uint64 // of the object's file, like inode
	inode    uint64

	mu     sync.Mutex
	ro, rw *messages // protected by mu, like the next two
	users  int       // those of the handle, its publishers and its subscribers
	closed bool      // the handle, not its publishers and subscribers
}

// nodes are the open ones. One that its owner forgot must not be collected: views of it may
// be in use.
var nodes sync.Map // of *node

// open opens a topic, or makes it.
func open(name string, k kind, get getter, o *Options) (*node, error) {
	if o == nil {
		o = &Options{}
	}
	fail := func(err error) (*node, error) {
		return nil, fmt.Errorf("open topic:%s: %w", name, err)
	}
	config, err := o.config(k)
	if err != nil {
		return fail(err)
	}
	obj, err := get(context.Background(), object.ChooseDir(o.Dir), name, config)
	switch {
	case errors.Is(err, ErrMembers):
		return nil, fmt.Errorf("%w (Options.Publishers, Subscribers)", err)
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.ENOMEM):
		return nil, fmt.Errorf("%w (%s)", err, sizeOptions)
	case err != nil:
		return nil, err
	}
	g, err := geometryIn(obj.Words(), int64(len(obj.Body())), obj.AnnexSize())
	if err == nil && k.room != 0 && uint64(g.room) != k.room {
		err = fmt.Errorf("%w: messages of %d bytes, not %d", ErrCorrupt, g.room, k.room)
	}
	if err == nil && k.check != nil { // whoever made it may not have
		err = k.check(obj.Mapping())
	}
	if err != nil {
		return fail(errors.Join(err, obj.Close()))
	}
	n := &node{geometry: g, o: obj, w: bodyAt(obj.Body()), body: obj.Body(), users: 1,
		me: uint32(obj.Slot())<<slotShift | obj.Generation()}
	if n.device, n.inode, err = obj.File(); err != nil {
		return fail(errors.Join(err, obj.Close()))
	}
	nodes.Store(n, nil)
	return n, nil
}

// checkType reports why there can be no T in shared memory. m is any, so that messages, which may be many, are
// not mapped by who does not need them.
func checkType[T any](m *shmkit.Mapping) error {
	v, err := shmkit.View[T](m, 0)
	if errors.Is(err, shmkit.ErrOutOfRange) {
		return nil // it is too large for m, and nothing else
	}
	if err != nil {
		return err
	}
	return v.Close()
}

// use counts another user of the membership, unless the handle is closed.
func (n *node) use() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	n.users++
	return nil
}

// leave counts one off; with the last one the membership ends. The memory goes when nobody
// can be looking at it any more, which only the garbage collector knows.
func (n *node) leave() error {
	n.mu.Lock()
	n.users--
	last := n.users == 0
	n.mu.Unlock()
	if !last {
		return nil
	}
	nodes.Delete(n)
	err := n.o.Leave()
	unmapLater(n)
	return err
}

// close ends the use of the handle.
func (n *node) close() error {
	n.mu.Lock()
	was := n.closed
	n.closed = true
	n.mu.Unlock()
	if was {
		return nil
	}
	return n.fail("close", n.leave())
}

// messages returns the messages, to be read, or also to be written.
func (n *node) messages(write bool) (*messages, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := &n.ro
	if write {
		m = &n.rw
	}
	if *m != nil {
		return *m, nil
	}
	_, b, err := n.o.Annex(write)
	if err != nil {
		return nil, err
	}
	*m = &messages{geometry: &n.geometry, b: b, h: messagesAt(b)}
	return *m, nil
}

// messages is the file of messages, as it is mapped once.
type messages struct {
	*geometry
	b []byte
	h *messagesHeader
}

// lane returns the words of a lane, which is below lanes.
func (m *messages) lane(i int) *laneHeader { return laneAt(m.b[messagesSize+i*m.laneSize():]) }

// ringOf returns the ring of a lane.
func (m *messages) ringOf(i int) []byte {
	at := messagesSize + i*m.laneSize() + laneHeaderSize
	return m.b[at : at+m.ring*m.slotSize]
}

// chunk returns a chunk of a lane, which is below chunks.
func (m *messages) chunk(lane int, i uint32) []byte {
	at := m.chunksAt() + (lane*m.chunks+int(i))*m.chunkSize
	return m.b[at : at+m.room : at+m.room]
}

// seat returns the words of a seat, which is below seats.
func (n *node) seat(i int) *seatHeader { return seatAt(n.body[n.seatsAt()+i*n.seatSize():]) }

// cursors returns those of a seat.
func (n *node) cursors(i int) []words64 {
	return wordsAt(n.body[n.seatsAt()+i*n.seatSize()+seatHeaderSize:], n.lanes)
}

// hazardsOf returns those of a seat.
func (n *node) hazardsOf(i int) []words64 {
	return wordsAt(n.body[n.seatsAt()+i*n.seatSize()+seatHeaderSize+n.cursorsSize():], n.hazards)
}

// roomBell returns where the publisher of a lane sleeps.
func (n *node) roomBell(lane int) *words32 {
	return &doorbellAt(n.body[bodyHeaderSize+lane*doorbellSize:]).v
}

// key is what the race detector knows a lane by: who receives a message sees what its publisher did before.
func (n *node) key(lane int) race.Key { return race.KeyOf(n.device, n.inode, int64(lane)) }

// dead reports whether an owner is dead, or has left.
func (n *node) dead(owner uint32) bool {
	return owner != n.me && n.o.Dead(int(owner>>slotShift), owner&generationMask)
}

// highest returns how many seats may be in use.
func (n *node) highest() int { return int(min(n.w.highest.Load(), uint32(n.seats))) }

// Remove removes the name of a topic that no living handle has open (ErrInUse), with all that
// is in it; also of one that is persistent, or broken. dir is as Options.Dir.
func Remove(name, dir string) error { return object.Remove(object.ChooseDir(dir), object.Topic, name) }

// sizeOptions are those that a topic's size comes from.
const sizeOptions = "Options.MaxMessage, Depth, History, Publishers, Subscribers, Held, Loans"

// outside says what is wrong with an option that is not between least and most.
func outside(option string, v int64, least, most uint64) error {
	return invalid("Options.%s of %d, not %d to %d", option, v, least, most)
}

// invalid says what is wrong with an option.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), fs.ErrInvalid)
}
