package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
)

// fileGround is a file, of which each member has an open file description of its own,
// with locks of that, and futex words; docs/abi/stream-file.md.
//
// The locks do not exclude goroutines that share a description. A member belongs to
// one goroutine at a time, and two members never share one.
type fileGround struct {
	m      *member
	name   string
	path   string
	strict bool // zeros are somebody else's
	pinned bool // the path is not the file's name: nothing is made or removed there

	f     *os.File
	size  int64
	fresh bool  // it has no name yet
	mine  bool  // it is a stream, by this member or others: to be cleaned up
	own   int64 // offset of the byte locked as a member; 0 is none
	waked bool  // somebody waited when this member gave its turn back
}

func (g *fileGround) address() string { return g.name }

// open opens the file, or makes one that has no name yet.
func (g *fileGround) open(o Options) error {
	flags := os.O_RDWR | syscall.O_NONBLOCK | syscall.O_NOCTTY
	if !g.pinned {
		flags |= syscall.O_NOFOLLOW
	}
	f, err := os.OpenFile(g.path, flags, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !g.pinned:
		return g.create(o)
	case errors.Is(err, syscall.ELOOP) && !g.pinned:
		return g.alien("a symbolic link, which is not followed")
	case errors.Is(err, syscall.EISDIR):
		return g.alien("a directory")
	case errors.Is(err, syscall.ENXIO):
		return g.alien("a socket or a device")
	case err != nil:
		return g.failed(err)
	}
	g.f = f
	info, err := f.Stat()
	switch {
	case err != nil:
		err = g.failed(err)
	case !info.Mode().IsRegular():
		err = g.alien("no regular file")
	default:
		g.size = info.Size()
		err = g.supported()
	}
	if err == nil {
		var what identity
		if what, err = g.glance(); err == nil && what == foreign {
			err = g.foreign()
		}
	}
	if err != nil {
		return several(err, f.Close())
	}
	return nil
}

// create makes a file that goes with its description, until enter gives it its name.
func (g *fileGround) create(o Options) error {
	f, err := openUnnamed(g.path, o.Mode)
	if err != nil {
		return g.failed(err)
	}
	g.f, g.fresh, g.size = f, true, ringOffset+o.Capacity
	if err := g.supported(); err != nil {
		return several(err, f.Close())
	}
	return nil
}

