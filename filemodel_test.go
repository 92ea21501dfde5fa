package shmkit_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
	"github.com/shmkit/shmkit/internal/sys"
)

// fileModel is a file and its mappings beside what they should be: a slice of bytes,
// and for each mapping the protection of its pages and its private copies of them.
//
// What the model leaves out: stores behind the end of the file in its last page, which
// the kernel keeps or not, and what of a store is done that faults in a later page.
type fileModel struct {
	file  *fdmap.File
	o     *os.File
	data  []byte
	parts []*modelPart
	views []modelFileView
}

type modelPart struct {
	m       *shmkit.Mapping
	off, n  int // in the file
	private bool
	closed  bool
	union   shmkit.Protection
	prot    []shmkit.Protection // by page of the mapping
	copies  map[int][]byte      // by page of the file
}

type modelFileView struct {
	view   *shmkit.SliceView[byte]
	part   *modelPart
	off, n int // in the mapping
}

const modelPages = 6

// pageRange is the pages of the file that n bytes from offset off of the part lie in.
func (p *modelPart) pageRange(off, n int) (first, behind int) {
	if n == 0 {
		return 0, 0
	}
	return (p.off + off) / pageSize, (p.off+off+n-1)/pageSize + 1
}

func (p *modelPart) protOf(page int) *shmkit.Protection { return &p.prot[page-p.off/pageSize] }

// causes are the errors that an access to n bytes may fault with, none if it does not.
func (s *fileModel) causes(p *modelPart, off, n int, access shmkit.Protection) (all []error) {
	first, behind := p.pageRange(off, n)
	for page := first; page < behind; page++ {
		prot := *p.protOf(page)
		switch {
		case prot == 0:
			all = append(all, shmkit.ErrNotReadable)
		case page*pageSize >= len(s.data):
			all = append(all, shmkit.ErrTruncated)
		case prot&access == 0:
			all = append(all, shmkit.ErrReadOnly)
		}
	}
	return all
}

// content is what n bytes of the part read as, if they can be read.
func (s *fileModel) content(p *modelPart, off, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		at := p.off + off + i
		if c, ok := p.copies[at/pageSize]; ok {
			b[i] = c[at%pageSize]
		} else if at < len(s.data) {
			b[i] = s.data[at]
		}
	}
	return b
}

// store is a write that works.
func (s *fileModel) store(p *modelPart, off int, with []byte) {
	for i, v := range with {
		at := p.off + off + i
		if !p.private {
			s.data[at] = v
			continue
		}
		page := at / pageSize
		if p.copies[page] == nil {
			p.copies[page] = make([]byte, pageSize)
			copy(p.copies[page], s.data[page*pageSize:])
		}
		p.copies[page][at%pageSize] = v
	}
}

// wantOneOf requires a FaultError with one of the causes.
func wantOneOf(t *rapid.T, what string, err error, causes []error) {
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) || !slices.ContainsFunc(causes, func(c error) bool { return errors.Is(err, c) }) {
		t.Fatalf("%s: %v, want a fault with one of %v", what, err, causes)
	}
}

func (s *fileModel) part(t *rapid.T) *modelPart {
	open := slices.DeleteFunc(slices.Clone(s.parts), func(p *modelPart) bool { return p.closed })
	if len(open) == 0 {
		t.Skip("no mapping")
	}
	return rapid.SampledFrom(open).Draw(t, "mapping")
}

// span draws n ≥ 1 bytes in the part.
func span(t *rapid.T, p *modelPart) (off, n int) {
	off = rapid.IntRange(0, p.n-1).Draw(t, "offset")
	return off, rapid.OneOf(rapid.IntRange(1, p.n-off), rapid.IntRange(1, min(p.n-off, 16))).Draw(t, "length")
}

func (s *fileModel) Map(t *rapid.T) {
	if len(s.parts) > 3 {
		t.Skip("mappings enough")
	}
	p := &modelPart{copies: map[int][]byte{}, union: readWrite, private: rapid.Bool().Draw(t, "private")}
	p.off = rapid.IntRange(0, (modelPages-1)*pageSize).Draw(t, "from")
	p.n = rapid.IntRange(1, modelPages*pageSize-p.off).Draw(t, "length")
	reserve := rapid.SampledFrom([]int64{0, pagesAt(3), pagesAt(modelPages)}).Draw(t, "reserve")
	m, err := s.file.Map(fdmap.Options{Off: int64(p.off), Len: int64(p.n), Private: p.private, Reserve: reserve, Protection: readWrite})
	if err != nil {
		t.Fatal(err)
	}
	first, behind := p.pageRange(0, p.n)
	p.m, p.prot = m, slices.Repeat([]shmkit.Protection{readWrite}, behind-first)
	s.parts = append(s.parts, p)
}

