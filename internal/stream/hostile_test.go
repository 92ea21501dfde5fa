package stream

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

// A hostile peer may store what it likes where it likes. Whoever meets that gets
// data, an end, ErrCorrupt or the end of its context; it does not panic, hang, or
// touch what is not the stream's.

// hostilePatience bounds each thing a victim tries: what waits for ever then ends.
const hostilePatience = 2 * time.Millisecond

// places are the words worth changing, with their sizes.
var places = []struct {
	off  int64
	size int
}{
	{0, 8}, {8, 4}, {12, 4}, {16, 8}, {24, 4}, {28, 4}, // magic … slots
	{64, 8}, {128, 8}, {192, 8}, {256, 8}, {264, 4}, {320, 8}, {384, 4}, // tail … highest
	{slotsOffset, 8}, {slotsOffset + 8, 8}, {slotsOffset + 16, 4},
	{slotsOffset + 64, 8}, {slotsOffset + 72, 8}, {slotsOffset + 80, 4},
	{slotsOffset + 999*64, 8}, {slotsOffset + 999*64 + 16, 4},
	{ringOffset, 4}, {ringOffset + 4, 4}, {ringOffset + 8, 4}, {ringOffset + 12, 4},
	{ringOffset + 16, 8}, {ringOffset + 24, 8}, {ringOffset + 2048, 4}, {ringOffset + 2052, 4},
	{ringOffset + MinCapacity - 8, 4}, {ringOffset + MinCapacity - 4, 4},
}

// values are those that bounds stand next to.
var values = []uint64{
	0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 24, 32, 64, 2032, 2040, 2048, 4088, 4096, 4104, 8192, 65536,
	MaxReaders, MaxReaders + 1, 1<<31 - 1, 1 << 31, 1<<32 - 8, 1<<32 - 1, 1 << 32, 1 << 46, 1<<48 - 8,
	1<<63 - 1, 1 << 63, ^uint64(0) - 4095, ^uint64(0) - 8, ^uint64(0) - 7, ^uint64(0), magic,
}

// change is what the peer stores where.
type change struct {
	place int
	value uint64
}

// apply stores it. A word past the end of a smaller segment is left out.
func (c change) apply(m *shmkit.Mapping) {
	p := places[c.place%len(places)]
	if p.size == 8 {
		_ = m.Store64(p.off, c.value)
	} else {
		_ = m.Store32(p.off, uint32(c.value))
	}
}

// changesOf reads changes from bytes: 3 bytes each name a place and one of the
// values, or 10 a place and any value.
func changesOf(b []byte) []change {
	var all []change
	for len(b) >= 3 && len(all) < 64 {
		c := change{place: int(b[0] &^ 0x80)}
		if b[0]&0x80 == 0 {
			c.value = values[(int(b[1])|int(b[2])<<8)%len(values)]
			b = b[3:]
		} else {
			if len(b) < 10 {
				break
			}
			c.value = binary.LittleEndian.Uint64(b[2:])
			b = b[10:]
		}
		all = append(all, c)
	}
	return all
}

// suffer lets victims work on a stream that is changed before, and between what
// they do, and meanwhile if concurrently.
func suffer(t *testing.T, key spot, content Content, changes []change, concurrently bool) {
	t.Helper()
	o := Options{Content: content, Capacity: MinCapacity}
	r, w := openReader(t, key, o), openWriter(t, key, o)
	m := another(t, r.member)
	defer m.Close()
	if content == Lines {
		put(t, w, "one", strings.Repeat("x", 100))
	} else {
		putFile(t, w,
			struct {
				kind Kind
				data []byte
			}{FileBegin, FileInfo{Name: "x", Size: 5}.marshal()},
			struct {
				kind Kind
				data []byte
			}{FileData, []byte("hello")})
	}

	stop := make(chan struct{})
	var peer sync.WaitGroup
	if concurrently {
		peer.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, c := range changes {
					c.apply(m)
				}
			}
		})
	}
	for i, act := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := r.Next(ctx); return err },
		func(ctx context.Context) error { _, err := w.WriteLines(ctx, strings.NewReader("a\nb\n")); return err },
		func(ctx context.Context) error { _, err := r.ReadLines(ctx, io.Discard, 0); return err },
		func(ctx context.Context) error {
			_, err := w.SendFile(ctx, strings.NewReader(strings.Repeat("x", 3000)), FileInfo{Size: 3000}, nil)
			return err
		},
		func(ctx context.Context) error { _, err := r.ReceiveFile(ctx, &sink{}, nil); return err },
		func(ctx context.Context) error { return joinAnd(ctx, key, o) },
	} {
		for _, c := range changes {
			c.apply(m)
		}
		ctx, cancel := context.WithTimeout(context.Background(), hostilePatience)
		err := act(ctx)
		cancel()
		if !bearable(err) {
			t.Errorf("act %d: %v\nafter %v", i, err, changes)
		}
	}
	close(stop)
	peer.Wait()
	closeMember(t, w)
	closeMember(t, r)
}

