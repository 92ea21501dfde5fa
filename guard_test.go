package shmkit_test

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit"
)

func TestGuardReturnsNilWhenNothingFaults(t *testing.T) {
	ran := false
	if err := shmkit.Guard(func() { ran = true }); err != nil || !ran {
		t.Errorf("got %v, ran %t", err, ran)
	}
}

func TestGuardTellsTheExactOffset(t *testing.T) {
	m := newReadOnly(t, 5*int64(pageSize))
	b := m.Bytes()
	for _, off := range []int{0, 1, 7, pageSize - 1, pageSize, pageSize + 1, 3*pageSize + 123, 5*pageSize - 1} {
		wantFault(t, shmkit.Guard(func() { b[off] = 1 }), m, int64(off), shmkit.ErrReadOnly)
	}
}

func TestGuardTellsTheMappingOfSeveral(t *testing.T) {
	seg := newSegment(t, 1)
	for range 20 {
		ro := newReadOnly(t, 2*int64(pageSize))
		rw := attach(t, seg, nil)
		b := ro.Bytes()
		wantFault(t, shmkit.Guard(func() {
			rw.Bytes()[0]++
			b[pageSize] = 1
		}), ro, int64(pageSize), shmkit.ErrReadOnly)
	}
	if n, err := attach(t, seg, nil).Load32(0); err == nil || n != 0 {
		t.Errorf("a 32-bit word of a segment of one byte: %d, %v", n, err)
	}
	var done [1]byte
	if _, err := attach(t, seg, nil).ReadAt(done[:], 0); err != nil || done[0] != 20 {
		t.Errorf("what was done before the fault counts %d, %v; want 20: it stays done", done[0], err)
	}
}

func TestGuardTellsAMissingPageFromARefusedAccess(t *testing.T) {
	m, cut := newCuttable(t, 3)
	b := m.Bytes()
	cut(pageSize + 1) // the rest of a page that is begun stays
	if err := shmkit.Guard(func() { b[2*pageSize-1] = 1 }); err != nil {
		t.Errorf("the page that the file ends in: %v", err)
	}
	var x byte
	wantFault(t, shmkit.Guard(func() { x = b[2*pageSize] }), m, 2*int64(pageSize), shmkit.ErrNoMemory)
	wantFault(t, shmkit.Guard(func() { b[3*pageSize-1] = x }), m, 3*int64(pageSize)-1, shmkit.ErrNoMemory)
}

func TestGuardCoversCopyAndCompare(t *testing.T) {
	m, cut := newCuttable(t, 2)
	b := m.Bytes()
	cut(0)
	heap := make([]byte, len(b))
	wantFaultFrom(t, shmkit.Guard(func() { copy(heap, b) }), m, 0)
	wantFaultFrom(t, shmkit.Guard(func() { copy(b, heap) }), m, 0)
	wantFaultFrom(t, shmkit.Guard(func() { clear(b) }), m, 0)
	same := false
	wantFaultFrom(t, shmkit.Guard(func() { same = string(b) == string(heap) }), m, 0)
	if same {
		t.Error("compared what is not there")
	}
}

func TestGuardsNest(t *testing.T) {
	outer, inner := newReadOnly(t, 64), newReadOnly(t, 64)
	ob, ib := outer.Bytes(), inner.Bytes()
	var innerErr error
	outerErr := shmkit.Guard(func() {
		innerErr = shmkit.Guard(func() { ib[1] = 1 })
		ob[2] = 1
		t.Error("went on behind a fault")
	})
	wantFault(t, innerErr, inner, 1, shmkit.ErrReadOnly)
	wantFault(t, outerErr, outer, 2, shmkit.ErrReadOnly)
	// The accessors guard themselves, and leave an outer Guard working.
	wantFault(t, shmkit.Guard(func() {
		if _, err := inner.Load64(0); err != nil {
			t.Error(err)
		}
		if _, err := inner.ReadAt(make([]byte, 64), 0); err != nil {
			t.Error(err)
		}
		ob[3] = 1
	}), outer, 3, shmkit.ErrReadOnly)
}

func TestGuardPassesOtherPanics(t *testing.T) {
	boom := errors.New("boom")
	var none []int
	var nilMap map[int]int
	var nothing *struct{ a [1 << 20]byte }
	for what, f := range map[string]func(){
		"error":       func() { panic(boom) },
		"string":      func() { panic("boom") },
		"nil":         func() { panic(nil) },
		"index":       func() { none[len(none)] = 1 },
		"map":         func() { nilMap[1] = 1 },
		"nil pointer": func() { nothing.a[5] = 1 },
		"far from a nil pointer": func() {
			nothing.a[1<<20-1] = 1
		},
		"assertion": func() { _ = any(1).(string) },
	} {
		t.Run(what, func(t *testing.T) {
			plain, guarded := recovered(f), recovered(func() { _ = shmkit.Guard(f) })
			if guarded == nil || fmt.Sprintf("%T", guarded) != fmt.Sprintf("%T", plain) {
				t.Errorf("the panic is %T %v, without Guard it is %T %v", guarded, guarded, plain, plain)
			}
			if what == "error" && guarded != any(boom) {
				t.Errorf("the panic's value became %v", guarded)
			}
		})
	}
}

