package shmkit_test

import (
	"structs"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
)

// inner is a type with a good and a bad field.
type inner[T any] struct {
	Good uint64
	Bad  T
}

type outer[T any] struct {
	_     structs.HostLayout
	Count uint32
	Items [2][3]inner[T]
}

type named string

type self struct{ Next *self }

func TestViewRefusesWhatMeansNothingInAnotherProcess(t *testing.T) {
	m := newMapping(t, 4096)
	for _, c := range []struct {
		what string
		view func() error
		text string
	}{
		{"pointer", viewOf[*int](m), "*int is a ptr, which holds a Go pointer"},
		{"slice", viewOf[[]byte](m), "[]uint8 is a slice"},
		{"string", viewOf[string](m), "string is a string"},
		{"named string", viewOf[named](m), "shmkit_test.named is a string"},
		{"map", viewOf[map[int]int](m), "map[int]int is a map"},
		{"channel", viewOf[chan int](m), "chan int is a chan"},
		{"function", viewOf[func()](m), "func() is a func"},
		{"interface", viewOf[any](m), "interface {} is a interface"},
		{"error", viewOf[error](m), "error is a interface"},
		{"type that refers to itself", viewOf[self](m), "shmkit_test.self.Next is a ptr"},
		{"array of pointers", viewOf[[4]*int](m), "[4]*int[] is a ptr"},
		{"pointer in a field", viewOf[inner[*int]](m), "shmkit_test.inner[*int].Bad is a ptr"},
		{"pointer deep inside", viewOf[outer[*int]](m), "shmkit_test.outer[*int].Items[][].Bad is a ptr"},
		{"slice deep inside", viewOf[outer[[]int]](m), ".Items[][].Bad is a slice"},
		{"string deep inside", viewOf[outer[string]](m), ".Items[][].Bad is a string"},
		{"map deep inside", viewOf[outer[map[string]int]](m), ".Items[][].Bad is a map"},
		{"channel deep inside", viewOf[outer[<-chan int]](m), ".Items[][].Bad is a chan"},
		{"function deep inside", viewOf[outer[func(int) error]](m), ".Items[][].Bad is a func"},
		{"interface deep inside", viewOf[outer[error]](m), ".Items[][].Bad is a interface"},
		{"time with its zone", viewOf[outer[time.Time]](m), ".Items[][].Bad.loc is a ptr"},
		{"atomic pointer", viewOf[outer[atomic.Pointer[int]]](m), ".Items[][].Bad."},
		{"atomic value", viewOf[outer[atomic.Value]](m), ".Items[][].Bad.v is a interface"},
		{"mutex", viewOf[outer[sync.Mutex]](m), ".Items[][].Bad is a sync.Mutex, which works inside one process only"},
		{"read-write mutex", viewOf[outer[sync.RWMutex]](m), ".Items[][].Bad is a sync.RWMutex"},
		{"wait group", viewOf[sync.WaitGroup](m), "sync.WaitGroup is a sync.WaitGroup"},
		{"once", viewOf[outer[sync.Once]](m), ".Items[][].Bad is a sync.Once"},
		{"embedded mutex", viewOf[struct {
			N int64
			sync.Mutex
		}](m), ".Mutex is a sync.Mutex"},
		{"empty struct", viewOf[struct{}](m), "struct {} has no size"},
		{"empty array", viewOf[[0]uint64](m), "[0]uint64 has no size"},
		{"array of empty structs", viewOf[[9]struct{}](m), "[9]struct {} has no size"},
	} {
		t.Run(c.what, func(t *testing.T) {
			wantAccessError(t, c.view(), "view", shmkit.ErrBadType, c.text)
			wantAccessError(t, c.view(), "view", shmkit.ErrBadType, c.text) // the answer is remembered
		})
	}
}

// viewOf makes both kinds of view, which must agree.
func viewOf[T any](m *shmkit.Mapping) func() error {
	return func() error {
		one := closed(shmkit.View[T](m, 0))
		run := closed(shmkit.ViewSlice[T](m, 0, 1))
		if (one == nil) != (run == nil) || one != nil && one.Error() != run.Error() {
			panic("View and ViewSlice disagree")
		}
		return one
	}
}

func TestViewTakesEveryTypeWithoutPointers(t *testing.T) {
	type color uint8
	m := newMapping(t, 4096)
	for what, view := range map[string]func() error{
		"bool":             viewOf[bool](m),
		"int8":             viewOf[int8](m),
		"int16":            viewOf[int16](m),
		"int32":            viewOf[int32](m),
		"int64":            viewOf[int64](m),
		"int":              viewOf[int](m),
		"uint8":            viewOf[uint8](m),
		"uint16":           viewOf[uint16](m),
		"uint32":           viewOf[uint32](m),
		"uint64":           viewOf[uint64](m),
		"uint":             viewOf[uint](m),
		"uintptr":          viewOf[uintptr](m),
		"float32":          viewOf[float32](m),
		"float64":          viewOf[float64](m),
		"complex64":        viewOf[complex64](m),
		"complex128":       viewOf[complex128](m),
		"named":            viewOf[color](m),
		"duration":         viewOf[time.Duration](m),
		"array":            viewOf[[3][5]uint16](m),
		"atomic bool":      viewOf[atomic.Bool](m),
		"atomic int32":     viewOf[atomic.Int32](m),
		"atomic uint64":    viewOf[atomic.Uint64](m),
		"struct":           viewOf[outer[color]](m),
		"empty field":      viewOf[outer[struct{}]](m),
		"unexported field": viewOf[struct{ a, _ uint64 }](m),
		"whole mapping":    viewOf[[4096]byte](m),
	} {
		if err := view(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
