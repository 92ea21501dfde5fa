package inspect_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// mapsRole maps what its arguments say, "sysv ID", or "shared PATH" or "private PATH" with an optional
// offset and length, and says where. Then it does what it hears: "read PAGE" and "write PAGE" touch a page.
func mapsRole(args []string) error {
	m, err := mapAs(args)
	if err != nil {
		return err
	}
	if err := testenv.Say("%x", m.Addr()); err != nil {
		return err
	}
	for {
		line, err := testenv.Hear()
		if errors.Is(err, io.EOF) {
			return m.Close()
		}
		if err != nil {
			return err
		}
		verb, rest, _ := strings.Cut(line, " ")
		page, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return err
		}
		b := []byte{byte(page)}
		if verb == "write" {
			_, err = m.WriteAt(b, page*int64(os.Getpagesize()))
		} else {
			_, err = m.ReadAt(b, page*int64(os.Getpagesize()))
		}
		if err != nil {
			return err
		}
		if err := testenv.Say("%s %d", verb, page); err != nil {
			return err
		}
	}
}

func mapAs(args []string) (*shmkit.Mapping, error) {
	if args[0] == "sysv" {
		id, err := strconv.Atoi(args[1])
		if err != nil {
			return nil, err
		}
		s, err := sysv.OpenID(id)
		if err != nil {
			return nil, err
		}
		return s.Attach(nil)
	}
	o := &filemap.Options{Writable: true, Private: args[0] == "private"}
	if len(args) > 2 {
		if _, err := fmt.Sscan(args[2]+" "+args[3], &o.Off, &o.Len); err != nil {
			return nil, err
		}
	}
	f, err := filemap.Open(args[1], o)
	if err != nil {
		return nil, err
	}
	return f.Mapping(), nil
}

// mapper is a process in the role.
type mapper struct {
	*testenv.Proc
	t    testing.TB
	addr uint64
}

func startMapper(t testing.TB, args ...string) *mapper {
	t.Helper()
	return startMapperWith(t, nil, args...)
}

func startMapperWith(t testing.TB, o *testenv.StartOptions, args ...string) *mapper {
	t.Helper()
	m := &mapper{Proc: testenv.StartWith(t, o, "maps", args...), t: t}
	line, err := m.ReadLine()
	if err == nil {
		m.addr, err = strconv.ParseUint(line, 16, 64)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, m.Stderr())
	}
	return m
}

// touch makes it do something to pages.
func (m *mapper) touch(verb string, pages ...int) {
	m.t.Helper()
	for _, page := range pages {
		line := fmt.Sprintf("%s %d", verb, page)
		m.Send(line)
		m.Expect(line)
	}
}

// objectOf is a file as a Snapshot would tell of it, mapped by some processes.
func objectOf(t testing.TB, path string, mappers ...*mapper) *inspect.Object {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	o := &inspect.Object{Address: "file:" + path, Kind: inspect.KindFile, Path: path, Size: uint64(info.Size())}
	o.ID = inspect.ID{Class: inspect.FileClass, Inode: st.Ino}
	addUsers(t, o, mappers)
	return o
}

// segmentOf is the same of a segment.
func segmentOf(t testing.TB, s *sysv.Segment, size uint64, mappers ...*mapper) *inspect.Object {
	t.Helper()
	o := &inspect.Object{Address: fmt.Sprintf("sysv:id=%d", s.ID()), Kind: inspect.KindSegment, IPC: s.ID(), Size: size}
	o.ID = inspect.ID{Class: inspect.SegmentClass, Inode: uint64(s.ID())}
	addUsers(t, o, mappers)
	return o
}

// addUsers adds the mappings with the inode of the object.
func addUsers(t testing.TB, o *inspect.Object, mappers []*mapper) {
	t.Helper()
	for _, m := range mappers {
		u := inspect.User{PID: m.Pid(), Command: "mapper"}
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", m.Pid()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			e, err := sys.ParseMapsEntry(strings.TrimSuffix(line, "\n"))
			if err == nil && e.Inode == o.ID.Inode && e.Path != "" {
				u.Ranges = append(u.Ranges, inspect.Range{Start: uint64(e.Start), End: uint64(e.End), Offset: e.Offset})
			}
		}
		o.Users = append(o.Users, u)
	}
}

// look opens the pages of an object until the test ends.
func look(t testing.TB, object *inspect.Object, o *inspect.PagesOptions) *inspect.Pages {
	t.Helper()
	p, err := inspect.PagesOf(object, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// each returns every page of a view.
func each(t testing.TB, p *inspect.Pages, v *inspect.PageView) (pages []inspect.Page) {
	t.Helper()
	next := p.First
	for r, err := range v.Runs(t.Context(), p.First, p.First+p.Count) {
		if err != nil {
			t.Fatal(err)
		}
		if r.First != next || r.Count < 1 {
			t.Fatalf("run %+v behind page %d", r, next)
		}
		next = r.End()
		for n := r.First; n < next; n++ {
			pages = append(pages, r.At(n))
		}
	}
	if next != p.First+p.Count {
		t.Fatalf("the runs end at page %d of %d", next, p.First+p.Count)
	}
	return pages
}

// picture is one letter a page: what the test chooses for the first bits that are set.
func picture(pages []inspect.Page, letters ...any) string {
	var b strings.Builder
	for _, p := range pages {
		c := "."
		for i := 0; i < len(letters); i += 2 {
			if bits := letters[i].(inspect.PageState); p.State&bits == bits {
				c = letters[i+1].(string)
				break
			}
		}
		b.WriteString(c)
	}
	return b.String()
}

// settles waits until a look at pages finds what it should. The kernel may move a page to another frame
// at any moment, and takes it out of all page tables meanwhile.
func settles(t testing.TB, check func() error) {
	t.Helper()
	var err error
	defer func() {
		if err != nil {
			t.Log(err)
		}
	}()
	testenv.Eventually(t, "the pages are as they should be", func() bool {
		err = check()
		return err == nil
	})
}

// want is an error unless two pictures are the same.
func want(got, want string) error {
	if got != want {
		return fmt.Errorf("%s, not %s", got, want)
	}
	return nil
}