// lock tries until lock is free. It is held for moments, and must be had before the
// file is known to be a stream: no word in it may be used to wait.
func (g *fileGround) lock(ctx context.Context) error {
	const first, last = 20 * time.Microsecond, 10 * time.Millisecond
	for pause := first; ; pause = min(2*pause, last) {
		if got, err := g.tryLock(lockByte); got || err != nil {
			return err
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (g *fileGround) unlock() error { return g.unlockByte(lockByte) }

// turnBack has nothing to do: who has no lock has made nothing that stays.
func (g *fileGround) turnBack() error { return nil }

// occupied is whether anybody else lives: this member does not yet, or not any more.
func (g *fileGround) occupied() (bool, error) {
	return g.held(writerBytes, readerBytes+MaxReaders-writerBytes)
}

func (g *fileGround) claim() (int, error) { return g.lockFree(readerBytes, MaxReaders) }

// enter gives a new file its name last: nobody sees it before there is a whole stream
// with a living member in it.
func (g *fileGround) enter(who int) error {
	if who == aWriter {
		switch i, err := g.lockFree(writerBytes, MaxWriters); {
		case err != nil:
			return err
		case i < 0:
			return &Error{Address: g.name, Err: ErrFullWriters, Detail: fmt.Sprintf("it has %d", MaxWriters)}
		}
	}
	point("enter:living")
	if g.fresh {
		switch err := sys.LinkTmpfile(g.fd(), g.path); {
		case errors.Is(err, fs.ErrExist): // somebody else's came between
			return errAgain
		case err != nil:
			return g.failed(&fs.PathError{Op: "link", Path: g.path, Err: err})
		}
		g.fresh = false
		point("enter:named")
	}
	if err := g.unlock(); err != nil {
		return err
	}
	if who != aWriter {
		point("enter:unlocked")
		announce(&g.m.h.arrivals)
	}
	return nil
}

// depart takes lock and then gives up its byte: who dies in between loses both.
func (g *fileGround) depart(ctx context.Context) (bool, error) {
	switch err := g.lock(ctx); {
	case errors.Is(err, context.DeadlineExceeded):
		return false, &Error{Address: g.name, Err: ErrBusy, Detail: fmt.Sprintf("left without it after %v", leavePatience)}
	case err != nil:
		return false, err
	}
	point("depart:locked")
	return true, g.part()
}

func (g *fileGround) part() error { return g.unlockByte(g.own) }

// release gives lock back if somebody lives. Who does may die before that is done,
// and nobody would be left: so it looks once more.
func (g *fileGround) release() error {
	if !g.mine || g.fresh {
		return g.unlock()
	}
	if g.own != 0 { // it failed between becoming a member and giving lock back
		if err := g.unlockByte(g.own); err != nil {
			return err
		}
	}
	for {
		others, err := g.occupied()
		if err == nil && !others {
			err = g.remove()
		}
		if err := several(err, g.unlock()); err != nil || !others {
			return err
		}
		point("leave:unlocked")
		if others, err := g.occupied(); others || err != nil {
			return err
		}
		if got, err := g.tryLock(lockByte); !got || err != nil {
			return err // who has it will look
		}
	}
}

func (g *fileGround) close() error {
	if g.f == nil {
		return nil
	}
	return g.f.Close()
}

func (g *fileGround) takeTurn(ctx context.Context) error {
	if g.waked { // who was woken goes first, if it does
		g.waked = false
		for range 10 {
			if held, err := g.held(turnByte, 1); held || err != nil {
				break
			}
			if err := wait(ctx, 100*time.Microsecond); err != nil {
				return err
			}
		}
	}
	try := func() (bool, error) { return g.tryLock(turnByte) }
	if got, err := try(); got || err != nil {
		return err
	}
	return g.await(ctx, &g.m.h.turns, try)
}

func (g *fileGround) giveTurn() error {
	if err := g.unlockByte(turnByte); err != nil {
		return err
	}
	point("turn:given")
	g.waked = announce(&g.m.h.turns)
	return nil
}

func (g *fileGround) hasWriters() (bool, error) { return g.held(writerBytes, MaxWriters) }

func (g *fileGround) readers() (n int, err error) {
	alive, err := g.living()
	if err != nil {
		return 0, err
	}
	for _, a := range alive {
		if a {
			n++
		}
	}
	return n, nil
}

func (g *fileGround) awaitReaders(ctx context.Context, n int) error {
	return g.await(ctx, &g.m.h.arrivals, func() (bool, error) {
		if have, err := g.readers(); have < n || err != nil {
			return false, err
		}
		// One that is joining has its byte, and may not have looked yet where tail is.
		if err := g.lock(ctx); err != nil {
			return false, err
		}
		have, err := g.readers()
		return have >= n, several(err, g.unlock())
	})
}

// failed is an error of this file.
func (g *fileGround) failed(err error) error { return &Error{Address: g.name, Err: err} }

// alien is the error for a file that is somebody else's, and how it is seen.
func (g *fileGround) alien(format string, args ...any) error {
	return &Error{Address: g.name, Err: errTaken,
		Detail: fmt.Sprintf("%s is ", g.path) + fmt.Sprintf(format, args...)}
}

// explain tells a file that was made shorter from other faults.
func (g *fileGround) explain(err error) error {
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) && !errors.Is(err, syscall.EFAULT) {
		return err
	}
	if cut := g.stillWhole(); cut != nil {
		return cut
	}
	return g.failed(err)
}

// stillWhole is ErrTruncated if the file was made shorter.
func (g *fileGround) stillWhole() error {
	info, err := g.f.Stat()
	if err != nil {
		return g.failed(err)
	}
	if info.Size() < g.size {
		return &Error{Address: g.name, Err: ErrTruncated, Detail: fmt.Sprintf("the file has %d bytes, the stream %d", info.Size(), g.size)}
	}
	return nil
}
