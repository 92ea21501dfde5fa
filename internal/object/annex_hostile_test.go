package object

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
)

// persistentPair makes a persistent object of two files that nobody has open.
func persistentPair(t testing.TB, d Dir) (path, annex string) {
	t.Helper()
	c := twoFiles()
	c.Persistent = true
	o, err := Create(ctx, d, "x", c)
	if err != nil {
		t.Fatal(err)
	}
	closeOK(t, o)
	return o.Path(), o.AnnexPath()
}

func inPlace(put func(path string) error) func(string) error {
	return func(path string) error { return errors.Join(os.Remove(path), put(path)) }
}

// What stands in a second file's place is refused when it is mapped, without being changed, and
// is no obstacle to removing the object. What was not made with it stays.
func TestWhatIsNoSecondFileIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		put   func(path string) error
		want  error
		stays bool
	}{
		"symlink":     {inPlace(func(p string) error { return os.Symlink("/etc/passwd", p) }), ErrForeign, true},
		"directory":   {inPlace(func(p string) error { return os.Mkdir(p, 0o700) }), ErrForeign, true},
		"FIFO":        {inPlace(func(p string) error { return syscall.Mkfifo(p, 0o600) }), ErrForeign, true},
		"empty":       {func(p string) error { return os.Truncate(p, 0) }, ErrCorrupt, false},
		"too small":   {func(p string) error { return os.Truncate(p, annexSize-1) }, ErrCorrupt, false},
		"too large":   {func(p string) error { return os.Truncate(p, annexSize+1) }, ErrCorrupt, false},
		"holes":       {func(p string) error { return errors.Join(os.Truncate(p, 0), os.Truncate(p, annexSize)) }, ErrCorrupt, false},
		"much larger": {func(p string) error { return os.Truncate(p, 1<<39) }, ErrCorrupt, false},
		"hard link": {func(p string) error {
			return os.Link(p, filepath.Join(filepath.Dir(p), "another"))
		}, ErrForeign, false},
		"another user's": {func(p string) error { return os.Chown(p, 65534, 65534) }, ErrForeign, true},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another user's" {
				testenv.RequireRoot(t)
			}
			d := newDir(t)
			path, annex := persistentPair(t, d)
			if err := c.put(annex); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(annex)
			if err != nil {
				t.Fatal(err)
			}
			o, err := Open(ctx, d, "x", twoFiles())
			if err != nil {
				t.Fatal(err)
			}
			for _, write := range []bool{false, true} {
				if _, _, err := o.Annex(write); !errors.Is(err, c.want) || !strings.Contains(err.Error(), "second file") {
					t.Errorf("%v, want %v", err, c.want)
				}
			}
			shown := false
			i, err := Look(d, Struct, "x", func(i *Info, _ *shmkit.Mapping, _ int64) error {
				shown = i.AnnexMapping != nil
				return nil
			})
			foreigner := name == "another user's" // of whom Look tells all the same
			if err != nil || i.Err != nil || shown != foreigner || !foreigner && !errors.Is(i.AnnexErr, c.want) {
				t.Errorf("Look: %+v, %v, shown %t", i, err, shown)
			}
			closeOK(t, o)
			after, err := os.Lstat(annex)
			if err != nil || !os.SameFile(before, after) || after.Size() != before.Size() ||
				after.Sys().(*syscall.Stat_t).Blocks != before.Sys().(*syscall.Stat_t).Blocks {
				t.Errorf("it was touched: %v, %v", after, err)
			}
			if err := Remove(d, Struct, "x"); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the object: %v", err)
			}
			if _, err := os.Lstat(annex); (err == nil) != c.stays {
				t.Errorf("stays %t: %v", c.stays, err)
			}
			_ = os.Remove(annex)
			_ = os.Remove(filepath.Join(d.path, "another"))
		})
	}
}

// Without its second file an object is corrupt while anybody lives, and then nothing that is
// kept for the next one.
func TestASecondFileThatIsGone(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"plain":      func(*Config) {},
		"persistent": func(c *Config) { c.Persistent = true },
		"kept":       func(c *Config) { c.Keep = func(*Object) bool { return true } },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDir(t)
			c := twoFiles()
			change(&c)
			o := mustOpen(t, d, "x", c)
			old := o.id
			if err := os.Remove(o.AnnexPath()); err != nil {
				t.Fatal(err)
			}
			for _, open := range []func(ctxt, Dir, string, Config) (*Object, error){Open, OpenOrCreate, Create} {
				if _, err := open(ctx, d, "x", c); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "its second file is gone") {
					t.Errorf("while somebody lives: %v", err)
				}
			}
			if _, _, err := o.Annex(false); !errors.Is(err, ErrCorrupt) {
				t.Errorf("mapping it now: %v", err)
			}
			if i, err := Look(d, Struct, "x", nil); err != nil || i.Err != nil || !errors.Is(i.AnnexErr, fs.ErrNotExist) {
				t.Errorf("Look: %+v, %v", i, err)
			}
			if err := o.unmap(); err != nil { // as the kernel does for the dead
				t.Fatal(err)
			}
			o.closed.Store(true)
			if _, err := Open(ctx, d, "x", c); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("of the dead: %v", err)
			}
			p := mustOpen(t, d, "x", c)
			if p.id == old || annexIsWhole(p, c) != nil {
				t.Error("it is the old one")
			}
			// And by who leaves last.
			if err := os.Remove(p.AnnexPath()); err != nil {
				t.Fatal(err)
			}
			closeOK(t, p)
			if _, err := os.Lstat(p.Path()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("left: %v", err)
			}
		})
	}
}

