package stream

import (
	"context"

	"github.com/shmkit/shmkit"
)

// ground is what a stream stands on: memory, and what the kernel keeps of who
// lives and who has lock and turn, which it takes back from the dead. There are two:
// sysvGround, docs/abi/stream.md, and fileGround, docs/abi/stream-file.md. A value
// belongs to one member.
//
// Where a method says errAgain, what the ground was has gone from its address.
type ground interface {
	// address is what messages call the ground.
	address() string

	// open finds or makes what has lock. A failed one leaves nothing open.
	open(o Options) error
	// lock waits for lock, unlock gives it back. Who holds lock and is no member yet
	// ends with enter, and who is none any more with release.
	lock(ctx context.Context) error
	unlock() error
	// turnBack ends a join that did not get lock.
	turnBack() error

	// occupied reports whether a member lives. Under lock, before joining.
	occupied() (bool, error)
	// memory maps the memory of the stream. Who finds nobody living makes it, or
	// cleans it first. Under lock.
	memory(ctx context.Context, o Options, occupied bool) (store, error)
	// claim returns a free slot, -1 if there is none. Under lock.
	claim() (slot int, err error)
	// enter makes a member of who has lock, in a slot or as aWriter, and gives lock back.
	enter(who int) error

	// depart takes lock and ends the membership. Without lock it is ended as well, and
	// nothing is left to be done.
	depart(ctx context.Context) (locked bool, err error)
	// part ends the membership of who has lock.
	part() error
	// release gives lock back if somebody lives, and else removes what there is.
	release() error
	// close gives back what open opened, when the memory is unmapped.
	close() error

	takeTurn(ctx context.Context) error
	giveTurn() error

	hasWriters() (bool, error)
	// readers counts them.
	readers() (int, error)
	// awaitReaders waits until there are n.
	awaitReaders(ctx context.Context, n int) error
	// living reports of each slot whether its reader lives.
	living() (*[MaxReaders]bool, error)

	// sleep waits until the bell is rung, but no longer than a tick. That the tick is
	// over is no error: the caller looks at the state again in any case. The bell's word
	// is asleep.
	sleep(ctx context.Context, b bell) error
	// rouse wakes who sleeps at these bells, whose words are posted.
	rouse(bells []bell) error

	// explain makes an error for people of a fault.
	explain(err error) error
}

// store is the memory of a stream, as a ground found or made it.
type store struct {
	mapping   *shmkit.Mapping
	size      int64
	made      bool   // it has no header yet
	magic     uint64 // what completes one
	companion uint32 // header.semID
}

// aWriter stands where a reader has its slot.
const aWriter = -1

// bell is where a member sleeps: a reader in its slot, or the writer whose turn it
// is for space.
type bell int

const spaceBell bell = -1