// joinAnd joins, does something, and leaves.
func joinAnd(ctx context.Context, key spot, o Options) error {
	r, err := OpenReader(ctx, key.site(), o)
	if err != nil {
		return err
	}
	_, err = r.Next(ctx)
	return several(err, r.Close())
}

// bearable reports whether a victim may end with err.
func bearable(err error) bool {
	for _, ok := range []error{
		io.EOF, ErrCorrupt, ErrForeign, ErrContent, ErrVersion, ErrBroken, ErrTooLong, ErrIncomplete,
		ErrMismatch, ErrNoReceiver, context.DeadlineExceeded,
	} {
		if errors.Is(err, ok) {
			return true
		}
	}
	return err == nil
}

// TestEveryWordHoldsNonsense tries every value in every place.
func TestEveryWordHoldsNonsense(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, on terrain) {
		t.Parallel()
		key, rng := on.spot(t), rand.New(rand.NewPCG(1, 2))
		for place := range places {
			for _, value := range values {
				switch few := testing.Short() || underRace; {
				case os.Getenv("SHMKIT_SOAK") == "1":
				case few && rng.IntN(10) > 0, rng.IntN(3) > 0, on != onSysV && rng.IntN(3) > 0:
					continue
				}
				content := Content(1 + rng.IntN(2))
				suffer(t, key, content, []change{{place, value}}, rng.IntN(4) == 0)
				if t.Failed() {
					t.Fatalf("place %d, value %#x, content %v", place, value, content)
				}
			}
		}
	})
}

// TestManyWordsHoldNonsense is the fuzz target's body on random input.
func TestManyWordsHoldNonsense(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, on terrain) {
		t.Parallel()
		rounds := 100
		switch {
		case os.Getenv("SHMKIT_SOAK") == "1":
			rounds = 20_000
		case testing.Short(), underRace:
			rounds = 40
		}
		key, rng := on.spot(t), rand.NewChaCha8([32]byte{1})
		for range rounds {
			b := make([]byte, 3+rng.Uint64()%60)
			_, _ = rng.Read(b)
			sufferBytes(t, key, b)
			if t.Failed() {
				t.Fatalf("input %x", b)
			}
		}
	})
}

func sufferBytes(t *testing.T, key spot, b []byte) {
	t.Helper()
	if len(b) == 0 {
		return
	}
	suffer(t, key, Content(1+b[0]&1), changesOf(b[1:]), b[0]&2 != 0)
}

func FuzzHostileWords(f *testing.F) {
	for place := range places {
		for _, value := range []byte{0, 8, 30, 36} {
			f.Add([]byte{byte(place + int(value)), byte(place), value, 0})
		}
	}
	f.Add([]byte{2, 6, 20, 0, 21, 24, 0, 22, 1, 0})                    // tail moves on, over pads
	f.Add([]byte{0, 0x86, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7, 36, 0, 13}) // any value
	f.Fuzz(func(t *testing.T, b []byte) {
		on := []terrain{onSysV, onName, onMemfd}[len(b)%3]
		sufferBytes(t, on.spot(t), b)
	})
}

// A peer that pads for ever does not hold a reader beyond its context, nor longer
// than the ring.
func TestPadsWithoutEndAreCorrupt(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r := openReader(t, key, linesSmall)
		for at := uint64(0); at < r.capacity; at += 8 {
			putHeader(r.ring[at:], 0, pad)
		}
		r.h.tail.Store(r.capacity)
		if _, err := r.Next(failsafe(t)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v", err)
		}
	})
}

