package shmkit_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// A pointer that is kept beyond Close is a mistake that the compiler can't see.
// These tests make it, and look where it leads: to a fault, and never into memory
// that was mapped later.

func TestLateUseOfASliceFaultsAsClosed(t *testing.T) {
	m := newMapping(t, 3*int64(pageSize))
	b := m.Bytes()
	b[0] = 1
	closeOK(t, m)
	for _, off := range []int{0, 1, pageSize, 3*pageSize - 1} {
		var x byte
		wantFault(t, shmkit.Guard(func() { x = b[off] }), m, int64(off), shmkit.ErrClosed)
		wantFault(t, shmkit.Guard(func() { b[off] = 2 }), m, int64(off), shmkit.ErrClosed)
		if x != 0 {
			t.Errorf("a late read found %d", x)
		}
	}
}

func TestLateUseOfAViewFaultsAsClosed(t *testing.T) {
	m := newMapping(t, 4096)
	v, err := shmkit.View[header](m, 64)
	if err != nil {
		t.Fatal(err)
	}
	s, err := shmkit.ViewSlice[uint64](m, 128, 4)
	if err != nil {
		t.Fatal(err)
	}
	h, words := v.Data(), s.Data()
	tag := &h.Tags[1] // h.Tags[1]++ may begin with a look at *h
	closeOK(t, v)
	closeOK(t, s)
	h.Width = 1 // the mapping is still open, and so this is only bad manners
	closeOK(t, m)
	wantFault(t, shmkit.Guard(func() { h.Seq.Add(1) }), m, 64, shmkit.ErrClosed)
	wantFault(t, shmkit.Guard(func() { *tag++ }), m, 64+18, shmkit.ErrClosed)
	wantFault(t, shmkit.Guard(func() { words[3] = 1 }), m, 128+24, shmkit.ErrClosed)
}

func TestLateUseAfterTheLastViewFaultsAsClosed(t *testing.T) {
	m := newMapping(t, 4096)
	v, err := shmkit.ViewSlice[byte](m, 0, 4096)
	if err != nil {
		t.Fatal(err)
	}
	b := v.Data()
	closeOK(t, m)
	b[5] = 1 // the view holds the memory
	closeOK(t, v)
	wantFault(t, shmkit.Guard(func() { b[5] = 2 }), m, 5, shmkit.ErrClosed)
}

func TestLateUseOfASliceOfAMappingOfAReadOnlySegmentIsClosedNotReadOnly(t *testing.T) {
	m := newReadOnly(t, 64)
	b := m.Bytes()
	closeOK(t, m)
	wantFault(t, shmkit.Guard(func() { b[5] = 2 }), m, 5, shmkit.ErrClosed)
}

func TestLateUseNeverReachesMemoryMappedLater(t *testing.T) {
	const size = 16 * 4096
	m := newMapping(t, size)
	stale := m.Bytes()
	closeOK(t, m)

	// Segments of the same and of smaller lengths would all like the free addresses,
	// and so would the runtime's heap.
	var later []*shmkit.Mapping
	for i := range 200 {
		n := newMapping(t, size>>(i%5))
		if n.Addr() < m.Addr()+size && m.Addr() < n.Addr()+uintptr(n.Len()) {
			t.Fatalf("%v overlaps the closed %v", n, m)
		}
		later = append(later, n)
	}
	heap := make([][]byte, 64)
	for i := range heap {
		heap[i] = make([]byte, size)
	}
	for off := 0; off < size; off += 512 {
		wantFault(t, shmkit.Guard(func() { stale[off] = 0xEE }), m, int64(off), shmkit.ErrClosed)
	}
	for _, n := range later {
		if !bytes.Equal(n.Bytes(), make([]byte, n.Len())) {
			t.Errorf("a late write reached %v", n)
		}
	}
	for _, b := range heap {
		if bytes.IndexByte(b, 0xEE) >= 0 {
			t.Error("a late write reached the heap")
		}
	}
}

func TestAMappingThatShowedNoPointerGivesItsAddressesBack(t *testing.T) {
	m := newMapping(t, 4096)
	if _, err := m.WriteAt([]byte("copied"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Add64(8, 1); err != nil {
		t.Fatal(err)
	}
	before, _ := shmkit.Quarantined()
	closeOK(t, m)
	if _, ok := mapped(t, m.Addr()); ok {
		t.Error("its addresses are still taken")
	}
	if after, _ := shmkit.Quarantined(); after != before {
		t.Errorf("it is in quarantine")
	}
}

func TestAClosedMappingWithPointersKeepsItsAddresses(t *testing.T) {
	m := newMapping(t, 4096)
	m.Bytes()
	closeOK(t, m)
	if perm, ok := mapped(t, m.Addr()); ok && perm != "---p" {
		t.Errorf("its addresses are mapped %s", perm)
	}
	if sys.Readable(m.Addr()) {
		t.Error("its addresses can be read")
	}
	seg := newSegment(t, 4096)
	if again, err := seg.Attach(&sysv.AttachOptions{Addr: m.Addr()}); err == nil {
		closeOK(t, again)
		t.Error("something else was attached at its addresses")
	}
}

// Outside of Guard a fault ends the process, as in every Go program, and the
// message says that it was an address.
func TestUnguardedFaultsEndTheProcess(t *testing.T) {
	for role, text := range map[string]string{
		"late use of a slice":   "unexpected fault address",
		"write to read-only":    "unexpected fault address",
		"goroutine in a guard":  "unexpected fault address",
		"fault outside a guard": "invalid memory address or nil pointer dereference",
	} {
		t.Run(role, func(t *testing.T) {
			seg := newSegment(t, 4096)
			p := testenv.Start(t, role, strconv.Itoa(seg.ID()))
			if code := p.ExitCode(); code != 2 {
				line, err := p.ReadLine()
				t.Errorf("exit code %d, want the runtime's 2; it said %q, %v", code, line, err)
			}
			if !strings.Contains(p.Stderr(), text) {
				t.Errorf("standard error has no %q:\n%s", text, p.Stderr())
			}
			if n := attachCount(t, seg); n != 0 {
				t.Errorf("%d mappings are attached after its end", n)
			}
		})
	}
	seg := newSegment(t, 4096)
	p := testenv.Start(t, "late use in a guard", strconv.Itoa(seg.ID()))
	p.Expect("true")
	if err := p.Wait(); err != nil {
		t.Errorf("the same in Guard: %v\n%s", err, p.Stderr())
	}
}

func TestTheEndOfAProcessDetachesWhatItsViewsHold(t *testing.T) {
	seg := newSegment(t, 4096)
	p := testenv.Start(t, "leave the view open", strconv.Itoa(seg.ID()))
	p.Expect("attached")
	if n := attachCount(t, seg); n != 1 {
		t.Errorf("%d mappings are attached while the view is open, want 1", n)
	}
	p.Kill()
	if n := attachCount(t, seg); n != 0 {
		t.Errorf("%d mappings are attached after kill -9", n)
	}
	if v, err := attach(t, seg, nil).Load64(0); v != 42 || err != nil {
		t.Errorf("what it wrote reads as %d, %v", v, err)
	}
}
