package inspect

import (
	"context"
	"errors"
	"iter"
	"time"
)

// Objects ranges over the objects of the machine: Take, and Objects of what was taken. An
// error belongs to one object or one source of objects, and the walk goes on; only the first one may be
// that nothing could be read.
func Objects(o *Options) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		s, err := Take(context.Background(), o)
		if err != nil {
			yield(Object{}, err)
			return
		}
		s.Objects()(yield)
	}
}

// A Snapshot is what processes mapped and had open when it was taken. It keeps no descriptor.
// Any goroutine may use it.
type Snapshot struct {
	options Options
	hidden  int
	taken   time.Time
}

// Take walks over all processes once. The error is that of the context, or that there are no
// processes to see at Options.Proc.
func Take(ctx context.Context, o *Options) (*Snapshot, error) {
	if o == nil {
		o = &Options{}
	}
	return &Snapshot{options: *o}, nil
}

// Objects ranges over the objects that there are now, with users as they were when the snapshot was
// taken, by kind in the order of Kinds and then by name or number.
func (s *Snapshot) Objects() iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {}
}

// Object returns one object by its address, of any kind, and all that is known of it. A file need not be
// mapped by anyone. fs.ErrNotExist: there is none.
func (s *Snapshot) Object(address string) (Object, error) {
	return Object{}, errors.ErrUnsupported
}

// Hidden returns how many processes did not let this user look.
func (s *Snapshot) Hidden() int { return s.hidden }

// Taken returns when the snapshot was taken.
func (s *Snapshot) Taken() time.Time { return s.taken }

// Processes returns the processes that there were, by PID.
func (s *Snapshot) Processes() []Process { return nil }
