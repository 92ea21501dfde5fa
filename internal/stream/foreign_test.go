package stream

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// refused joins as a writer and as a reader, which must fail with one of wants and
// a text of one line.
func refused(t *testing.T, key spot, o Options, text string, wants ...error) {
	t.Helper()
	w, werr := OpenWriter(failsafe(t), key.sized(t, o).site(), o)
	r, rerr := OpenReader(failsafe(t), key.sized(t, o).site(), o)
	if werr == nil {
		closeMember(t, w)
	}
	if rerr == nil {
		closeMember(t, r)
	}
	for _, err := range []error{werr, rerr} {
		for _, want := range wants {
			if !errors.Is(err, want) {
				t.Errorf("%v; want %v", err, want)
			}
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), text)) {
			t.Errorf("%q: not one line with %q", err, text)
		}
	}
}

// segmentWith makes a segment by hand, whose first bytes are content.
func segmentWith(t *testing.T, key spot, size int64, content []byte) *sysv.Segment {
	t.Helper()
	seg, err := sysv.Create(key.Key, size, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	m, err := seg.Attach(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.WriteAt(content, 0); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return seg
}

// remove removes what a test made by hand.
func remove(t *testing.T, o interface{ Remove() error }) {
	t.Helper()
	if err := o.Remove(); err != nil {
		t.Error(err)
	}
}

func TestForeignSegmentIsLeftAlone(t *testing.T) {
	big := make([]byte, ringOffset)
	copy(big, "somebody's work")
	inHeader := make([]byte, 256)
	inHeader[64] = 8
	late := make([]byte, ringOffset)
	late[ringOffset-1] = 1
	almost := make([]byte, 8)
	copy(almost, "shmstrm0")
	for name, c := range map[string]struct {
		size    int64
		content []byte
	}{
		"other content":       {ringOffset + MinCapacity, big},
		"content in between":  {ringOffset + MinCapacity, inHeader},
		"content far behind":  {ringOffset + MinCapacity, late},
		"almost the magic":    {ringOffset + MinCapacity, almost},
		"too small":           {ringOffset + MinCapacity - 1, nil},
		"one byte":            {1, nil},
		"small, with content": {100, []byte("hello")},
	} {
		t.Run(name, func(t *testing.T) {
			key := onSysV.spot(t)
			seg := segmentWith(t, key, c.size, c.content)
			refused(t, key, linesSmall, "shmkit rm sysv:", ErrForeign, fs.ErrExist)
			ids := idsUnder(t, key.Key)
			if len(ids) != 1 || ids[0].ID != seg.ID() {
				t.Errorf("there is %v now", ids)
			}
			m, err := seg.Attach(nil)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			got, want := make([]byte, c.size), make([]byte, c.size)
			copy(want, c.content)
			if _, err := m.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
				t.Errorf("its content changed, %v", err)
			}
			if info, err := seg.Stat(); err != nil || info.Attached != 1 {
				t.Errorf("%d attached, %v", info.Attached, err)
			}
			remove(t, seg)
		})
	}
}

func TestBlankSegmentThatSomebodyUsesIsLeftAlone(t *testing.T) {
	key := onSysV.spot(t)
	seg := segmentWith(t, key, ringOffset+MinCapacity, nil)
	m, err := seg.Attach(nil)
	if err != nil {
		t.Fatal(err)
	}
	refused(t, key, linesSmall, "2 attached", ErrForeign)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	// Now nobody does, and it is as good as one of our own.
	joinAndLeave(t, key, linesSmall)
}

func TestBlankSegmentIsTakenAsItIs(t *testing.T) {
	key := onSysV.spot(t)
	seg := segmentWith(t, key, ringOffset+3*MinCapacity, nil)
	r := openReader(t, key, linesSmall)
	if sysvOf(r.member).seg.ID() != seg.ID() || r.capacity != 3*MinCapacity {
		t.Errorf("segment %d with a ring of %d", sysvOf(r.member).seg.ID(), r.capacity)
	}
	joinOther := openReader(t, key, linesSmall)
	if joinOther.capacity != 3*MinCapacity {
		t.Errorf("the second has a ring of %d", joinOther.capacity)
	}
	closeMember(t, joinOther)
	closeMember(t, r)
	nothingUnder(t, key)
}

func TestForeignSemaphoreSetIsLeftAlone(t *testing.T) {
	for _, n := range []int{1, semCount - 1, semCount + 1} {
		key := onSysV.spot(t)
		set, err := sysv.CreateSemaphores(key.Key, n, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err := set.SetValue(0, 7); err != nil {
			t.Fatal(err)
		}
		refused(t, key, linesSmall, "choose another key", ErrForeign)
		if v, err := set.Value(0); v != 7 || err != nil {
			t.Errorf("its value is %d now, %v", v, err)
		}
		if ids := idsUnder(t, key.Key); len(ids) != 1 {
			t.Errorf("there is %v now", ids)
		}
		remove(t, set)
	}
}

func TestStreamOfOtherContentIsRefusedWhileInUse(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
		refused(t, key, filesAny, "lines (write, read)", ErrContent)
		put(t, w, "still here")
		if got := next(t, r); got != "still here" {
			t.Errorf("%q", got)
		}
		closeMember(t, w)
		closeMember(t, r)
		joinAndLeave(t, key, filesAny)
	})
}

