package shmkit_test

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/vm"
	"github.com/shmkit/shmkit/sysv"
)

func TestReplaceClosesTheOldMappingAndTakesItsPlace(t *testing.T) {
	old := newMapping(t, 8192)
	if err := old.Store64(0, 1); err != nil {
		t.Fatal(err)
	}
	seg := newSegment(t, 8192)
	m := attach(t, seg, &sysv.AttachOptions{Replace: old})
	if m.Addr() != old.Addr() || m.Len() != 8192 || m.Name() != seg.String() {
		t.Errorf("got %v in place of %v", m, old)
	}
	if !old.Closed() {
		t.Error("the old mapping is open")
	}
	if v, err := m.Load64(0); v != 0 || err != nil {
		t.Errorf("the new mapping reads %d, %v; want the new segment's 0", v, err)
	}
	closeOK(t, old) // which must not unmap the new one
	if err := m.Store64(0, 2); err != nil {
		t.Error(err)
	}
}

func TestReplaceLeavesAMappingWithAViewAlone(t *testing.T) {
	old := newMapping(t, 4096)
	v, err := shmkit.View[uint64](old, 0)
	if err != nil {
		t.Fatal(err)
	}
	seg := newSegment(t, 4096)
	_, err = seg.Attach(&sysv.AttachOptions{Replace: old})
	wantAccessError(t, err, "replace", shmkit.ErrInUse)
	if n := attachCount(t, seg); n != 0 {
		t.Errorf("%d mappings of the new segment are attached", n)
	}
	*v.Data() = 3
	closeOK(t, v)
	if n, err := old.Load64(0); n != 3 || err != nil {
		t.Errorf("the old mapping reads %d, %v", n, err)
	}
	m := attach(t, seg, &sysv.AttachOptions{Replace: old})
	if err := m.Store64(0, 4); err != nil {
		t.Error(err)
	}
}

func TestAFailedReplacementLeavesTheOldMappingAsItWas(t *testing.T) {
	old := newMapping(t, 4096)
	b := old.Bytes()
	b[0] = 9
	failure := errors.New("no")
	m, err := shmkit.ReplaceMapping(old, func(addr uintptr, size int) (vm.Area, error) {
		if addr != old.Addr() || size != 4096 {
			t.Errorf("told to place at %#x, %d bytes", addr, size)
		}
		return vm.Area{}, failure
	})
	if m != nil || err != failure {
		t.Errorf("got %v, %v", m, err)
	}
	if old.Closed() || b[0] != 9 {
		t.Error("the old mapping is not as it was")
	}
	if v, err := shmkit.View[byte](old, 0); err != nil || *v.Data() != 9 {
		t.Errorf("a view: %v", err)
	} else {
		closeOK(t, v)
	}
	closeOK(t, old)
	wantFault(t, shmkit.Guard(func() { b[0] = 1 }), old, 0, shmkit.ErrClosed)
}

// A Close that comes while a replacement is tried must count, whatever becomes of
// that.
func TestACloseDuringAFailingReplacementIsNotLost(t *testing.T) {
	seg := newSegment(t, 4096)
	for range 200 {
		old := attach(t, seg, nil)
		var wg sync.WaitGroup
		var coming atomic.Int64
		inside := make(chan struct{})
		wg.Go(func() {
			<-inside
			coming.Add(1)
			closeOK(t, old)
		})
		wg.Go(func() {
			<-inside
			coming.Add(1)
			if _, err := old.ReadAt(make([]byte, 1), 0); err != nil && !errors.Is(err, shmkit.ErrClosed) {
				t.Error(err)
			}
		})
		_, err := shmkit.ReplaceMapping(old, func(uintptr, int) (vm.Area, error) {
			close(inside)
			for coming.Load() < 2 {
				runtime.Gosched()
			}
			for range 100 { // both are about to call, or do: they wait for us
				runtime.Gosched()
			}
			return vm.Area{}, errors.New("no")
		})
		wg.Wait()
		if err == nil || !old.Closed() {
			t.Fatalf("the replacement gave %v, and the mapping is closed: %t", err, old.Closed())
		}
		if n := attachCount(t, seg); n != 0 {
			t.Fatalf("%d mappings are attached after Close", n)
		}
	}
}

func TestAMappingIsNeverClosedInTheEyesOfOthersWhileAReplacementFails(t *testing.T) {
	old := newMapping(t, 4096)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !stop.Load() {
				if _, err := old.Add64(0, 1); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 2000 {
		_, err := shmkit.ReplaceMapping(old, func(uintptr, int) (vm.Area, error) { return vm.Area{}, errFull })
		if !errors.Is(err, errFull) && !errors.Is(err, shmkit.ErrInUse) {
			t.Errorf("got %v", err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

var errFull = errors.New("full")

func TestOneOfManyReplacementsWins(t *testing.T) {
	for range 50 {
		old := newMapping(t, 4096)
		seg := newSegment(t, 4096)
		var won atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				m, err := seg.Attach(&sysv.AttachOptions{Replace: old})
				switch {
				case err == nil:
					won.Add(1)
					closeOK(t, m)
				case !errors.Is(err, shmkit.ErrClosed) && !errors.Is(err, shmkit.ErrInUse):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d replacements of one mapping worked", won.Load())
		}
		if n := attachCount(t, seg); n != 0 {
			t.Fatalf("%d mappings are attached after all", n)
		}
	}
}

func TestWhatAReplacementCutsOffFaultsAsClosedUnderTheOldName(t *testing.T) {
	old := newMapping(t, 4*int64(pageSize))
	b := old.Bytes()
	m := attach(t, newSegment(t, int64(pageSize)), &sysv.AttachOptions{Replace: old})
	for _, off := range []int{pageSize, 2*pageSize + 5, 4*pageSize - 1} {
		wantFault(t, shmkit.Guard(func() { b[off] = 1 }), old, int64(off), shmkit.ErrClosed)
	}
	// What was not cut off shows the new memory, as asked for.
	b[7] = 7
	got := make([]byte, 8)
	if _, err := m.ReadAt(got, 0); err != nil || got[7] != 7 {
		t.Errorf("the range is not that of the new segment: %d, %v", got[7], err)
	}
	closeOK(t, m)
	wantFault(t, shmkit.Guard(func() { b[7] = 1 }), m, 7, shmkit.ErrClosed)
}

func TestReplaceOfAMappingWithoutPointersFreesTheRest(t *testing.T) {
	old := newMapping(t, 4*int64(pageSize))
	before, _ := shmkit.Quarantined()
	m := attach(t, newSegment(t, 1), &sysv.AttachOptions{Replace: old})
	if after, _ := shmkit.Quarantined(); after != before {
		t.Errorf("%d mappings went into quarantine", after-before)
	}
	if n, _ := sys.MappedLength(m.Addr()); n != pageSize {
		t.Errorf("what is mapped there has %d bytes, want one page", n)
	}
	if sys.Readable(m.Addr() + uintptr(pageSize)) {
		t.Error("what was cut off can be read")
	}
}

func TestAReplacementThatDoesNotFitSaysSo(t *testing.T) {
	old := newMapping(t, 4096)
	if err := old.Store64(0, 5); err != nil {
		t.Fatal(err)
	}
	_, err := newSegment(t, 4097).Attach(&sysv.AttachOptions{Replace: old})
	if err == nil || !strings.Contains(err.Error(), old.Name()) {
		t.Errorf("got %v, which should name %s", err, old.Name())
	}
	if v, err := old.Load64(0); v != 5 || err != nil {
		t.Errorf("the old mapping reads %d, %v", v, err)
	}
}
