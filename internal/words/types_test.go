package words_test

import (
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/words"
)

// The types are laid out as those of sync/atomic, field by field, also with -race: what a
// program built with it shares with one that was not is the same.
func TestTypesAreLaidOutLikeThoseOfAtomic(t *testing.T) {
	for own, want := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[words.Uint32](): reflect.TypeFor[atomic.Uint32](),
		reflect.TypeFor[words.Uint64](): reflect.TypeFor[atomic.Uint64](),
		reflect.TypeFor[words.Int64]():  reflect.TypeFor[atomic.Int64](),
	} {
		if own.Size() != want.Size() || own.Align() != want.Align() || own.NumField() != want.NumField() {
			t.Errorf("%v: %d bytes, aligned to %d, %d fields", own, own.Size(), own.Align(), own.NumField())
			continue
		}
		for i := range own.NumField() {
			f, as := own.Field(i), want.Field(i)
			if f.Name != as.Name || f.Offset != as.Offset || f.Type.Size() != as.Type.Size() {
				t.Errorf("%v: %s at %d, %d bytes; in %v %s at %d, %d bytes", own, f.Name, f.Offset, f.Type.Size(), want, as.Name, as.Offset, as.Type.Size())
			}
		}
	}
}

func TestTypesDoAsThoseOfAtomic(t *testing.T) {
	var a words.Uint32
	var b words.Uint64
	var c words.Int64
	a.Store(6)
	b.Store(6 << 40)
	c.Store(-6)
	if a.Load() != 6 || b.Load() != 6<<40 || c.Load() != -6 {
		t.Errorf("%d, %d, %d", a.Load(), b.Load(), c.Load())
	}
	if a.Add(^uint32(0)) != 5 || b.Add(1) != 6<<40+1 || c.Add(-1) != -7 {
		t.Errorf("%d, %d, %d", a.Load(), b.Load(), c.Load())
	}
	if a.Or(2) != 5 || a.And(6) != 7 || a.Load() != 6 || b.Or(2) != 6<<40+1 || b.And(1<<41) != 6<<40+3 || b.Load() != 1<<41&(6<<40) {
		t.Errorf("%d, %d", a.Load(), b.Load())
	}
	if a.CompareAndSwap(5, 1) || !a.CompareAndSwap(6, 1) || b.CompareAndSwap(0, 1) || !b.CompareAndSwap(b.Load(), 1) || c.CompareAndSwap(7, 1) || !c.CompareAndSwap(-7, 1) {
		t.Error("compare and swap")
	}
	if a.Swap(9) != 1 || b.Swap(9) != 1 || c.Swap(-9) != 1 || a.Load() != 9 || b.Load() != 9 || c.Load() != -9 {
		t.Error("swap")
	}
	if words.Atomic(&a).Load() != 9 {
		t.Error("another word")
	}
}
