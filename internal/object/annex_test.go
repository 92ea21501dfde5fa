package object

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
)

const annexSize = 3*4096 + 100 // of no whole number of pages

// twoFiles is recovering with a second file that begins with 42 too.
func twoFiles() Config {
	c := recovering()
	c.Annex = annexSize
	c.Init = func(o *Object) error {
		o.Body()[0] = 42
		_, b, err := o.Annex(true)
		if err == nil {
			b[0] = 42
		}
		return err
	}
	return c
}

// annexOf returns the second file of o, as it is mapped.
func annexOf(t testing.TB, o *Object, write bool) (*shmkit.Mapping, []byte) {
	t.Helper()
	m, b, err := o.Annex(write)
	if err != nil {
		t.Fatal(err)
	}
	return m, b
}

func TestTheSecondFileIsSharedAndGoesWithTheObject(t *testing.T) {
	d := newDir(t)
	a := mustOpen(t, d, "x", twoFiles())
	b := mustOpen(t, d, "x", twoFiles())
	_, in := annexOf(t, a, true)
	_, out := annexOf(t, b, false)
	if len(in) != annexSize || len(out) != annexSize || b.AnnexSize() != annexSize || out[0] != 42 {
		t.Fatalf("%d and %d bytes, %d by the header, the first is %d", len(in), len(out), b.AnnexSize(), out[0])
	}
	in[annexSize-1] = 7
	if out[annexSize-1] != 7 {
		t.Error("they are two files")
	}
	sum := sha256.Sum256(append(a.id[:], "struct.x"...))
	if want := filepath.Join(d.path, "messages.") + hex.EncodeToString(sum[:16]); a.AnnexPath() != want || b.AnnexPath() != want {
		t.Errorf("%s and %s, want %s", a.AnnexPath(), b.AnnexPath(), want)
	}
	closeOK(t, a)
	if _, err := os.Stat(b.AnnexPath()); err != nil {
		t.Error(err)
	}
	closeOK(t, b) // and newDir sees what is left
}

// Who finds the first name before the second is there waits, and takes nothing for broken.
func TestWhoFindsOneNameOfTwoWaits(t *testing.T) {
	d := newDir(t)
	was, patience := point, joinPatience
	t.Cleanup(func() { point, joinPatience = was, patience })
	joinPatience = 20 * time.Millisecond
	met := false
	point = func(name string) {
		was(name)
		if name != "create:half" || met {
			return
		}
		met = true
		for _, open := range []func(ctxt, Dir, string, Config) (*Object, error){Open, OpenOrCreate, Create} {
			if _, err := open(ctx, d, "x", twoFiles()); !errors.Is(err, ErrBusy) {
				t.Errorf("with one name: %v", err)
			}
		}
		if err := Remove(d, Struct, "x"); !errors.Is(err, ErrInUse) {
			t.Errorf("removed with one name: %v", err)
		}
	}
	o := mustOpen(t, d, "x", twoFiles())
	if err := annexIsWhole(o, twoFiles()); err != nil || !met {
		t.Errorf("%v, met %t", err, met)
	}
}

// Each of the two mappings is made once, whoever asks first, and both may be there.
func TestOneMappingOfTheSecondFileForEachUse(t *testing.T) {
	d := newDir(t)
	mustOpen(t, d, "x", twoFiles())
	o := mustOpen(t, d, "x", twoFiles())
	var all [2][8]*shmkit.Mapping
	var group sync.WaitGroup
	for n := range 2 {
		for i := range all[n] {
			group.Go(func() {
				m, _, err := o.Annex(n == 1)
				if err != nil {
					t.Error(err)
				}
				all[n][i] = m
			})
		}
	}
	group.Wait()
	for n := range 2 {
		for _, m := range all[n] {
			if m != all[n][0] || m == all[1-n][0] {
				t.Errorf("mappings %v", all)
			}
		}
	}
	closeOK(t, o)
	for n := range 2 {
		if _, err := all[n][0].Load32(0); !errors.Is(err, shmkit.ErrClosed) {
			t.Errorf("still mapped: %v", err)
		}
		if _, _, err := o.Annex(n == 1); !errors.Is(err, ErrGone) {
			t.Errorf("after Close: %v", err)
		}
	}
}