// recovered is what f panics with. Like in Guard, a fault anywhere is a panic.
func recovered(f func()) (r any) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { r = recover() }()
	f()
	return nil
}

func TestGuardPassesAFaultOutsideOfMappings(t *testing.T) {
	b, release := foreignMemory()
	defer func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	}()
	r := recovered(func() { _ = shmkit.Guard(func() { b[3] = 1 }) })
	fault, ok := r.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok || fault.Addr()%uintptr(pageSize) != 3 {
		t.Errorf("the panic is %T %v, want the runtime's own for the address", r, r)
	}
	// An outer Guard does not make it its own either.
	if recovered(func() { _ = shmkit.Guard(func() { _ = shmkit.Guard(func() { b[3] = 1 }) }) }) == nil {
		t.Error("two guards swallowed a fault outside of all mappings")
	}
}

func TestGuardPassesGoexit(t *testing.T) {
	after, returned := false, false
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { after = recover() == nil }()
		_ = shmkit.Guard(runtime.Goexit)
		returned = true
	}()
	<-done
	if returned || !after {
		t.Errorf("Guard returned %t, deferred calls saw no panic %t", returned, after)
	}
}

// setting reads debug.SetPanicOnFault for this goroutine.
func setting() bool {
	s := debug.SetPanicOnFault(false)
	debug.SetPanicOnFault(s)
	return s
}

func TestTheSettingOfTheGoroutineIsRestored(t *testing.T) {
	ro := newReadOnly(t, 64)
	m, cut := newCuttable(t, 1)
	b := ro.Bytes()
	cut(0)
	uses := map[string]func(){
		"Guard":                    func() { _ = shmkit.Guard(func() {}) },
		"Guard with a fault":       func() { _ = shmkit.Guard(func() { b[0] = 1 }) },
		"Guard with a panic":       func() { recoverAll(func() { _ = shmkit.Guard(func() { panic(1) }) }) },
		"ReadAt":                   func() { _, _ = ro.ReadAt(make([]byte, 8), 0) },
		"ReadAt with a fault":      func() { _, _ = m.ReadAt(make([]byte, 8), 0) },
		"WriteAt with a fault":     func() { _, _ = m.WriteAt(make([]byte, 8), 0) },
		"a word":                   func() { _, _ = ro.Load32(0) },
		"a word with a fault":      func() { _, _ = m.Add64(0, 1) },
		"a word that is refused":   func() { _ = ro.Store64(0, 1) },
		"ReadAt of a closed one":   func() { closeOK(t, m); _, _ = m.ReadAt(make([]byte, 8), 0) },
		"a view":                   func() { _ = closed(shmkit.View[int64](m, 0)) },
		"two guards, both faulted": func() { _ = shmkit.Guard(func() { _ = shmkit.Guard(func() { b[0] = 1 }); b[1] = 1 }) },
	}
	for _, before := range []bool{false, true} {
		for what, use := range uses {
			old := debug.SetPanicOnFault(before)
			use()
			if after := setting(); after != before {
				t.Errorf("%s: debug.SetPanicOnFault was %t and is %t", what, before, after)
			}
			debug.SetPanicOnFault(old)
		}
	}
	if err := shmkit.Guard(func() {
		if !setting() {
			t.Error("faults are no panics in Guard")
		}
	}); err != nil {
		t.Error(err)
	}
}

func recoverAll(f func()) {
	defer func() { _ = recover() }()
	f()
}

func TestAFaultInADeferredCallOfTheGuardedFunctionIsCaught(t *testing.T) {
	m := newReadOnly(t, 64)
	b := m.Bytes()
	wantFault(t, shmkit.Guard(func() {
		defer func() { b[8] = 1 }()
	}), m, 8, shmkit.ErrReadOnly)
	// A panic during which another fault happens: the later one is what is raised.
	wantFault(t, shmkit.Guard(func() {
		defer func() { b[9] = 1 }()
		panic("first")
	}), m, 9, shmkit.ErrReadOnly)
	// The guarded function recovers by itself.
	if err := shmkit.Guard(func() { recoverAll(func() { b[0] = 1 }) }); err != nil {
		t.Errorf("a fault that was recovered came back: %v", err)
	}
}

func TestManyGoroutinesFaultAtOnce(t *testing.T) {
	m := newReadOnly(t, 64*int64(pageSize))
	b := m.Bytes()
	var caught atomic.Int64
	done := make(chan struct{})
	const goroutines, faults = 16, 200
	for g := range goroutines {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range faults {
				off := (g*faults+i)%64*pageSize + g
				err := shmkit.Guard(func() { b[off] = 1 })
				var fault *shmkit.FaultError
				if errors.As(err, &fault) && fault.Off == int64(off) {
					caught.Add(1)
				}
			}
		}()
	}
	for range goroutines {
		<-done
	}
	if n := caught.Load(); n != goroutines*faults {
		t.Errorf("%d of %d faults came back as errors with their offset", n, goroutines*faults)
	}
}