func TestStreamOfOtherVersionIsRefusedWhileInUse(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r := openReader(t, key, linesSmall)
		r.h.version.Store(version + 1)
		refused(t, key, linesSmall, "version 2", ErrVersion)
		r.h.version.Store(version)
		closeMember(t, openReader(t, key, linesSmall))
	})
}

func TestHeaderThatContradictsTheSegmentIsCorrupt(t *testing.T) {
	key := onSysV.spot(t)
	r := openReader(t, key, linesSmall)
	r.h.capacity.Add(8)
	refused(t, key, linesSmall, "bytes and", ErrCorrupt)
	r.h.capacity.Add(^uint64(7))
	r.h.slots.Store(7)
	refused(t, key, linesSmall, "7 slots", ErrCorrupt)
	r.h.slots.Store(MaxReaders)
	r.h.semID.Add(1)
	refused(t, key, linesSmall, "do not belong together", ErrBroken)
	r.h.semID.Add(^uint32(0))
	closeMember(t, openReader(t, key, linesSmall))
}

func TestSegmentRemovedUnderItsUsers(t *testing.T) {
	key := onSysV.spot(t)
	r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
	remove(t, sysvOf(r.member).seg)
	// They have what they need.
	put(t, w, "x")
	if got := next(t, r); got != "x" {
		t.Errorf("%q", got)
	}
	refused(t, key, linesSmall, "segment was removed", ErrBroken)
	closeMember(t, w)
	closeMember(t, r)
	joinAndLeave(t, key, linesSmall)
}

func TestSetRemovedUnderItsUsers(t *testing.T) {
	key := onSysV.spot(t)
	o := linesSmall
	r, w := openReader(t, key, o), openWriter(t, key, o)
	idle := openReader(t, key, o)
	ended := make(chan error, 1)
	go func() {
		_, err := r.Next(failsafe(t))
		ended <- err
	}()
	testenv.Eventually(t, "the reader sleeps", func() bool { return r.slots[r.index].sleeping.Load() == asleep })
	remove(t, sysvOf(r.member).sem)
	if err := <-ended; !errors.Is(err, ErrBroken) {
		t.Errorf("a reader that slept: %v", err)
	}
	ctx := failsafe(t)
	_, nextErr := idle.Next(ctx)
	_, writeErr := w.WriteLines(ctx, strings.NewReader("x\n"))
	_, readersErr := w.Readers()
	for what, err := range map[string]error{
		"next": nextErr, "write lines": writeErr, "readers": readersErr,
		"wait for readers": w.WaitReaders(ctx, 3), "begin": w.Begin(ctx),
	} {
		if !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", what, err)
		}
	}

	// Others begin anew meanwhile, and do not notice how the old ones leave.
	r2, w2 := openReader(t, key, o), openWriter(t, key, o)
	closeMember(t, w)
	closeMember(t, r)
	closeMember(t, idle)
	put(t, w2, "new")
	if got := next(t, r2); got != "new" {
		t.Errorf("%q", got)
	}
	closeMember(t, w2)
	closeMember(t, r2)
	nothingUnder(t, key)
}

