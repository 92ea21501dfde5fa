package object

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
)

// image makes a persistent object that nobody has open, and returns its file.
func image(t testing.TB, d Dir) (path string, content []byte) {
	t.Helper()
	c := small()
	c.Persistent = true
	o, err := Create(ctx, d, "x", c)
	if err != nil {
		t.Fatal(err)
	}
	path = o.place.path
	closeOK(t, o)
	content, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

// typed fails unless an error is one that a caller can tell apart, and came by itself.
func typed(t testing.TB, err error) {
	t.Helper()
	var fault *shmkit.FaultError
	for _, e := range []error{ErrCorrupt, ErrVersion, ErrType, ErrForeign, ErrFull, fs.ErrNotExist} {
		if errors.Is(err, e) {
			return
		}
	}
	if err == nil || !errors.As(err, &fault) {
		t.Errorf("an error without a type: %v", err)
	}
}

// tryHostile opens, looks at, and removes what stands in a file. Nothing may panic, hang, or
// write if the object is refused.
func tryHostile(t testing.TB, d Dir, path string, content []byte) (openErr error) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, testenv.Failsafe)
	defer cancel()
	if i, err := Look(d, Struct, "x", nil); err != nil {
		t.Errorf("Look: %v", err)
	} else if i.Err != nil {
		typed(t, i.Err)
	}
	o, err := Open(ctx, d, "x", small())
	if err != nil {
		typed(t, err)
		if now, e := os.ReadFile(path); e == nil && !bytes.Equal(now, content) && !errors.Is(err, ErrFull) {
			t.Errorf("refused (%v), and written to", err)
		}
	} else {
		for slot := -1; slot <= o.members; slot++ {
			o.Dead(slot, 1)
			o.Could(slot, math.MaxUint32)
		}
		if _, err := o.Sweep(); err != nil {
			typed(t, err)
		}
		closeOK(t, o)
	}
	if e := Remove(d, Struct, "x"); e != nil && !errors.Is(e, fs.ErrNotExist) {
		t.Errorf("what is broken cannot be removed: %v", e)
	}
	return err
}

// words32 and words64 are offsets of header fields that somebody may have written anything to.
var (
	words32 = map[string]int{"major": 8, "minor": 12, "ready": 16, "kind": 20, "flags": 72, "members": 76, "stride": 80, "highest": 512}
	words64 = map[string]int{"magic": 0, "size": 24, "created": 48, "body": 88, "bodysize": 96, "fingerprint": 104, "config": 128, "annex": 520}
)

func TestEveryHeaderWordMayBeHostile(t *testing.T) {
	d := newDir(t)
	path, good := image(t, d)
	for name, at := range words32 {
		for _, v := range []uint32{0, 1, 2, 63, 64, 1024, 1025, 1 << 20, 1<<31 - 1, 1 << 31, math.MaxUint32} {
			bad := bytes.Clone(good)
			binary.NativeEndian.PutUint32(bad[at:], v)
			t.Run(fmt.Sprintf("%s=%#x", name, v), func(t *testing.T) { tryHostile(t, d, path, bad) })
		}
	}
	for name, at := range words64 {
		for _, v := range []uint64{0, 1, 4095, 4096, 8192, uint64(len(good)) - 1, uint64(len(good)), uint64(len(good)) + 1, 1 << 40, 1 << 63, math.MaxUint64, math.MaxUint64 - 4095} {
			bad := bytes.Clone(good)
			binary.NativeEndian.PutUint64(bad[at:], v)
			t.Run(fmt.Sprintf("%s=%#x", name, v), func(t *testing.T) { tryHostile(t, d, path, bad) })
		}
	}
	for slot := range small().Members {
		for _, v := range []uint32{stateLive, 3, ident(MaxGeneration, stateLive), ident(MaxGeneration, stateFree), ident(MaxGeneration+1, stateLive), math.MaxUint32} {
			bad := bytes.Clone(good)
			binary.NativeEndian.PutUint32(bad[headerSize+slot*small().Stride:], v)
			t.Run(fmt.Sprintf("ident of %d=%#x", slot, v), func(t *testing.T) { tryHostile(t, d, path, bad) })
		}
	}
	bad := bytes.Clone(good)
	for i := range typeName {
		bad[256+i] = 'x'
	}
	if err := tryHostile(t, d, path, bad); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a type name without an end: %v", err)
	}
	for _, n := range []int{0, 1, 575, 4095, 4096, len(good) - 1, len(good) + 1} {
		bad := append(bytes.Clone(good), 0)[:n]
		if err := tryHostile(t, d, path, bad); err == nil {
			t.Errorf("opened with %d of %d bytes", n, len(good))
		}
	}
}