// A lying record does not reach beyond what was committed.
func TestRecordLongerThanCommittedIsCorrupt(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, n := range []uint32{9, 16, MinCapacity, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
			key := on.spot(t)
			r := openReader(t, key, linesSmall)
			binary.NativeEndian.PutUint32(r.ring, n)
			binary.NativeEndian.PutUint32(r.ring[4:], uint32(Line))
			r.h.tail.Store(16)
			if _, err := r.Next(failsafe(t)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	})
}

// nonsense sets all semaphores by hand.
func nonsense(t *testing.T, s *sysv.SemaphoreSet, value func(i int) int) {
	t.Helper()
	all := make([]int, semCount)
	for i := range all {
		all[i] = value(i)
	}
	if err := s.SetValues(all); err != nil {
		t.Fatal(err)
	}
}

func TestSemaphoresHoldNonsense(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	patience := leavePatience
	leavePatience = hostilePatience
	defer func() { leavePatience = patience }()
	fixed := map[string]func(int) int{
		"all zero":        func(int) int { return 0 },
		"all one":         func(int) int { return 1 },
		"all full":        func(int) int { return sysv.MaxSemaphoreValue },
		"lock taken":      func(i int) int { return map[int]int{semLock: 1, semWriters: 1, semReaders: 1, semAlive: 1}[i] },
		"lock above one":  func(i int) int { return map[int]int{semLock: 9, semWriters: 1, semReaders: 1, semAlive: 1}[i] },
		"turn taken":      func(i int) int { return map[int]int{semTurn: 3, semWriters: 1, semReaders: 1, semAlive: 1}[i] },
		"ghosts":          func(i int) int { return map[int]int{semWriters: 50, semReaders: 90}[i] },
		"nobody lives":    func(i int) int { return map[int]int{semWriters: 1, semReaders: 1}[i] },
		"all slots taken": func(i int) int { return map[bool]int{true: 1}[i >= semAlive && i < semData] },
	}
	for range 10 {
		seed := rng.Uint64()
		fixed[time.Duration(seed%1e9).String()] = func(i int) int {
			return int(rand.New(rand.NewPCG(seed, uint64(i))).Uint64() >> 40 % (sysv.MaxSemaphoreValue + 1) >> (seed % 16))
		}
	}
	for name, value := range fixed {
		t.Run(name, func(t *testing.T) {
			key := onSysV.spot(t)
			o := linesSmall
			r, err := OpenReader(failsafe(t), key.site(), o)
			if err != nil {
				t.Fatal(err)
			}
			w, err := OpenWriter(failsafe(t), key.site(), o)
			if err != nil {
				t.Fatal(err)
			}
			nonsense(t, sysvOf(r.member).sem, value)
			ctx, cancel := context.WithTimeout(context.Background(), hostilePatience)
			defer cancel()
			for what, act := range map[string]func() error{
				"write":  func() error { _, err := w.WriteLines(ctx, strings.NewReader(linesOf("w", 0, 100, 100))); return err },
				"read":   func() error { _, err := r.ReadLines(ctx, io.Discard, 0); return err },
				"await":  func() error { return w.WaitReaders(ctx, 3) },
				"rejoin": func() error { return joinAnd(ctx, key, o) },
			} {
				err := act()
				if err == nil || bearable(err) || errors.Is(err, ErrFull) || errors.Is(err, sysv.ErrWouldBlock) || strings.Contains(err.Error(), "32767") {
					continue
				}
				t.Errorf("%s: %v", what, err)
			}
			// Whatever they say, they end.
			for _, err := range []error{w.Close(), r.Close()} {
				if err != nil && (strings.Contains(err.Error(), "\n") || !errors.Is(err, ErrBusy) && !errors.Is(err, ErrCorrupt)) {
					t.Error(err)
				}
			}
			key.clear(t)
		})
	}
}

// Who leaves while somebody holds lock and is stopped, leaves as the dead do.
func TestLeavingWhileLockIsHeldForLong(t *testing.T) {
	patience := leavePatience
	leavePatience = hostilePatience
	defer func() { leavePatience = patience }()
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
		if err := r.lock(failsafe(t)); err != nil {
			t.Fatal(err)
		}
		err := w.Close()
		if !errors.Is(err, ErrBusy) || on == onSysV && !strings.Contains(err.Error(), "process ") || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
		if some, err := r.hasWriters(); some || err != nil {
			t.Errorf("writers: %t, %v", some, err)
		}
		if err := r.unlock(); err != nil {
			t.Fatal(err)
		}
		closeMember(t, r)
		nothingUnder(t, key)
	})
}
