package shmkit_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

// mappingModel is a Mapping beside what it should be: a slice of bytes that is
// open or closed, and views that keep it.
type mappingModel struct {
	m      *shmkit.Mapping
	want   []byte
	closed bool
	views  []modelView
}

type modelView struct {
	view *shmkit.SliceView[byte]
	off  int
}

// at draws an offset in, at the end of, or outside the mapping.
func (s *mappingModel) at(t *rapid.T) int64 {
	n := int64(len(s.want))
	return rapid.OneOf(rapid.Int64Range(0, n), rapid.Int64Range(n-9, n+9), rapid.Int64Range(-9, 9), rapid.Int64()).Draw(t, "offset")
}

func (s *mappingModel) fits(off int64, n int) bool {
	return off >= 0 && off <= int64(len(s.want)) && int64(n) <= int64(len(s.want))-off
}

// refusal is the error that a use of n bytes at off, a multiple of align, must
// give; nil if it must work.
func (s *mappingModel) refusal(off int64, n, align int) error {
	switch {
	case !s.fits(off, n):
		return shmkit.ErrOutOfRange
	case off%int64(align) != 0:
		return shmkit.ErrMisaligned
	case s.closed:
		return shmkit.ErrClosed
	}
	return nil
}

func (s *mappingModel) ReadAt(t *rapid.T) {
	off, p := s.at(t), make([]byte, rapid.IntRange(0, len(s.want)+5).Draw(t, "length"))
	n, err := s.m.ReadAt(p, off)
	switch {
	case off < 0:
		wantOnly(t, err, shmkit.ErrOutOfRange)
	case s.closed:
		wantOnly(t, err, shmkit.ErrClosed)
	default:
		want := s.want[min(off, int64(len(s.want))):]
		want = want[:min(len(want), len(p))]
		if !bytes.Equal(p[:n], want) || (err == io.EOF) != (n < len(p)) || err != nil && err != io.EOF {
			t.Errorf("ReadAt of %d bytes at %d: %d, %v", len(p), off, n, err)
		}
	}
}

func (s *mappingModel) WriteAt(t *rapid.T) {
	off, p := s.at(t), rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")
	n, err := s.m.WriteAt(p, off)
	if refused := s.refusal(off, len(p), 1); refused != nil {
		wantOnly(t, err, refused)
		if n != 0 {
			t.Errorf("wrote %d bytes", n)
		}
		return
	}
	if n != len(p) || err != nil {
		t.Errorf("WriteAt of %d bytes at %d: %d, %v", len(p), off, n, err)
	}
	copy(s.want[off:], p)
}

func (s *mappingModel) Word32(t *rapid.T) {
	off, v := s.at(t), rapid.Uint32().Draw(t, "value")
	op := rapid.SampledFrom([]string{"load", "store", "add", "swap", "swap if equal"}).Draw(t, "operation")
	var old uint32
	refused := s.refusal(off, 4, 4)
	if refused == nil {
		old = binary.NativeEndian.Uint32(s.want[off:])
	}
	guess := old
	if rapid.Bool().Draw(t, "wrong") {
		guess++
	}
	var got, wantGot, wantNew uint32
	var err error
	switch op {
	case "load":
		got, err = s.m.Load32(off)
		wantGot, wantNew = old, old
	case "store":
		err = s.m.Store32(off, v)
		wantNew = v
	case "add":
		got, err = s.m.Add32(off, v)
		wantGot, wantNew = old+v, old+v
	case "swap":
		got, err = s.m.Swap32(off, v)
		wantGot, wantNew = old, v
	default:
		var swapped bool
		swapped, err = s.m.CompareAndSwap32(off, guess, v)
		wantNew = old
		if guess == old {
			wantGot, wantNew = 1, v
		}
		if swapped {
			got = 1
		}
	}
	if refused != nil {
		wantOnly(t, err, refused)
		return
	}
	if got != wantGot || err != nil {
		t.Errorf("%s at %d: %d, %v; want %d", op, off, got, err, wantGot)
	}
	binary.NativeEndian.PutUint32(s.want[off:], wantNew)
}

func (s *mappingModel) Word64(t *rapid.T) {
	off, v := s.at(t), rapid.Uint64().Draw(t, "value")
	refused := s.refusal(off, 8, 8)
	old, err := s.m.Swap64(off, v)
	if refused != nil {
		wantOnly(t, err, refused)
		return
	}
	if err != nil || old != binary.NativeEndian.Uint64(s.want[off:]) {
		t.Errorf("Swap64 at %d: %d, %v", off, old, err)
	}
	sum, err := s.m.Add64(off, 5)
	if err != nil || sum != v+5 {
		t.Errorf("Add64 at %d: %d, %v; want %d", off, sum, err, v+5)
	}
	binary.NativeEndian.PutUint64(s.want[off:], sum)
	if got, err := s.m.Load64(off); err != nil || got != sum {
		t.Errorf("Load64 at %d: %d, %v; want %d", off, got, err, sum)
	}
}

