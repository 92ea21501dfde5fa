package pshared

import (
	"context"
	"os"
	"reflect"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/object"
)

// A struct without a name lies in a memfd, or in memory that its users bring along. Of the
// Options only Members and Mode count for it: it goes with the memory, and is never made
// anew while that is there. A lock alone is a struct of one field.

// CreateMemfd makes a struct of zeros in a memfd, sealed against another size. label is
// for people, as of memfd_create(2). Others get at it by a descriptor (Descriptor) that
// they inherit, or are sent, and OpenMemfd.
func CreateMemfd[T any](label string, o *Options) (*Shared[T], error) {
	if o == nil {
		o = &Options{}
	}
	c, places := configure(object.Struct, reflect.TypeFor[T](), o)
	obj, err := object.CreateMemfd(label, c)
	return nameless[T](obj, places, err)
}

// OpenMemfd opens the struct in a memfd that f shows. f stays the caller's: it is opened
// anew, for which /proc must be there and the memfd's mode allow it. ErrForeign: it is not
// what CreateMemfd makes.
func OpenMemfd[T any](f *os.File, o *Options) (*Shared[T], error) {
	if o == nil {
		o = &Options{}
	}
	c, places := configure(object.Struct, reflect.TypeFor[T](), o)
	obj, err := object.OpenMemfd(context.Background(), f, c)
	return nameless[T](obj, places, err)
}

// OpenMapping opens the struct at the beginning of m, such as a System V segment, and
// makes it if the memory there is all zeros. The memory has nothing that could tell who
// of its users lives: companion is a file of theirs, opened for writing, that does so, and
// has no other use of this kind. Both stay the caller's, and m open until the struct is
// closed. ErrForeign: there is something else; syscall.ENOSPC: m is too small: SizeIn
// tells what it needs.
func OpenMapping[T any](m *shmkit.Mapping, companion *os.File, o *Options) (*Shared[T], error) {
	if o == nil {
		o = &Options{}
	}
	c, places := configure(object.Struct, reflect.TypeFor[T](), o)
	obj, err := object.OpenMapping(context.Background(), m, companion, c)
	return nameless[T](obj, places, err)
}

// SizeIn returns how many bytes of a mapping OpenMapping needs, with the same options.
func SizeIn[T any](o *Options) (int64, error) {
	if o == nil {
		o = &Options{}
	}
	c, _ := configure(object.Struct, reflect.TypeFor[T](), o)
	return c.Size()
}

func nameless[T any](obj *object.Object, places []place, err error) (*Shared[T], error) {
	if err != nil {
		return nil, err
	}
	h, err := newHandle(obj, places, false)
	if err != nil {
		return nil, err
	}
	return newShared[T](h)
}

// Descriptor returns an open file by which another process can open the struct, when it is
// in a memfd: with OpenMemfd, from exec.Cmd.ExtraFiles or SCM_RIGHTS. The caller closes
// it.
func (s *Shared[T]) Descriptor() (*os.File, error) { return s.in.o.Descriptor() }
