package stream

import (
	"errors"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// The bytes that are locked; docs/abi/stream-file.md. They lie behind any content, and
// where they are never changes.
const (
	lockByte    = 1 << 62
	turnByte    = lockByte + 1
	writerBytes = lockByte + 1024
	readerBytes = lockByte + 2048
)

func (g *fileGround) fd() int { return int(g.f.Fd()) }

// tryLock locks a byte if it is free.
func (g *fileGround) tryLock(at int64) (bool, error) {
	err := sys.OFDLock(g.fd(), sys.F_WRLCK, at, 1, false)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EACCES):
		return false, nil
	}
	return false, g.failed(err)
}

// unlockByte unlocks a byte, also one that is not locked.
func (g *fileGround) unlockByte(at int64) error {
	if at == g.own {
		g.own = 0
	}
	if err := sys.OFDLock(g.fd(), sys.F_UNLCK, at, 1, false); err != nil {
		return g.failed(err)
	}
	return nil
}

// lockFree locks the first free one of n bytes, as a member, and returns which; -1 if
// none is free.
func (g *fileGround) lockFree(at int64, n int) (int, error) {
	for i := range n {
		switch got, err := g.tryLock(at + int64(i)); {
		case err != nil:
			return -1, err
		case got:
			g.own = at + int64(i)
			return i, nil
		}
	}
	return -1, nil
}

// held reports whether another description has locked one of n bytes.
func (g *fileGround) held(at, n int64) (bool, error) {
	_, _, held, err := g.probe(at, n)
	return held, err
}

// probe returns some locked range within n bytes. It asks for a read lock: who only
// reads the file, and may lock what it likes for that, is nobody.
func (g *fileGround) probe(at, n int64) (from, to int64, held bool, err error) {
	from, length, held, err := sys.OFDProbe(g.fd(), sys.F_RDLCK, at, n)
	if err != nil {
		return 0, 0, false, g.failed(err)
	}
	to = from + length
	if length == 0 || to > at+n { // 0: to the end of all offsets
		to = at + n
	}
	return max(from, at), to, held, nil
}

// living looks at all readers' bytes. The kernel names one locked range, any one; what
// lies before and behind it is asked for again.
func (g *fileGround) living() (*[MaxReaders]bool, error) {
	var alive [MaxReaders]bool
	type span struct{ from, to int64 }
	for todo := []span{{readerBytes, readerBytes + MaxReaders}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s.from >= s.to {
			continue
		}
		from, to, held, err := g.probe(s.from, s.to-s.from)
		if err != nil {
			return nil, err
		}
		if !held {
			continue
		}
		for i := from; i < to; i++ {
			alive[i-readerBytes] = true
		}
		todo = append(todo, span{s.from, from}, span{to, s.to})
	}
	if mine := g.own - readerBytes; mine >= 0 { // which the kernel does not tell
		alive[mine] = true
	}
	return &alive, nil
}