func (s *fileModel) ReadAt(t *rapid.T) {
	p := s.part(t)
	off, n := span(t, p)
	b := make([]byte, n+rapid.SampledFrom([]int{0, 3}).Draw(t, "beyond"))
	got, err := p.m.ReadAt(b, int64(off))
	n = min(len(b), p.n-off)
	switch causes := s.causes(p, off, n, readOnly); {
	case p.union&shmkit.Read == 0:
		wantOnly(t, err, shmkit.ErrNotReadable)
	case len(causes) > 0:
		wantOneOf(t, "ReadAt", err, causes)
	case (err == io.EOF) != (n < len(b)) || err != nil && err != io.EOF || !bytes.Equal(b[:got], s.content(p, off, n)):
		t.Fatalf("ReadAt of %d bytes at %d: %d, %v", len(b), off, got, err)
	}
}

func (s *fileModel) WriteAt(t *rapid.T) {
	p := s.part(t)
	off, n := span(t, p)
	end := (len(s.data) + pageSize - 1) / pageSize * pageSize
	if last := p.off + off + n; last > len(s.data) && p.off+off < end {
		t.Skip("behind the end in the last page")
	}
	first, behind := p.pageRange(off, n)
	causes := s.causes(p, off, n, shmkit.Write)
	if len(causes) > 0 && behind-first > 1 {
		t.Skip("a part would be written")
	}
	with := bytes.Repeat([]byte{rapid.Byte().Draw(t, "with")}, n)
	_, err := p.m.WriteAt(with, int64(off))
	switch {
	case p.union&shmkit.Write == 0:
		wantOnly(t, err, shmkit.ErrReadOnly)
	case len(causes) > 0:
		wantOneOf(t, "WriteAt", err, causes)
	case err != nil:
		t.Fatalf("WriteAt of %d bytes at %d: %v", n, off, err)
	default:
		s.store(p, off, with)
	}
}

func (s *fileModel) Protect(t *rapid.T) {
	p := s.part(t)
	first, behind := p.pageRange(0, p.n)
	from := rapid.IntRange(first, behind-1).Draw(t, "first page")
	to := rapid.IntRange(from+1, behind).Draw(t, "page behind")
	with := rapid.SampledFrom([]shmkit.Protection{none, readOnly, readWrite}).Draw(t, "protection")
	off := max(from*pageSize-p.off, 0)
	n := min(to*pageSize-p.off, p.n) - off
	if err := p.m.Protect(int64(off), int64(n), with); err != nil {
		t.Fatalf("Protect of %d bytes at %d: %v", n, off, err)
	}
	for page := from; page < to; page++ {
		*p.protOf(page) = with
	}
	if to-from == behind-first {
		p.union = with
	} else {
		p.union |= with
	}
}

func (s *fileModel) Resize(t *rapid.T) {
	p := s.part(t)
	n := rapid.IntRange(1, modelPages*pageSize-p.off+pageSize).Draw(t, "to")
	err := p.m.Resize(int64(n))
	viewed := 0
	for _, v := range s.views {
		if v.part == p {
			viewed = max(viewed, v.off+v.n)
		}
	}
	if errors.Is(err, shmkit.ErrInUse) && viewed > 0 && (n < viewed || n > p.n) {
		return // it might have had to move, or would cut off what is viewed
	}
	if err != nil || n < viewed {
		t.Fatalf("Resize from %d to %d bytes with a view to %d: %v", p.n, n, viewed, err)
	}
	_, had := p.pageRange(0, p.n)
	first, behind := p.pageRange(0, n)
	p.n = n
	for page := behind; page < had; page++ {
		delete(p.copies, page)
	}
	for len(p.prot) < behind-first {
		p.prot = append(p.prot, p.union)
	}
	p.prot = p.prot[:behind-first]
}