// poke writes a word into a file.
func poke(t testing.TB, path string, at int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// The second file of a broken object goes with it as far as the header still names it.
func TestRemoveOfABrokenObjectRemovesBothFiles(t *testing.T) {
	u64 := func(v uint64) []byte { return binary.NativeEndian.AppendUint64(nil, v) }
	for name, c := range map[string]struct {
		at    int64
		b     []byte
		cut   int64
		stays bool
	}{
		"no magic":              {at: 0, b: u64(0)},
		"another version":       {at: 8, b: u64(2)},
		"another size":          {at: 24, b: u64(1)},
		"another second size":   {at: 520, b: u64(77)},
		"cut behind the header": {cut: headerSize},
		"no second size":        {at: 520, b: u64(0), stays: true},
		"a size that is none":   {at: 520, b: u64(math.MaxUint64), stays: true},
		"no id":                 {at: 32, b: make([]byte, 16), stays: true},
		"another id":            {at: 32, b: []byte{1}, stays: true},
		"cut to nothing":        {cut: 100, stays: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDir(t)
			path, annex := persistentPair(t, d)
			if name == "another id" { // which might be that one
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				c.b = []byte{b[32] + 1}
			}
			if c.b != nil {
				poke(t, path, c.at, c.b)
			}
			if c.cut != 0 {
				if err := os.Truncate(path, c.cut); err != nil {
					t.Fatal(err)
				}
			}
			none := filepath.Join(d.path, annexName([16]byte{}, filepath.Base(path))) // no object has that
			if err := os.WriteFile(none, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := Remove(d, Struct, "x"); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the object: %v", err)
			}
			if _, err := os.Lstat(annex); (err == nil) != c.stays {
				t.Errorf("stays %t: %v", c.stays, err)
			}
			if err := os.Remove(none); err != nil {
				t.Errorf("a file of no id: %v", err)
			}
			_ = os.Remove(annex)
		})
	}
}

// A name of a second file is nobody's object.
func TestASecondFileIsNotListed(t *testing.T) {
	d := newDir(t)
	path, annex := persistentPair(t, d)
	all, err := List(d)
	if err != nil || len(all) != 1 || all[0].Path != path {
		t.Errorf("%+v, %v", all, err)
	}
	if kind, name, ok := ParseFileName(filepath.Base(annex)); ok {
		t.Errorf("taken for %s:%s", kind, name)
	}
	if err := Remove(d, Struct, "x"); err != nil {
		t.Error(err)
	}
}

// The name of a second file may be taken, by somebody who guesses it: then there is no object.
func TestANameOfASecondFileThatIsTaken(t *testing.T) {
	d := newDir(t)
	c, taken := twoFiles(), ""
	c.Init = func(o *Object) error {
		taken = o.AnnexPath()
		return os.WriteFile(taken, []byte("mine"), 0o600)
	}
	o, err := Create(ctx, d, "x", c)
	if err == nil {
		closeOK(t, o)
	}
	if !errors.Is(err, ErrForeign) || errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(taken); string(b) != "mine" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if err := os.Remove(taken); err != nil {
		t.Error(err)
	}
}

func TestSizesOfASecondFile(t *testing.T) {
	d := newDir(t)
	for _, size := range []int64{-1, math.MinInt64, maxSize + 1, math.MaxInt64} {
		c := small()
		c.Annex = size
		if _, err := Create(ctx, d, "x", c); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	path, annex := persistentPair(t, d)
	poke(t, path, 520, binary.NativeEndian.AppendUint64(nil, 1<<63))
	if _, err := Open(ctx, d, "x", small()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("2^63 bytes: %v", err)
	}
	if err := errors.Join(os.Remove(path), os.Remove(annex)); err != nil {
		t.Error(err)
	}
}

// The file is cut off under who has it mapped.
func TestTruncationOfASecondFileUnderAMember(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", twoFiles())
	_, b := annexOf(t, o, false)
	if err := os.Truncate(o.AnnexPath(), 0); err != nil {
		t.Fatal(err)
	}
	var fault *shmkit.FaultError
	last := byte(0)
	if err := guard(func() error { last = b[annexSize-1]; return nil }); !errors.As(err, &fault) {
		t.Errorf("%d, %v", last, err)
	}
	p := mustOpen(t, d, "x", twoFiles())
	if _, _, err := p.Annex(false); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

// An id that was written over does not lead to the second file of another object.
func TestAnotherObjectsIDLeadsNowhere(t *testing.T) {
	d := newDir(t)
	mine, other := mustOpen(t, d, "mine", twoFiles()), mustOpen(t, d, "other", twoFiles())
	mine.h.id = other.id
	if _, err := Open(t.Context(), d, "mine", twoFiles()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("opened: %v", err)
	}
	closeOK(t, mine)
	if _, err := os.Stat(other.AnnexPath()); err != nil {
		t.Error(err)
	}
	closeOK(t, other)
}
