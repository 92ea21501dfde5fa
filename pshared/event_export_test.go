package pshared

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/shmkit/shmkit/internal/object"
)

// State and SetState are for tests that look at a word, or do to it what no member does.
func (e *Event) State() uint32 { return e.real.Load() }

// SetState stores any state.
func (e *Event) SetState(v uint32) { e.real.Store(v) }

// Path returns the file of the object.
func (e *Event) Path() string { return e.o.Path() }

// Dir returns the directory of the object.
func (s *Shared[T]) Dir() string { return filepath.Dir(s.in.o.Path()) }

// Sleepers returns how many goroutines sleep for something in the struct, of all processes
// that live.
func (s *Shared[T]) Sleepers() (n int) {
	for _, m := range s.members() {
		if m.Alive {
			n += m.Waiting
		}
	}
	return n
}

// Dead returns how many records of dead members are in the object.
func (s *Shared[T]) Dead() (n int) {
	for _, m := range s.members() {
		if !m.Alive {
			n++
		}
	}
	return n
}

func (s *Shared[T]) members() []object.MemberInfo {
	name := strings.TrimPrefix(s.in.o.Address(), "struct:")
	i, err := object.Look(object.ChooseDir(s.Dir()), object.Struct, name, nil)
	if err != nil || i.Err != nil {
		panic(fmt.Sprint(err, i.Err))
	}
	return i.Members
}
