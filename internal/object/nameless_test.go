package object

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/shmtest"
)

// memoryIn maps a file as memory that was there before, and opens a companion.
func memoryIn(dir string) (m *shmkit.Mapping, companion *os.File, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "memory"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	file := fdmap.New(f, "memory")
	defer func() { err = errors.Join(err, file.Close()) }()
	const size = 64 << 10
	if err := f.Truncate(size); err != nil {
		return nil, nil, err
	}
	if m, err = file.Map(fdmap.Options{Len: size, Protection: shmkit.Read | shmkit.Write}); err != nil {
		return nil, nil, err
	}
	companion, err = os.OpenFile(filepath.Join(dir, "companion"), os.O_RDWR|os.O_CREATE, 0o600)
	return m, companion, err
}

// inMemory joins the object in the memory of a directory; leave closes all of it.
func inMemory(dir string, c Config) (o *Object, leave func() error, err error) {
	m, companion, err := memoryIn(dir)
	if err != nil {
		return nil, nil, err
	}
	if o, err = OpenMapping(ctx, m, companion, c); err != nil {
		return nil, nil, errors.Join(err, m.Close(), companion.Close())
	}
	return o, func() error { return errors.Join(o.Close(), m.Close(), companion.Close()) }, nil
}

func mustBeInMemory(t testing.TB, dir string, c Config) *Object {
	t.Helper()
	o, leave, err := inMemory(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := leave(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// visitMemory is a role: it joins the object in a directory's memory, and leaves.
func visitMemory(args []string) error {
	o, leave, err := inMemory(args[0], recovering())
	if err != nil {
		return err
	}
	o.Part(o.slot)[0] = 1
	if b := o.Body()[0]; b != 42 {
		return errors.Join(errors.New("it was not initialised"), leave())
	}
	return leave()
}

// playMaker is a victim that makes the object in memory that is there already.
func playMaker(t *testing.T, v *shmtest.Victim) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	<-v.Start("memory visitor", dir).Exited()
	var all []*Object
	for range recovering().Members {
		o := mustBeInMemory(t, dir, recovering())
		if o.Body()[0] != 42 || o.Part(o.slot)[0] != 0 {
			t.Errorf("body %d, part %d", o.Body()[0], o.Part(o.slot)[0])
		}
		all = append(all, o)
	}
	for i, o := range all {
		if o.Dead(all[0].slot, all[0].gen) {
			t.Errorf("member %d takes another for dead", i)
		}
	}
}

func TestMemoryThatWasThereBecomesAnObject(t *testing.T) {
	dir := t.TempDir()
	c := recovering()
	a, b := mustBeInMemory(t, dir, c), mustBeInMemory(t, dir, c)
	if a.slot == b.slot || a.id != b.id || a.Body()[0] != 42 {
		t.Errorf("slots %d and %d, ids %x and %x", a.slot, b.slot, a.id, b.id)
	}
	a.Body()[1] = 7
	closeOK(t, a)
	if !b.Dead(a.slot, a.gen) {
		t.Error("who left is alive")
	}
	closeOK(t, b)
	// It has no name to go with the last: it stays as it is.
	if o := mustBeInMemory(t, dir, c); o.Body()[1] != 7 {
		t.Error("it was made anew")
	}
	c.Fingerprint = 9
	if _, _, err := inMemory(dir, c); !errors.Is(err, ErrType) {
		t.Errorf("as another type: %v", err)
	}
}

// What a maker left that died is begun anew, whatever stands in it.
func TestMemoryHalfMadeIsBegunAnew(t *testing.T) {
	for name, word := range map[string]uint64{"at its beginning": making, "before it was ready": magic} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m, companion, err := memoryIn(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			defer companion.Close()
			debris := bytes.Repeat([]byte{0xff}, m.Len())
			binary.NativeEndian.PutUint64(debris, word)
			clear(debris[16:20]) // ready
			if _, err := m.WriteAt(debris, 0); err != nil {
				t.Fatal(err)
			}
			o := mustBeInMemory(t, dir, recovering())
			if b := o.Body(); b[0] != 42 || !zero(b[1:]) || o.Highest() != 1 || !zero(o.Part(1)) {
				t.Errorf("body %x, %d slots in use, part %x", b, o.Highest(), o.Part(1))
			}
		})
	}
}