func TestSetRemovedAndNobodyCameAfter(t *testing.T) {
	key := onSysV.spot(t)
	r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
	remove(t, sysvOf(r.member).sem)
	closeMember(t, w)
	closeMember(t, r)
	nothingUnder(t, key)
}

func TestSetRemovedInATurn(t *testing.T) {
	key := onSysV.spot(t)
	r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
	if err := w.Begin(failsafe(t)); err != nil {
		t.Fatal(err)
	}
	remove(t, sysvOf(w.member).sem)
	var err error
	for err == nil { // until it has to ask for space
		err = w.Put(failsafe(t), Line, payload(0, 1000))
	}
	if !errors.Is(err, ErrBroken) {
		t.Errorf("put: %v", err)
	}
	if err := w.End(); !errors.Is(err, ErrBroken) {
		t.Errorf("end: %v", err)
	}
	closeMember(t, w)
	closeMember(t, r)
	nothingUnder(t, key)
}

func TestStreamRemovedByHand(t *testing.T) {
	key := onSysV.spot(t)
	r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
	seg, err := sysv.Open(key.Key)
	if err != nil {
		t.Fatal(err)
	}
	set := Companion(seg)
	if set == nil || set.ID() != sysvOf(r.member).sem.ID() {
		t.Fatalf("the set that belongs to the segment: %v", set)
	}
	remove(t, seg)
	remove(t, set)
	nothingUnder(t, key)
	if _, err := r.Next(failsafe(t)); !errors.Is(err, ErrBroken) {
		t.Error(err)
	}
	closeMember(t, w)
	closeMember(t, r)
}

func TestCompanionIsForStreamsOnly(t *testing.T) {
	key := onSysV.spot(t)
	seg := segmentWith(t, key, ringOffset+MinCapacity, nil)
	set, err := sysv.CreateSemaphores(key.Key, semCount, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if got := Companion(seg); got != nil {
		t.Errorf("of a blank segment: %v", got)
	}
	remove(t, seg)
	seg = segmentWith(t, key, ringOffset+MinCapacity, []byte("foreign"))
	if got := Companion(seg); got != nil {
		t.Errorf("of a foreign segment: %v", got)
	}
	remove(t, seg)
	remove(t, set)
	r := openReader(t, key, linesSmall)
	r.h.semID.Add(1)
	if got := Companion(sysvOf(r.member).seg); got != nil {
		t.Errorf("of a segment that has another set: %v", got)
	}
	r.h.semID.Add(^uint32(0))
}

func TestWrongOptions(t *testing.T) {
	for name, c := range map[string]struct {
		key  spot
		o    Options
		want error
	}{
		"no key":         {spot{Terrain: string(onSysV), Key: sysv.Private}, linesSmall, fs.ErrInvalid},
		"ring too small": {onSysV.spot(t), Options{Content: Lines, Capacity: MinCapacity - 1}, fs.ErrInvalid},
		"ring too large": {onSysV.spot(t), Options{Content: Lines, Capacity: MaxCapacity + 1}, fs.ErrInvalid},
		"negative ring":  {onSysV.spot(t), Options{Content: Lines, Capacity: -1}, fs.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) { refused(t, c.key, c.o, "", c.want) })
	}
}

func TestCancelledJoinLeavesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := OpenWriter(ctx, key.sized(t, linesSmall).site(), linesSmall); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		nothingUnder(t, key)
	})
}

