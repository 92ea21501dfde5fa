package bench

import (
	"context"
	"errors"
	"os"
	"structs"
	"sync/atomic"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/memfd"
)

// props is what the command makes for a trial: files that both sides inherit, numbers of System V objects.
type props struct {
	size   int
	shared int64         // bytes of common memory that the way wants
	files  [2][]*os.File // of A, of B
	ids    []int
	// kept is what trials of a run share, see once.
	kept map[string]*os.File
	// undo takes back what was made, from the last to the first. What is in it must be gone however the
	// command ends, so each step also has a line in leave, which a side does if the command is gone.
	undo  []func() error
	leave []leaving
}

// A leaving is something that outlives processes: "shm", "sem" or "msg" and an identifier.
type leaving struct {
	Kind string
	ID   int
}

// give lets A and B inherit files, which are closed here once they have.
func (p *props) give(a, b *os.File) {
	p.files[0], p.files[1] = append(p.files[0], a), append(p.files[1], b)
}

// once returns a file that is made for the first trial of a run that asks for it, another descriptor of it for each.
// What made it is to leave no name.
func (p *props) once(name string, make func() (*os.File, error)) (*os.File, error) {
	f := p.kept[name]
	if f == nil {
		var err error
		if f, err = make(); err != nil {
			return nil, err
		}
		p.kept[name] = f
	}
	fd, err := sys.Dup(int(f.Fd()))
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// keep says that a System V object was made.
func (p *props) keep(kind string, id int) {
	p.ids = append(p.ids, id)
	p.leave = append(p.leave, leaving{kind, id})
	p.undo = append(p.undo, func() error { return leaving{kind, id}.remove() })
}

// A room is what a side knows of its trial.
type room struct {
	Trial
	ctx   context.Context
	first bool   // this is A
	dir   string // a new folder in shared memory, for things with names
	ids   []int
	files []*os.File
	pay   *payload

	head  *shmkit.Mapping // the first page
	mem   *shmkit.Mapping // what the way has asked for, a page at least
	words *shmkit.TypedView[meeting]
	runs  uint64
}

// A meeting is how both sides begin together, and tell that they are done.
type meeting struct {
	_     structs.HostLayout
	Begin [2]counter // runs that A, that B has begun
	Done  counter    // messages that B has
	Free  [8]counter // for sides that are no messages
}

// A counter has cache lines of its own.
type counter struct {
	_    structs.HostLayout
	Word atomic.Uint64
	_    [120]byte
}

const meetingBytes = 4096

// enter maps what both sides share.
func (r *room) enter(f *memfd.File) (err error) {
	all, err := f.Map(nil)
	if err != nil {
		return err
	}
	if err := all.Prefault(0, int64(all.Len()), shmkit.Write); err != nil {
		return err
	}
	if r.head, r.mem, err = all.Split(meetingBytes); err != nil {
		return err
	}
	r.words, err = shmkit.View[meeting](r.head, 0)
	return err
}

func (r *room) exit() error {
	var err error
	if r.words != nil {
		err = r.words.Close()
	}
	if r.head != nil {
		err = errors.Join(err, r.head.Close(), r.mem.Close())
	}
	return err
}

// who is 0 for A and 1 for B.
func (r *room) who() int {
	if r.first {
		return 0
	}
	return 1
}

// meet returns when both sides are there. It spins, so that both are awake.
func (r *room) meet() {
	r.runs++
	m := r.words.Data()
	m.Begin[r.who()].Word.Store(r.runs)
	await(&m.Begin[1-r.who()].Word, r.runs)
}

// await spins until a word is v at least. Where both sides have one CPU it is the other's turn after a
// while. It need not know of the other's death: the command ends who is left.
func await(word *atomic.Uint64, v uint64) {
	for looks := uint32(1); word.Load() < v; looks++ {
		if looks%(1<<14) == 0 {
			sys.Yield()
		}
	}
}
