package shmkit_test

import (
	"errors"
	"reflect"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/vm"
)

// copied returns a copy of what p points to, as a mistaken assignment makes it. vet
// would refuse the assignment.
func copied[T any](p *T) *T {
	c := reflect.New(reflect.TypeFor[T]())
	c.Elem().Set(reflect.ValueOf(p).Elem())
	return c.Interface().(*T)
}

func TestACopyOfAMappingUnmapsNothing(t *testing.T) {
	m := newMapping(t, 4096)
	c := copied(m)
	v, err := shmkit.View[uint64](m, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, v)
	closeOK(t, c)
	if !c.Closed() || c.Bytes() != nil {
		t.Error("the copy is of use")
	}
	_, err = c.ReadAt(make([]byte, 1), 0)
	wantAccessError(t, err, "read", shmkit.ErrClosed)
	*v.Data() = 1
	if n, err := m.Load64(0); n != 1 || err != nil {
		t.Errorf("the mapping reads %d, %v", n, err)
	}
}

func TestACopyOfAViewGivesNothingBack(t *testing.T) {
	m := newMapping(t, 4096)
	v, err := shmkit.View[uint64](m, 0)
	if err != nil {
		t.Fatal(err)
	}
	closeOK(t, copied(v))
	closeOK(t, m)
	*v.Data() = 1 // would fault, had the copy given the view's hold back
	closeOK(t, v)
}

func TestZeroMappingsAndViewsAreClosed(t *testing.T) {
	var m shmkit.Mapping
	var v shmkit.TypedView[uint64]
	closeOK(t, &m)
	closeOK(t, &v)
	_, err := m.Load64(0)
	if !errors.Is(err, shmkit.ErrClosed) && !errors.Is(err, shmkit.ErrOutOfRange) {
		t.Error(err)
	}
	if v.Data() != nil {
		t.Error("a zero view shows something")
	}
}

// What makes a Mapping must not be made outside of this module: not by a struct of the
// same shape, not by reflection, and the zero value is refused.
func TestOnlyThisModuleMakesMappings(t *testing.T) {
	area := reflect.TypeFor[vm.Area]()
	for i := range area.NumField() {
		if f := area.Field(i); f.IsExported() {
			t.Errorf("vm.Area.%s is exported", f.Name)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a Mapping was made of nothing")
		}
	}()
	shmkit.NewMapping(vm.Area{})
}