func TestJoinGivesUpWaitingForLock(t *testing.T) {
	key := onSysV.spot(t)
	set, err := sysv.CreateSemaphores(key.Key, semCount, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody holds lock, and is slow.
	if err := set.TryOp(sysv.Post(semLock)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(failsafe(t), tick)
	defer cancel()
	if _, err := OpenReader(ctx, key.site(), linesSmall); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	if ids := idsUnder(t, key.Key); len(ids) != 1 {
		t.Errorf("the set is not left to who has lock: %v", ids)
	}
	if err := set.TryOp(sysv.Wait(semLock)); err != nil {
		t.Fatal(err)
	}
	joinAndLeave(t, key, linesSmall)
}

func TestOtherUsersNeedPermission(t *testing.T) {
	nobody := &testenv.StartOptions{Credential: testenv.Nobody(t)}
	key := onSysV.spot(t)
	r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
	failsFor := func(what string) {
		t.Helper()
		before := idsUnder(t, key.Key)
		for _, role := range []string{"writer", "reader"} {
			p := startWith(t, nobody, role, part{At: key, Content: Lines})
			if code := p.ExitCode(); code != 1 || !strings.Contains(p.Stderr(), "permission denied") || strings.Count(p.Stderr(), "\n") != 1 {
				t.Errorf("%s: exit code %d: %s", what, code, p.Stderr())
			}
		}
		if diff := cmp.Diff(before, idsUnder(t, key.Key)); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	setModes := func(seg, sem fs.FileMode) {
		t.Helper()
		if err := several(sysvOf(r.member).seg.SetMode(seg), sysvOf(r.member).sem.SetMode(sem)); err != nil {
			t.Fatal(err)
		}
	}
	failsFor("mode 0600")
	setModes(0o666, 0o600)
	failsFor("the set alone is closed")
	setModes(0o666, 0o644)
	failsFor("the set may be read")
	setModes(0o600, 0o666)
	failsFor("the segment alone is closed")
	setModes(0o644, 0o666)
	failsFor("the segment may be read")
	if v, err := sysvOf(r.member).sem.Value(semLock); v != 0 || err != nil {
		t.Errorf("lock is %d, %v", v, err)
	}

	setModes(0o666, 0o666)
	p := startWith(t, nobody, "writer", part{At: key, Content: Lines, Mode: 0o666, Tag: "n", Count: 2, Longest: 10})
	if err := p.Wait(); err != nil {
		t.Fatalf("%v: %s", err, p.Stderr())
	}
	closeMember(t, w)
	if got := readAll(t, r); got != linesOf("n", 0, 2, 10) {
		t.Errorf("%q", got)
	}
}

// Who is last and may not remove the stream leaves it, without an error, and can
// use it again.
func TestLastUserThatMayNotRemoveTheStream(t *testing.T) {
	nobody := &testenv.StartOptions{Credential: testenv.Nobody(t)}
	key := onSysV.spot(t)
	o := linesSmall
	o.Mode = 0o666
	w := openWriter(t, key, o)
	its := part{At: key, Content: Lines, Capacity: MinCapacity, Mode: 0o666, Tag: "n", Count: 3, Longest: 50}
	p := its
	p.Hold = true
	last := startWith(t, nobody, "reader", p)
	last.Expect("joined")
	put(t, w, lineOf("w", 0, 50), lineOf("w", 1, 50), lineOf("w", 2, 50))
	closeMember(t, w)
	last.Send("go")
	if err := last.Wait(); err != nil {
		t.Fatalf("the last one: %v: %s", err, last.Stderr())
	}
	if n := len(idsUnder(t, key.Key)); n != 2 {
		t.Fatalf("%d objects are left", n)
	}
	for range 2 {
		again := startWith(t, nobody, "writer", its)
		if err := again.Wait(); err != nil {
			t.Fatalf("again: %v: %s", err, again.Stderr())
		}
	}
	joinAndLeave(t, key, filesAny)
}