func (s *fileModel) Split(t *rapid.T) {
	p := s.part(t)
	first, behind := p.pageRange(0, p.n)
	if behind-first < 2 {
		t.Skip("one page")
	}
	cut := rapid.IntRange(first+1, behind-1).Draw(t, "page")
	off := cut*pageSize - p.off
	head, tail, err := p.m.Split(int64(off))
	if slices.ContainsFunc(s.views, func(v modelFileView) bool { return v.part == p }) {
		wantOnly(t, err, shmkit.ErrInUse)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	a, b := *p, *p
	a.m, a.n, a.prot = head, off, slices.Clone(p.prot[:cut-first])
	b.m, b.off, b.n, b.prot = tail, p.off+off, p.n-off, slices.Clone(p.prot[cut-first:])
	a.copies, b.copies = map[int][]byte{}, map[int][]byte{}
	for page, c := range p.copies {
		if page < cut {
			a.copies[page] = c
		} else {
			b.copies[page] = c
		}
	}
	s.parts = append(slices.DeleteFunc(s.parts, func(q *modelPart) bool { return q == p }), &a, &b)
}

func (s *fileModel) Truncate(t *rapid.T) {
	n := rapid.OneOf(rapid.IntRange(0, modelPages*pageSize), rapid.Map(rapid.IntRange(0, modelPages), func(i int) int { return i * pageSize })).Draw(t, "size")
	if err := s.o.Truncate(int64(n)); err != nil {
		t.Fatal(err)
	}
	s.data = append(s.data[:min(n, len(s.data))], make([]byte, max(0, n-len(s.data)))...)
	for _, p := range s.parts {
		for page := range p.copies {
			if page*pageSize >= n {
				delete(p.copies, page)
			}
		}
	}
}

func (s *fileModel) WriteFile(t *rapid.T) {
	if len(s.data) == 0 {
		t.Skip("an empty file")
	}
	off := rapid.IntRange(0, len(s.data)-1).Draw(t, "offset")
	with := bytes.Repeat([]byte{rapid.Byte().Draw(t, "with")}, rapid.IntRange(1, len(s.data)-off).Draw(t, "length"))
	if _, err := s.o.WriteAt(with, int64(off)); err != nil {
		t.Fatal(err)
	}
	copy(s.data[off:], with)
}

func (s *fileModel) OpenView(t *rapid.T) {
	if len(s.views) == 3 {
		t.Skip("views enough")
	}
	p := s.part(t)
	off, n := span(t, p)
	v, err := shmkit.ViewSlice[byte](p.m, int64(off), n)
	if err != nil {
		t.Fatal(err)
	}
	s.views = append(s.views, modelFileView{v, p, off, n})
}

func (s *fileModel) CloseView(t *rapid.T) {
	if len(s.views) == 0 {
		t.Skip("no view")
	}
	i := rapid.IntRange(0, len(s.views)-1).Draw(t, "view")
	if err := s.views[i].view.Close(); err != nil {
		t.Fatal(err)
	}
	s.views = slices.Delete(s.views, i, i+1)
}

func (s *fileModel) Close(t *rapid.T) {
	p := s.part(t)
	if err := p.m.Close(); err != nil {
		t.Fatal(err)
	}
	p.closed = true
	if _, err := p.m.ReadAt(make([]byte, 1), 0); !errors.Is(err, shmkit.ErrClosed) {
		t.Fatalf("a read after Close: %v", err)
	}
}

func (s *fileModel) check(t *rapid.T) {
	s.parts = slices.DeleteFunc(s.parts, func(p *modelPart) bool {
		return p.closed && !slices.ContainsFunc(s.views, func(v modelFileView) bool { return v.part == p })
	})
	for _, p := range s.parts {
		if p.closed {
			continue
		}
		if p.m.Len() != p.n || p.m.Protection() != p.union {
			t.Fatalf("%v, want %d bytes, %v", p.m, p.n, p.union)
		}
		s.compare(t, p, p.m.Bytes(), 0, p.n)
	}
	for _, v := range s.views {
		s.compare(t, v.part, v.view.Data(), v.off, v.n)
	}
}

// compare looks at every page of data under Guard.
func (s *fileModel) compare(t *rapid.T, p *modelPart, data []byte, off, n int) {
	for n > 0 {
		step := min(n, pageSize-(p.off+off)%pageSize)
		got := make([]byte, step)
		err := shmkit.Guard(func() { copy(got, data) })
		if causes := s.causes(p, off, step, readOnly); len(causes) > 0 {
			wantOneOf(t, "looking at a page", err, causes)
		} else if err != nil || !bytes.Equal(got, s.content(p, off, step)) {
			t.Fatalf("%v: the page at offset %d differs, or faults: %v", p.m, off, err)
		}
		data, off, n = data[step:], off+step, n-step
	}
}

func TestMappingsOfAFileBehaveLikeTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fd, err := sys.MemfdCreate("model", sys.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		o := os.NewFile(uintptr(fd), "memfd")
		s := &fileModel{o: o, file: fdmap.New(o, "memfd:model")}
		registered, quarantined := shmkit.Registered(), func() int { n, _ := shmkit.Quarantined(); return n }
		before := quarantined()
		defer func() {
			for _, v := range s.views {
				_ = v.view.Close()
			}
			for _, p := range s.parts {
				_ = p.m.Close()
			}
			_ = s.file.Close()
			if _, err := o.Stat(); err == nil {
				t.Error("the descriptor outlived the last mapping")
			}
			if grown, kept := shmkit.Registered()-registered, quarantined()-before; grown != kept {
				t.Errorf("the registry grew by %d, the quarantine by %d", grown, kept)
			}
		}()
		s.Truncate(t)
		s.Map(t)
		t.Repeat(map[string]func(*rapid.T){
			"": s.check, "Map": s.Map, "ReadAt": s.ReadAt, "WriteAt": s.WriteAt, "WriteAgain": s.WriteAt, "Protect": s.Protect, "Resize": s.Resize,
			"Split": s.Split, "Truncate": s.Truncate, "WriteFile": s.WriteFile, "OpenView": s.OpenView, "CloseView": s.CloseView, "Close": s.Close,
		})
	})
}