func (s *mappingModel) TypedView(t *rapid.T) {
	type pair struct {
		A uint16
		B [2]uint16
	}
	off, n := s.at(t), rapid.OneOf(rapid.IntRange(-1, 20), rapid.Int()).Draw(t, "count")
	v, err := shmkit.ViewSlice[pair](s.m, off, n)
	if n < 1 || n > len(s.want) {
		wantOnly(t, err, shmkit.ErrOutOfRange)
		return
	}
	if refused := s.refusal(off, 6*n, 2); refused != nil {
		wantOnly(t, err, refused)
		return
	}
	if err != nil {
		t.Fatalf("ViewSlice of %d values at %d: %v", n, off, err)
	}
	for i := range v.Data() {
		b := s.want[int(off)+6*i:]
		if p := v.Data()[i]; p.A != binary.NativeEndian.Uint16(b) || p.B[1] != binary.NativeEndian.Uint16(b[4:]) {
			t.Errorf("value %d at %d is %v", i, off, p)
		}
		v.Data()[i].B[0]++
		binary.NativeEndian.PutUint16(b[2:], binary.NativeEndian.Uint16(b[2:])+1)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

func (s *mappingModel) OpenView(t *rapid.T) {
	if len(s.views) == 3 {
		t.Skip("views enough")
	}
	off := s.at(t)
	n := rapid.IntRange(1, 30).Draw(t, "length")
	v, err := shmkit.ViewSlice[byte](s.m, off, n)
	if refused := s.refusal(off, n, 1); refused != nil {
		wantOnly(t, err, refused)
		return
	}
	if err != nil {
		t.Fatalf("ViewSlice of %d bytes at %d: %v", n, off, err)
	}
	s.views = append(s.views, modelView{v, int(off)})
}

// WriteView also writes after the mapping was closed.
func (s *mappingModel) WriteView(t *rapid.T) {
	if len(s.views) == 0 {
		t.Skip("no view")
	}
	v := rapid.SampledFrom(s.views).Draw(t, "view")
	for i, b := range v.view.Data() {
		if b != s.want[v.off+i] {
			t.Errorf("byte %d of the view at %d is %d, want %d", i, v.off, b, s.want[v.off+i])
		}
		v.view.Data()[i] ^= 0xFF
		s.want[v.off+i] ^= 0xFF
	}
}

func (s *mappingModel) CloseView(t *rapid.T) {
	if len(s.views) == 0 {
		t.Skip("no view")
	}
	last := s.views[len(s.views)-1]
	s.views = s.views[:len(s.views)-1]
	if err := errors.Join(last.view.Close(), last.view.Close()); err != nil {
		t.Error(err)
	}
	if last.view.Data() != nil {
		t.Error("a closed view has data")
	}
}

func (s *mappingModel) Close(t *rapid.T) {
	if !s.closed && rapid.IntRange(0, 9).Draw(t, "reluctance") > 0 {
		t.Skip("most of the script should run on an open mapping")
	}
	if err := s.m.Close(); err != nil {
		t.Error(err)
	}
	s.closed = true
}

func (s *mappingModel) check(t *rapid.T) {
	if s.m.Closed() != s.closed {
		t.Errorf("Closed is %t", s.m.Closed())
	}
	if b := s.m.Bytes(); s.closed != (b == nil) {
		t.Errorf("Bytes is nil: %t, but the mapping is closed: %t", b == nil, s.closed)
	} else if !s.closed && !bytes.Equal(b, s.want) {
		t.Error("the memory differs from the model")
	}
}

func TestMappingBehavesLikeASliceOfBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.OneOf(rapid.IntRange(1, 80), rapid.IntRange(4090, 4100), rapid.Just(8192)).Draw(t, "size")
		seg, err := sysv.Create(sysv.Private, int64(size), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		m, err := seg.Attach(nil)
		if err := errors.Join(err, seg.Remove()); err != nil {
			t.Fatal(err)
		}
		s := &mappingModel{m: m, want: make([]byte, size)}
		defer func() {
			for _, v := range s.views {
				_ = v.view.Close()
			}
			_ = m.Close()
			if _, err := seg.Stat(); err == nil {
				t.Error("the segment outlived its last mapping")
			}
		}()
		t.Repeat(map[string]func(*rapid.T){
			"":          s.check,
			"ReadAt":    s.ReadAt,
			"WriteAt":   s.WriteAt,
			"Word32":    s.Word32,
			"Word64":    s.Word64,
			"TypedView": s.TypedView,
			"OpenView":  s.OpenView,
			"WriteView": s.WriteView,
			"CloseView": s.CloseView,
			"Close":     s.Close,
		})
	})
}