// What is mapped for reading cannot be made writable: not by mprotect, not through the
// descriptor.
func TestWhoOnlyReadsTheSecondFileCannotWriteIt(t *testing.T) {
	d := newDir(t)
	c := twoFiles()
	fill := c.Init
	c.Init = func(o *Object) error { // the file has no name yet
		_, _, err := o.Annex(false)
		return errors.Join(err, fill(o))
	}
	o := mustOpen(t, d, "x", c)
	p := mustOpen(t, d, "x", c)
	for _, o := range []*Object{o, p} {
		m, b := annexOf(t, o, false)
		if m.Protection() != shmkit.Read {
			t.Errorf("protection %v", m.Protection())
		}
		if err := m.Protect(0, int64(m.Len()), shmkit.Read|shmkit.Write); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("mprotect: %v", err)
		}
		if err := shmkit.Guard(func() { b[0] = 1 }); err == nil {
			t.Error("written to")
		}
	}
	links, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	closeOK(t, o) // which made it, and may have a descriptor to write with
	for _, l := range links {
		to, err := os.Readlink("/proc/self/fd/" + l.Name())
		if err != nil || to != p.AnnexPath() {
			continue
		}
		n++
		fd, err := strconv.Atoi(l.Name())
		if err != nil {
			t.Fatal(err)
		}
		if mode, err := sys.AccessMode(fd); mode != os.O_RDONLY || err != nil {
			t.Errorf("descriptor %d of it was opened for %d, %v", fd, mode, err)
		}
	}
	if n == 0 {
		t.Error("no descriptor of it was seen")
	}
}

// The mode of the second file is its own, and says who may write.
func TestWhoMayNotWriteTheSecondFileMayRead(t *testing.T) {
	nobody := testenv.Nobody(t)
	d := newDir(t)
	if err := os.Chmod(d.path, 0o755); err != nil {
		t.Fatal(err)
	}
	c := twoFiles()
	c.Mode, c.AnnexMode = 0o666, 0o644
	o := mustOpen(t, d, "x", c)
	if info, err := os.Stat(o.AnnexPath()); err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
	p := shmtest.StartWith(t, &shmtest.StartOptions{Credential: nobody}, "annex reader", d.path)
	p.Expect("refused")
	p.Expect("read 42")
	p.CloseStdin()
	if err := p.Wait(); err == nil || !strings.Contains(p.Stderr(), "left") {
		t.Errorf("%v\n%s", err, p.Stderr())
	}
}

// readAnnex is a role: it may read the second file, and not write it.
func readAnnex(args []string) error {
	o, err := Open(ctx, Dir{path: args[0], chosen: true}, "x", recovering())
	if err != nil {
		return err
	}
	_, _, err = o.Annex(true)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "only who may write "+o.AnnexPath()+" may publish") {
		return errors.Join(errors.New("to write"), err)
	}
	if err := shmtest.Say("refused"); err != nil {
		return err
	}
	_, b, err := o.Annex(false)
	if err != nil {
		return err
	}
	if err := shmtest.Say("read %d", b[0]); err != nil {
		return err
	}
	<-shmtest.Dismissed()
	return errors.Join(o.Close(), errors.New("left"))
}

func TestObjectsWithoutANameHaveNoSecondFile(t *testing.T) {
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "without a name") {
			t.Errorf("%s: %v", what, err)
		}
	}
	c := small()
	c.Annex = annexSize
	_, err := CreateMemfd("x", c)
	refused("memfd", err)
	_, _, err = inMemory(t.TempDir(), c)
	refused("memory", err)
	o, err := CreateMemfd("x", small())
	if err != nil {
		t.Fatal(err)
	}
	defer closeOK(t, o)
	_, _, err = o.Annex(false)
	refused("Annex", err)
	if _, _, err := mustOpen(t, newDir(t), "x", small()).Annex(true); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("an object that was made without: %v", err)
	}
}

// All memory of the second file is there before anybody touches it.
func TestTheSecondFileIsReserved(t *testing.T) {
	d := newDir(t)
	c := small()
	c.Annex = 1 << 20
	mustOpen(t, d, "x", c)
	if i, err := Look(d, Struct, "x", nil); err != nil || i.AnnexBlocks < c.Annex {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestLookAtTheSecondFile(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", twoFiles())
	var during *shmkit.Mapping
	i, err := Look(d, Struct, "x", func(i *Info, _ *shmkit.Mapping, _ int64) error {
		during = i.AnnexMapping
		if v, err := during.Load32(0); v&0xff != 42 || err != nil || during.Len() != annexSize || during.Protection() != shmkit.Read {
			t.Errorf("%d, %v, %d bytes", v, err, during.Len())
		}
		return nil
	})
	if err != nil || i.Err != nil || i.AnnexErr != nil || i.Annex != annexSize || i.AnnexPath != o.AnnexPath() || i.AnnexBlocks < annexSize || i.AnnexMapping != nil {
		t.Errorf("%+v, %v", i, err)
	}
	if during == nil {
		t.Fatal("it was not shown")
	}
	if _, err := during.Load32(0); !errors.Is(err, shmkit.ErrClosed) {
		t.Errorf("still mapped: %v", err)
	}
	all, err := List(d)
	if err != nil || len(all) != 1 || all[0].Annex != annexSize {
		t.Errorf("%+v, %v", all, err)
	}
}