func TestCorruptionHasItsName(t *testing.T) {
	d := newDir(t)
	path, good := image(t, d)
	for _, c := range []struct {
		name string
		at   int
		v    uint32
		want error
	}{
		{"no magic", 0, 0, ErrForeign},
		{"another major", 8, 2, ErrVersion},
		{"never ready", 16, 0, ErrCorrupt},
		{"another kind", 20, 2, ErrType},
		{"a kind nobody knows", 20, 99, ErrType},
		{"another size", 24, 4096, ErrCorrupt},
		{"too many members", 76, 5000, ErrCorrupt},
		{"no members", 76, 0, ErrCorrupt},
		{"an odd stride", 80, 100, ErrCorrupt},
		{"another body", 88, 0, ErrCorrupt},
		{"a body behind the end", 96, 1 << 30, ErrCorrupt},
		{"more in use than there are", 512, 5, ErrCorrupt},
		{"a state that is none", headerSize, 7, ErrCorrupt},
		{"a member of no generation", headerSize, stateLive, ErrCorrupt},
		{"a member of a generation there is not", headerSize, ident(MaxGeneration+1, stateLive), ErrCorrupt},
	} {
		bad := bytes.Clone(good)
		binary.NativeEndian.PutUint32(bad[c.at:], c.v)
		if err := tryHostile(t, d, path, bad); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// What a living member's peers write into the words it reads is not believed.
func TestWordsChangedUnderALivingMember(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", small())
	for _, v := range []uint32{0, 3, 7, stateLive, ident(MaxGeneration+1, stateLive), math.MaxUint32} {
		for slot := 1; slot < o.members; slot++ {
			o.record(slot).ident.Store(v)
			o.h.highest.Store(v)
			if h := o.Highest(); h > o.members {
				t.Errorf("%d of %d slots in use", h, o.members)
			}
			generation, _ := unpack(v)
			if !o.Dead(slot, generation) {
				t.Errorf("slot %d, word %#x: nobody holds its lifeline, and it is alive", slot, v)
			}
			if _, err := o.Sweep(); err != nil {
				typed(t, err)
			}
			if p, err := Open(ctx, d, "x", small()); err != nil {
				typed(t, err)
			} else {
				closeOK(t, p)
			}
			o.record(slot).ident.Store(0)
			o.h.highest.Store(1)
		}
	}
	if o.Dead(o.slot, o.gen) {
		t.Error("this one is dead")
	}
}

func TestTruncationUnderAMember(t *testing.T) {
	d := newDir(t)
	var fault *shmkit.FaultError
	o, err := OpenOrCreate(ctx, d, "x", small())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(o.place.path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Sweep(); !errors.As(err, &fault) {
		t.Errorf("Sweep: %v", err)
	}
	if _, err := Open(ctx, d, "x", small()); !errors.Is(err, ErrForeign) {
		t.Errorf("Open: %v", err)
	}
	if err := o.Close(); err != nil && !errors.As(err, &fault) {
		t.Errorf("Close: %v", err)
	}
	if err := Remove(d, Struct, "x"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove: %v", err)
	}
}

// The file is cut off between the check and the record of who joins.
func TestTruncationUnderAJoiner(t *testing.T) {
	d := newDir(t)
	o, err := OpenOrCreate(ctx, d, "x", small())
	if err != nil {
		t.Fatal(err)
	}
	was := point
	t.Cleanup(func() { point = was })
	point = func(name string) {
		if name == "join:byte" {
			if err := os.Truncate(o.place.path, 0); err != nil {
				t.Error(err)
			}
		}
	}
	var fault *shmkit.FaultError
	if _, err := Open(ctx, d, "x", small()); !errors.As(err, &fault) {
		t.Errorf("Open: %v", err)
	}
	point = was
	if err := o.Close(); err != nil && !errors.As(err, &fault) {
		t.Errorf("Close: %v", err)
	}
	if err := Remove(d, Struct, "x"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove: %v", err)
	}
}

// FuzzObject opens whatever stands in header and records.
func FuzzObject(f *testing.F) {
	d := newDir(f)
	path, good := image(f, d)
	f.Cleanup(func() { // the process that directs the fuzzing tries nothing itself, which would remove it
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			f.Error(err)
		}
	})
	f.Add(good[:576], good[headerSize:headerSize+256])
	f.Add(bytes.Repeat([]byte{0xff}, 576), []byte{7})
	f.Add(good[:100], bytes.Repeat([]byte{0xff}, 4*128))
	f.Fuzz(func(t *testing.T, header, records []byte) {
		bad := bytes.Clone(good)
		copy(bad[:headerSize], header)
		copy(bad[headerSize:headerSize+4*128], records)
		tryHostile(t, d, path, bad)
	})
}

// A file with holes is refused before anything of it is made present: a header that says
// so itself could otherwise fill all memory.
func TestHolesAreNotFilled(t *testing.T) {
	d := newDir(t)
	path, good := image(t, d)
	for _, size := range []uint64{headerSize, uint64(len(good)) + 1<<20, 1 << 39, maxSize} {
		for _, honest := range []bool{false, true} {
			if err := errors.Join(os.WriteFile(path, good, 0o600), os.Truncate(path, int64(size))); err != nil {
				t.Fatal(err)
			}
			if honest {
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, size), 24)
				if err := errors.Join(err, f.Close()); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := Open(ctx, d, "x", small()); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%d bytes, honest %t: %v", size, honest, err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := info.Sys().(*syscall.Stat_t).Blocks * 512; n > int64(len(good)) {
				t.Fatalf("%d bytes, honest %t: %d are present, were %d", size, honest, n, len(good))
			}
		}
	}
	if err := Remove(d, Struct, "x"); err != nil {
		t.Error(err)
	}
}