// One makes it, and others wait until it is made.
func TestOneMakesAnObjectInMemory(t *testing.T) {
	dir := t.TempDir()
	was, patience := point, joinPatience
	t.Cleanup(func() { point, joinPatience = was, patience })
	joinPatience = 20 * time.Millisecond
	met := false
	point = func(name string) {
		if name != "make:begun" || met {
			return
		}
		met = true
		if _, _, err := inMemory(dir, recovering()); !errors.Is(err, ErrBusy) {
			t.Errorf("another maker at the same time: %v", err)
		}
	}
	if mustBeInMemory(t, dir, recovering()); !met {
		t.Error("nobody made it")
	}
}

// A header that says more than there is memory is not believed.
func TestAnObjectLargerThanItsMemoryIsCorrupt(t *testing.T) {
	dir := t.TempDir()
	o := mustBeInMemory(t, dir, recovering())
	o.h.size.Store(1 << 30)
	if _, _, err := inMemory(dir, recovering()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

func TestMemoryOfSomebodyElseIsRefusedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	m, companion, err := memoryIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	defer companion.Close()
	before := make([]byte, m.Len())
	before[5000] = 1 // the first page is zero
	if _, err := m.WriteAt(before, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMapping(ctx, m, companion, small()); !errors.Is(err, ErrForeign) {
		t.Errorf("foreign memory: %v", err)
	}
	after := make([]byte, m.Len())
	if _, err := m.ReadAt(after, 0); err != nil || !bytes.Equal(before, after) {
		t.Errorf("it was changed: %v", err)
	}
	if err := m.Store32(5000, 0); err != nil {
		t.Fatal(err)
	}
	big := small()
	big.BodySize = 1 << 20
	if _, err := OpenMapping(ctx, m, companion, big); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("too small: %v", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := OpenMapping(ctx, m, null, small()); !errors.Is(err, ErrForeign) {
		t.Errorf("a companion that is no file: %v", err)
	}
	if err := m.Protect(0, int64(m.Len()), shmkit.Read); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMapping(ctx, m, companion, small()); !errors.Is(err, shmkit.ErrReadOnly) {
		t.Errorf("memory that may only be read: %v", err)
	}
}

func TestObjectInAMemfd(t *testing.T) {
	a, err := CreateMemfd("frames", recovering())
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, a)
	f, err := a.Descriptor()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := shmtest.StartWith(t, &shmtest.StartOptions{Prepare: func(cmd *exec.Cmd) error {
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		return nil
	}}, "memfd member")
	p.Expect("member of 42")
	b, err := OpenMemfd(ctx, f, recovering())
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, b)
	if a.Dead(1, 1) || b.Dead(a.slot, a.gen) || b.slot != 2 {
		t.Errorf("the living are dead; slot %d", b.slot)
	}
	p.Kill()
	if !a.Dead(1, 1) {
		t.Error("the dead live")
	}
	if n, err := b.Sweep(); n != 1 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	if err := f.Truncate(0); err == nil {
		t.Error("its size can be changed")
	}
	if err := sys.AddSeals(int(f.Fd()), sys.F_SEAL_FUTURE_WRITE); !errors.Is(err, syscall.EPERM) {
		t.Errorf("another seal: %v", err)
	}
}

// memfdMember is a role: it joins the object that descriptor 3 shows, and stays.
func memfdMember([]string) error {
	o, err := OpenMemfd(ctx, os.NewFile(3, "inherited"), recovering())
	if err != nil {
		return err
	}
	if err := shmtest.Say("member of %d", o.Body()[0]); err != nil {
		return err
	}
	<-shmtest.Dismissed()
	return o.Close()
}

func TestOnlySealedObjectsAreTakenFromADescriptor(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", small())
	named, err := os.OpenFile(o.Path(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer named.Close()
	fd, err := sys.MemfdCreate("plain", sys.MFD_CLOEXEC|sys.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	plain := os.NewFile(uintptr(fd), "plain")
	defer plain.Close()
	if err := plain.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{named, plain} {
		if _, err := OpenMemfd(ctx, f, small()); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
	if err := sys.AddSeals(fd, memfdSeals); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenMemfd(ctx, plain, small()); !errors.Is(err, ErrForeign) {
		t.Errorf("sealed zeros: %v", err)
	}
}
