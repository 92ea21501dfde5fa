package shmkit_test

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

func TestProtectionPrintsAsInMaps(t *testing.T) {
	for p, want := range map[shmkit.Protection]string{
		0:                                        "---",
		shmkit.Read:                              "r--",
		shmkit.Write:                             "-w-",
		shmkit.Read | shmkit.Write:               "rw-",
		shmkit.Read | shmkit.Exec:                "r-x",
		shmkit.Exec:                              "--x",
		shmkit.Read | shmkit.Write | shmkit.Exec: "rwx",
	} {
		if got := p.String(); got != want {
			t.Errorf("Protection(%d) prints as %q, want %q", p, got, want)
		}
	}
}

func TestMappingTellsWhatItIs(t *testing.T) {
	seg := newSegment(t, 4097)
	m := attach(t, seg, nil)
	if m.Len() != 4097 || len(m.Bytes()) != 4097 {
		t.Errorf("Len %d, len(Bytes) %d, want the size asked for, 4097", m.Len(), len(m.Bytes()))
	}
	if m.Protection() != shmkit.Read|shmkit.Write {
		t.Errorf("protection %v", m.Protection())
	}
	if m.Name() != seg.String() {
		t.Errorf("name %q, the segment is %q", m.Name(), seg)
	}
	if perm, ok := mapped(t, m.Addr()); !ok || perm != "rw-s" {
		t.Errorf("/proc/self/maps shows %q at Addr (found %t), want rw-s", perm, ok)
	}
	if want := fmt.Sprintf("%s at %#x, 4097 bytes, rw-", seg, m.Addr()); m.String() != want {
		t.Errorf("it prints as %q, want %q", m, want)
	}
	ro := attach(t, seg, &sysv.AttachOptions{ReadOnly: true})
	if perm, ok := mapped(t, ro.Addr()); !ok || perm != "r--s" || ro.Protection() != shmkit.Read {
		t.Errorf("read-only: /proc/self/maps shows %q (found %t), Protection is %v", perm, ok, ro.Protection())
	}
}

func TestClosingTwiceIsNoError(t *testing.T) {
	m := newMapping(t, 1)
	if m.Closed() {
		t.Error("closed from the start")
	}
	for i := range 3 {
		if err := m.Close(); err != nil {
			t.Errorf("Close number %d: %v", i+1, err)
		}
		if !m.Closed() {
			t.Errorf("not closed after Close number %d", i+1)
		}
	}
}

func TestCloseUnmapsAndLeavesTheSegment(t *testing.T) {
	seg := newSegment(t, 1)
	m := attach(t, seg, nil)
	if n := attachCount(t, seg); n != 1 {
		t.Errorf("%d mappings are attached, want 1", n)
	}
	if _, err := m.WriteAt([]byte{7}, 0); err != nil {
		t.Fatal(err)
	}
	closeOK(t, m)
	if n := attachCount(t, seg); n != 0 {
		t.Errorf("%d mappings are attached after Close, want 0", n)
	}
	b := []byte{0}
	if _, err := attach(t, seg, nil).ReadAt(b, 0); err != nil || b[0] != 7 {
		t.Errorf("the next mapping reads %d, %v; want the 7 that was written", b[0], err)
	}
}

func TestConcurrentClosesUnmapOnce(t *testing.T) {
	for range 50 {
		seg := newSegment(t, 1)
		m := attach(t, seg, nil)
		other := attach(t, seg, nil)
		start := make(chan struct{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				<-start
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if n := attachCount(t, seg); n != 1 {
			t.Errorf("%d mappings are attached, want the other one only", n)
		}
		closeOK(t, other)
	}
}

func TestEverythingOnAClosedMappingIsRefused(t *testing.T) {
	m := newMapping(t, 64)
	closeOK(t, m)
	buf := make([]byte, 8)
	for op, use := range map[string]func() error{
		"read":             func() error { _, err := m.ReadAt(buf, 0); return err },
		"write":            func() error { _, err := m.WriteAt(buf, 0); return err },
		"load":             func() error { _, err := m.Load32(0); return err },
		"store":            func() error { return m.Store64(0, 1) },
		"add":              func() error { _, err := m.Add32(0, 1); return err },
		"swap":             func() error { _, err := m.Swap64(0, 1); return err },
		"compare and swap": func() error { _, err := m.CompareAndSwap32(0, 0, 1); return err },
		"view":             func() error { _, err := shmkit.View[uint32](m, 0); return err },
		"replace":          func() error { _, err := newSegment(t, 1).Attach(&sysv.AttachOptions{Replace: m}); return err },
	} {
		wantAccessError(t, use(), op, shmkit.ErrClosed)
	}
	if _, err := shmkit.ViewSlice[byte](m, 0, 1); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("ViewSlice: %v, want fs.ErrClosed", err)
	}
	if b := m.Bytes(); b != nil {
		t.Errorf("Bytes gives %d bytes, want nil", len(b))
	}
	if m.Len() != 64 || m.Name() == "" || m.Addr() == 0 {
		t.Error("a closed mapping should still tell what it was")
	}
}

func TestAnErrorOfUnmappingIsReported(t *testing.T) {
	unmapError := errors.New("cannot unmap")
	m := newFailing(t, unmapError)
	if err := m.Close(); !errors.Is(err, unmapError) {
		t.Errorf("Close: %v, want the error of unmapping", err)
	}
	if err := m.Close(); err != nil {
		t.Errorf("second Close: %v, want nil", err)
	}
}
