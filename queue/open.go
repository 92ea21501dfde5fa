package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"sync/atomic"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
)

// What a new queue is made with, unless Options say otherwise.
const (
	DefaultCapacity    = 1024
	DefaultMaxItem     = 4096
	DefaultDeadLetters = 64
	DefaultMembers     = pshared.DefaultMembers
)

// Options is how to open a queue. The zero value makes it if there is none, for this user.
type Options struct {
	// Dir is the directory that the name is in: "" is what the environment variable
	// SHMKIT_DIR says, or /dev/shm/shmkit-UID.
	Dir string
	// Existing opens only what exists (fs.ErrNotExist); Exclusive makes only what doesn't
	// (fs.ErrExist).
	Existing, Exclusive bool

	// All of the following counts only when the queue is made. Its memory is reserved
	// then.

	// Capacity is how many items there can be, waiting and held together, 1 to MaxCapacity;
	// 0 is DefaultCapacity.
	Capacity int
	// MaxItem is the largest item of OpenBytes, 1 to MaxItem bytes; 0 is DefaultMaxItem.
	MaxItem int
	// Deliveries is how often an item is delivered at most: one that comes back after that
	// becomes a dead letter. 0 is no limit.
	Deliveries int
	// DeadLetters is how many dead letters are kept, up to MaxCapacity; then the oldest is
	// dropped for a new one. 0 is DefaultDeadLetters if there is a limit of deliveries, and
	// otherwise none; negative is none.
	DeadLetters int
	// Members is how many handles can have it open at once, 1 to 1,024; 0 is
	// DefaultMembers.
	Members int
	// Persistent keeps the queue when nobody has it open and it is empty. With items or
	// dead letters in it it is kept anyway.
	Persistent bool
	// Mode is the permission bits of the file; 0 is 0600. The umask does not count.
	Mode fs.FileMode

	// AnyOwner opens queues of any user: whoever made it, or may write to it, is trusted.
	AnyOwner bool
}

// configure returns what a new queue is made of. room is 0 for items of bytes.
func configure(t reflect.Type, room uint64, o *Options) (object.Config, error) {
	or := func(v, standard int) uint64 { return uint64(cmp.Or(v, standard)) }
	letters := 0
	if o.Deliveries != 0 {
		letters = DefaultDeadLetters
	}
	c := object.Config{Kind: object.Queue, Type: t.String(), Fingerprint: object.Fingerprint(t),
		Members: int(or(o.Members, DefaultMembers)), Stride: object.RecordHeader + partSize,
		Persistent: o.Persistent, Mode: o.Mode, AnyOwner: o.AnyOwner, Recover: recoverRecord, Keep: keeps}
	c.Words[wordCapacity] = or(o.Capacity, DefaultCapacity)
	c.Words[wordRoom] = room
	if room == 0 {
		c.Words[wordRoom] = or(o.MaxItem, DefaultMaxItem)
	}
	c.Words[wordDeliveries] = uint64(o.Deliveries)
	c.Words[wordLetters] = uint64(max(int(or(o.DeadLetters, letters)), 0))
	g, err := geometryOf(c.Words)
	if err != nil {
		return c, err
	}
	c.BodySize, c.AnySize = g.bodySize(), true
	c.Init = func(o *object.Object) error {
		// All cells are free, in their order.
		n := &core{geometry: g, body: o.Body(), w: headerAt(o.Body())}
		for i := range n.cells() - 1 {
			n.cell(i).next.Store(i + 2)
		}
		n.w.free.Store(1)
		return nil
	}
	return c, nil
}

// A checker reports why items of a type cannot be where the first one would be.
type checker func(m *shmkit.Mapping, offset int64) error

// open opens a queue, or makes it.
func open(name string, t reflect.Type, room uint64, check checker, o *Options) (*core, error) {
	if o == nil {
		o = &Options{}
	}
	fail := func(err error) (*core, error) {
		return nil, fmt.Errorf("open queue:%s: %w", name, err)
	}
	get := object.OpenOrCreate
	switch {
	case o.Existing && o.Exclusive:
		return fail(fmt.Errorf("options Existing and Exclusive exclude each other: %w", fs.ErrInvalid))
	case o.Existing:
		get = object.Open
	case o.Exclusive:
		get = object.Create
	}
	config, err := configure(t, room, o)
	if err != nil {
		return fail(err)
	}
	if check != nil { // before it has a name
		fill := config.Init
		config.Init = func(o *object.Object) error {
			if err := check(o.Mapping(), o.BodyOffset()+wordsSize+cellSize); err != nil {
				return err
			}
			return fill(o)
		}
	}
	obj, err := get(context.Background(), object.ChooseDir(o.Dir), name, config)
	if err != nil {
		return nil, err
	}
	g, err := geometryIn(obj)
	if err == nil && check != nil { // whoever made it may not have
		err = check(obj.Mapping(), obj.BodyOffset()+wordsSize+cellSize)
	}
	if err == nil && room != 0 && uint64(g.room) != room {
		err = fmt.Errorf("%w: items of %d bytes, not %d", ErrCorrupt, g.room, room)
	}
	if err != nil {
		return fail(errors.Join(err, obj.Close()))
	}
	c := &core{geometry: g, o: obj, w: headerAt(obj.Body()), body: obj.Body(), part: partAt(obj.Part(obj.Slot()))}
	c.mine = make([]atomic.Uint32, g.cells())
	c.part.generation.Store(obj.Generation())
	if c.house, err = pshared.Lodge(obj, 0, lodger{c}); err != nil {
		return fail(err)
	}
	c.me = c.house.Me()
	return c, nil
}

// Close ends the use of the queue: who waits in this process gets ErrClosed. While items or
// loans are held nothing is closed (ErrHeld). The last handle to be closed, in whatever
// process, removes an empty queue that is not persistent. A second Close does nothing.
func (c *core) Close() error {
	err := c.house.Close()
	if errors.Is(err, pshared.ErrHeld) {
		err = ErrHeld
	}
	return c.fail("close", err)
}

// Name returns the address in the words of the command: "queue:resize".
func (c *core) Name() string { return c.o.Address() }

// Remove removes the name of a queue that no living handle has open (ErrInUse), with all that
// is in it; also of one that is persistent, or broken. dir is as Options.Dir.
func Remove(name, dir string) error { return object.Remove(object.ChooseDir(dir), object.Queue, name) }
