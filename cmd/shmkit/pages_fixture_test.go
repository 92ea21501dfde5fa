package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/proc"
	"github.com/shmkit/shmkit/internal/testenv"
)

// pageSize of this machine, which the fixtures have as well.
var pageSize = uint64(os.Getpagesize())

// procFixture is a /proc of made-up processes and frames.
type procFixture struct {
	t    *testing.T
	root string
}

func newProcFixture(t *testing.T) *procFixture {
	f := &procFixture{t, t.TempDir()}
	for _, name := range []string{"kpageflags", "kpagecount"} {
		f.words(name, 0, 0)
	}
	return f
}

// words writes 64-bit words from a word of a file on.
func (f *procFixture) words(name string, at uint64, words ...uint64) {
	f.t.Helper()
	path := filepath.Join(f.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	b := make([]byte, 0, len(words)*8)
	for _, w := range words {
		b = binary.NativeEndian.AppendUint64(b, w)
	}
	if _, err := file.WriteAt(b, int64(at)*8); err != nil {
		f.t.Fatal(err)
	}
}

// frame says what the kernel has of one.
func (f *procFixture) frame(number uint64, maps uint64, flags proc.KPageFlags) {
	f.words("kpageflags", number, uint64(flags))
	f.words("kpagecount", number, maps)
}

// process maps an object from page 0 on, and has these entries in its page table.
func (f *procFixture) process(object *inspect.Object, pid int, command string, entries ...proc.PagemapEntry) {
	start := uint64(pid) << 16 * (pageSize / 4096)
	words := make([]uint64, len(entries))
	for i, e := range entries {
		words[i] = uint64(e)
	}
	f.words(fmt.Sprintf("%d/pagemap", pid), start/pageSize, words...)
	object.Users = append(object.Users, inspect.User{PID: pid, Command: command, Ranges: []inspect.Range{{
		Start: start, End: start + uint64(len(entries))*pageSize, Protection: inspect.Read | inspect.Write | inspect.SharedMapping,
	}}})
}

// file is an object in /dev/shm, of which some pages were stored to.
func (f *procFixture) file(pages int, stored ...int) *inspect.Object {
	f.t.Helper()
	path := "/dev/shm/" + testenv.Name(f.t)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(int64(pages) * int64(pageSize)); err != nil {
		f.t.Fatal(err)
	}
	for _, n := range stored {
		if _, err := file.WriteAt([]byte{1}, int64(n)*int64(pageSize)); err != nil {
			f.t.Fatal(err)
		}
	}
	return &inspect.Object{Address: "posix:/frames", Kind: inspect.KindPOSIX, Path: path, Size: uint64(pages) * pageSize}
}

const (
	fileEntry  = proc.PagemapPresent | proc.PagemapFile
	aloneEntry = fileEntry | proc.PagemapExclusive
	ownEntry   = proc.PagemapPresent | proc.PagemapExclusive
)

// drawn draws an object of a fixture.
func (f *procFixture) drawn(object *inspect.Object, a *app, width, rows int, o inspect.PagesOptions) string {
	f.t.Helper()
	o.Proc = f.root
	s := &pageSubject{name: object.Address, object: object}
	p, err := s.open(&o)
	if err != nil {
		f.t.Fatal(err)
	}
	defer p.Close()
	l := layPages(width, rows, len(p.Views()), p.Count, object.Size)
	c, err := collectPages(f.t.Context(), p, s.title(), l.room())
	if err != nil {
		f.t.Fatal(err)
	}
	if p.Object != nil && len(p.Object.Blind) > 0 {
		f.t.Skipf("the kernel tells less of files: %q", p.Object.Blind)
	}
	var b bytes.Buffer
	if err := c.draw(&b, a, l); err != nil {
		f.t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(stripColours(strings.TrimSuffix(line, "\n")))); n > width {
			f.t.Errorf("%d columns, not %d: %s", n, width, line)
		}
	}
	return b.String()
}

// stripColours takes SGR sequences out.
func stripColours(text string) string {
	for {
		before, rest, found := strings.Cut(text, "\x1b[")
		if !found {
			return text
		}
		_, after, _ := strings.Cut(rest, "m")
		text = before + after
	}
}

// twoProcesses share pages 0 and 1; of page 3 one has a copy, and each has some alone. Page 6 is zeros to both, which is
// no sharing.
func twoProcesses(t *testing.T) (*procFixture, *inspect.Object) {
	f := newProcFixture(t)
	object := f.file(16, 0, 1, 3, 4, 5)
	const dirty = proc.KPageDirty | proc.KPageSwapBacked
	f.frame(0x1a2b3, 2, dirty|proc.KPageReferenced)
	f.frame(0x1a2b4, 2, dirty)
	f.frame(0x100, 1, dirty)
	f.frame(0x101, 1, dirty|proc.KPageAnonymous)
	f.frame(0x102, 1, proc.KPageSwapBacked)
	f.frame(0x7, 1, proc.KPageZero)
	f.process(object, 812, "writer", fileEntry|0x1a2b3, fileEntry|0x1a2b4, 0, aloneEntry|0x100, aloneEntry|0x102,
		proc.PagemapSwapped, proc.PagemapPresent|0x7, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	f.process(object, 815, "rea\nder", fileEntry|0x1a2b3, fileEntry|0x1a2b4, 0, ownEntry|0x101, 0, 0, proc.PagemapPresent|0x7, proc.PagemapGuard)
	return f, object
}
