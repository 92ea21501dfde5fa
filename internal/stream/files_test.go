package stream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/shmkit/shmkit/internal/testenv"
)

// receiving receives one file in the background.
func receiving(t *testing.T, r *Reader) (s *sink, wait func() (Transferred, error)) {
	t.Helper()
	s = &sink{}
	var done Transferred
	var g errgroup.Group
	ctx := failsafe(t)
	g.Go(func() (err error) {
		done, err = r.ReceiveFile(ctx, s, nil)
		return err
	})
	return s, func() (Transferred, error) {
		err := g.Wait()
		return done, err
	}
}

func TestFileArrivesAsItWas(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, size := range []int{0, 1, 2039, 2040, 2041, MinCapacity, 100_000, 3 << 20} {
			for _, known := range []bool{true, false} {
				t.Run(fmt.Sprintf("%d bytes, known=%t", size, known), func(t *testing.T) {
					t.Parallel()
					key := on.spot(t)
					o := Options{Content: Files, Capacity: MinCapacity}
					if size > 1<<20 {
						o.Capacity = 0
					}
					r, w := openReader(t, key, o), openWriter(t, key, o)
					s, wait := receiving(t, r)
					data := fileOf("x", size)
					info := FileInfo{Name: "a file", Size: -1, Mode: 0o640}
					if known {
						info.Size = int64(size)
					}
					var progress []int64
					sent, err := w.SendFile(failsafe(t), iotest.HalfReader(bytes.NewReader(data)), info, func(n int64) { progress = append(progress, n) })
					if err != nil {
						t.Fatal(err)
					}
					received, err := wait()
					if err != nil {
						t.Fatal(err)
					}
					want := Transferred{Info: info, Bytes: int64(size), SHA256: sha256.Sum256(data)}
					if diff := cmp.Diff(want, received); diff != "" {
						t.Error(diff)
					}
					want.Receivers = 1
					if diff := cmp.Diff(want, sent); diff != "" {
						t.Error(diff)
					}
					if !bytes.Equal(s.Bytes(), data) || s.info != info || s.begins != 1 {
						t.Errorf("%d bytes of %+v", s.Len(), s.info)
					}
					if !slices.IsSorted(progress) || (size > 0 && progress[len(progress)-1] != int64(size)) {
						t.Errorf("progress %d", progress)
					}
					closeMember(t, w)
					closeMember(t, r)
					nothingUnder(t, key)
				})
			}
		}
	})
}

func TestNameIsCutAndModeIsPermissionOnly(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		o := Options{Content: Files, Capacity: MinCapacity}
		r, w := openReader(t, key, o), openWriter(t, key, o)
		s, wait := receiving(t, r)
		info := FileInfo{Name: strings.Repeat("n", 300), Size: 0, Mode: fs.ModeSetuid | fs.ModeDir | 0o751}
		if _, err := w.SendFile(failsafe(t), strings.NewReader(""), info, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := wait(); err != nil {
			t.Fatal(err)
		}
		if want := (FileInfo{Name: strings.Repeat("n", maxName), Size: 0, Mode: 0o751}); s.info != want {
			t.Errorf("%+v", s.info)
		}
	})
}

// Wherever in the ring a file begins, its sender learns who received it.
func TestFileBeginsAtEveryOffset(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		o := Options{Content: Files, Capacity: MinCapacity}
		r, w := openReader(t, key, o), openWriter(t, key, o)
		var receive errgroup.Group
		const last = "last"
		receive.Go(func() error {
			for {
				var s sink
				if _, err := r.ReceiveFile(failsafe(t), &s, nil); err != nil || s.info.Name == last {
					return err
				}
			}
		})
		begins := map[uint64]bool{}
		for i := range 300 {
			begins[w.h.tail.Load()%w.capacity] = true
			name := strings.Repeat("n", i%maxName)
			done, err := w.SendFile(failsafe(t), strings.NewReader("content"), FileInfo{Name: name, Size: 7}, nil)
			if err != nil || done.Receivers != 1 {
				t.Fatalf("file %d: %+v, %v", i, done, err)
			}
		}
		if _, err := w.SendFile(failsafe(t), strings.NewReader(""), FileInfo{Name: last}, nil); err != nil {
			t.Fatal(err)
		}
		if err := receive.Wait(); err != nil {
			t.Fatal(err)
		}
		if len(begins) < 200 {
			t.Errorf("only %d different offsets", len(begins))
		}
	})
}

func TestSeveralReceiversAreCounted(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		o := Options{Content: Files, Capacity: MinCapacity}
		const n = 7
		name := fileName("x", 0, 50_000)
		var waits []func() (Transferred, error)
		var sinks []*sink
		for range n {
			s, wait := receiving(t, openReader(t, key, o))
			waits, sinks = append(waits, wait), append(sinks, s)
		}
		w := openWriter(t, key, o)
		if err := w.WaitReaders(failsafe(t), n); err != nil {
			t.Fatal(err)
		}
		if done := sendFile(t, w, name); done.Receivers != n {
			t.Errorf("%d receivers", done.Receivers)
		}
		for i, wait := range waits {
			if _, err := wait(); err != nil {
				t.Fatal(err)
			}
			if err := checkFile(sinks[i]); err != nil {
				t.Error(err)
			}
		}
	})
}

// slowSource hands out a file in two halves, the second when it is told to.
type slowSource struct {
	first, second io.Reader
	reached       chan struct{} // closed when the first half was read
	more          chan struct{} // closed when the second may be
}

func newSlowSource(data []byte) *slowSource {
	n := len(data) / 2
	return &slowSource{bytes.NewReader(data[:n]), bytes.NewReader(data[n:]), make(chan struct{}), make(chan struct{})}
}

func (s *slowSource) Read(b []byte) (int, error) {
	n, err := s.first.Read(b)
	if n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	select {
	case <-s.reached:
	default:
		close(s.reached)
	}
	<-s.more
	return s.second.Read(b)
}

func TestReceiverInTheMiddleGetsTheNextFile(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		o := Options{Content: Files, Capacity: MinCapacity}
		early, w := openReader(t, key, o), openWriter(t, key, o)
		_, earlyWait := receiving(t, early)
		data := fileOf("x", 40_000)
		src := newSlowSource(data)
		var sent Transferred
		var sending errgroup.Group
		sending.Go(func() (err error) {
			sent, err = w.SendFile(failsafe(t), src, FileInfo{Name: "first", Size: int64(len(data))}, nil)
			return err
		})
		<-src.reached
		late := openReader(t, key, o)
		s, lateWait := receiving(t, late)
		close(src.more)
		if err := sending.Wait(); err != nil {
			t.Fatal(err)
		}
		if sent.Receivers != 1 {
			t.Errorf("%d receivers of the first", sent.Receivers)
		}
		if _, err := earlyWait(); err != nil {
			t.Fatal(err)
		}
		closeMember(t, early)
		if done := sendFile(t, w, fileName("second", 0, 5000)); done.Receivers != 1 {
			t.Errorf("%d receivers of the second", done.Receivers)
		}
		if _, err := lateWait(); err != nil {
			t.Fatal(err)
		}
		if err := checkFile(s); err != nil || s.begins != 1 {
			t.Errorf("%v, %d files begun", err, s.begins)
		}
	})
}

func TestOnlyReceiverInTheMiddleIsNone(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		o := Options{Content: Files, Capacity: MinCapacity}
		w := openWriter(t, key, o)
		gone := openReader(t, key, o)
		src := newSlowSource(fileOf("x", 1000))
		var sending errgroup.Group
		sending.Go(func() error {
			_, err := w.SendFile(failsafe(t), src, FileInfo{Size: -1}, nil)
			return err
		})
		<-src.reached
		testenv.Eventually(t, "the file has begun", func() bool { return w.h.tail.Load() > 0 })
		late := openReader(t, key, o)
		closeMember(t, gone)
		close(src.more)
		if err := sending.Wait(); !errors.Is(err, ErrNoReceiver) {
			t.Error(err)
		}
		closeMember(t, w)
		if _, err := late.ReceiveFile(failsafe(t), &sink{}, nil); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "in the middle") {
			t.Error(err)
		}
	})
}

// Who follows waits for a sender that begins a file, and that one has to end it.
func TestReceiverInTheMiddleWaitsForTheNextSender(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		o := Options{Content: Files, Capacity: MinCapacity}
		early, w := openReader(t, key, o), openWriter(t, key, o)
		_, earlyWait := receiving(t, early)
		src := newSlowSource(fileOf("x", 40_000))
		var sending errgroup.Group
		sending.Go(func() error {
			_, err := w.SendFile(failsafe(t), src, FileInfo{Size: -1}, nil)
			return err
		})
		<-src.reached
		late, last := openReader(t, key, o), openReader(t, key, o)
		told := make([]int, 2)
		var waits []func() (Transferred, error)
		var sinks []*sink
		for i, r := range []*Reader{late, last} {
			r.Follow, r.Late = true, func() { told[i]++ }
			s, wait := receiving(t, r)
			sinks, waits = append(sinks, s), append(waits, wait)
		}
		close(src.more)
		if err := sending.Wait(); err != nil {
			t.Fatal(err)
		}
		if _, err := earlyWait(); err != nil {
			t.Fatal(err)
		}
		closeMember(t, early)
		closeMember(t, w)
		for range 2 { // senders that do not get so far
			closeMember(t, openWriter(t, key, o))
		}
		second := openWriter(t, key, o)
		if done := sendFile(t, second, fileName("second", 0, 5000)); done.Receivers != 2 {
			t.Errorf("%d receivers of the second", done.Receivers)
		}
		for i, wait := range waits {
			if _, err := wait(); err != nil {
				t.Fatal(err)
			}
			if err := checkFile(sinks[i]); err != nil || told[i] != 1 || sinks[i].begins != 1 {
				t.Errorf("%v, told %d times, %d files begun", err, told[i], sinks[i].begins)
			}
		}
		// The next file breaks off.
		_, wait := receiving(t, late)
		putFile(t, second, struct {
			kind Kind
			data []byte
		}{FileBegin, FileInfo{Size: 5}.marshal()})
		closeMember(t, second)
		if _, err := wait(); !errors.Is(err, ErrIncomplete) || !strings.Contains(err.Error(), "ended after 0 bytes of 5") {
			t.Error(err)
		}
		if !late.Follow {
			t.Error("Follow is not as it was")
		}
	})
}

func TestNobodyReceives(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, size := range []int{0, 100_000} {
			key := on.spot(t)
			w := openWriter(t, key, filesAny)
			_, err := w.SendFile(failsafe(t), bytes.NewReader(fileOf("x", size)), FileInfo{Size: int64(size)}, nil)
			if !errors.Is(err, ErrNoReceiver) {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	})
}

// A file that ends otherwise than it was announced is no file for anybody, and
// the next one is.
func TestBrokenFilesAreFoundOut(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		broken := errors.New("cannot read")
		for name, c := range map[string]struct {
			src  io.Reader
			size int64
			want error
		}{
			"shorter":    {strings.NewReader("12345"), 6, ErrIncomplete},
			"longer":     {strings.NewReader("1234567"), 6, ErrIncomplete},
			"unreadable": {io.MultiReader(strings.NewReader("123"), iotest.ErrReader(broken)), 6, broken},
		} {
			t.Run(name, func(t *testing.T) {
				key := on.spot(t)
				r, w := openReader(t, key, filesAny), openWriter(t, key, filesAny)
				s, wait := receiving(t, r)
				if _, err := w.SendFile(failsafe(t), c.src, FileInfo{Size: c.size}, nil); !errors.Is(err, c.want) {
					t.Errorf("sender: %v", err)
				}
				name := fileName("next", 0, 1000)
				if done := sendFile(t, w, name); done.Receivers != 1 {
					t.Errorf("%d receivers of the next file", done.Receivers)
				}
				if _, err := wait(); err != nil {
					t.Fatal(err)
				}
				if err := checkFile(s); err != nil || s.begins != 2 {
					t.Errorf("%v, %d files begun", err, s.begins)
				}
			})
		}
	})
}

func TestSenderEndsInTheMiddle(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for name, size := range map[string]int64{"of a known size": 10_000, "of an unknown size": -1} {
			t.Run(name, func(t *testing.T) {
				key := on.spot(t)
				r, w := openReader(t, key, filesAny), openWriter(t, key, filesAny)
				_, wait := receiving(t, r)
				src := newSlowSource(fileOf("x", 2*chunkSize))
				src.first = io.LimitReader(src.first, int64(w.MaxPayload()))
				defer close(src.more) // ends the Read that was left behind
				ctx, cancel := context.WithCancel(failsafe(t))
				var sending errgroup.Group
				sending.Go(func() error {
					_, err := w.SendFile(ctx, src, FileInfo{Size: size}, nil)
					return err
				})
				<-src.reached
				testenv.Eventually(t, "some of the file was received", func() bool {
					c := r.slots[r.index].cursor.Load()
					return c > 0 && c == w.h.tail.Load() && c > uint64(w.MaxPayload())
				})
				cancel()
				if err := sending.Wait(); !errors.Is(err, context.Canceled) {
					t.Errorf("sender: %v", err)
				}
				closeMember(t, w)
				done, err := wait()
				want := fmt.Sprintf("ended after %d bytes", w.MaxPayload())
				if size >= 0 {
					want += " of 10000"
				}
				if !errors.Is(err, ErrIncomplete) || !strings.HasSuffix(err.Error(), want) || done.Bytes != int64(w.MaxPayload()) {
					t.Errorf("receiver: %+v, %v; want %q", done, err, want)
				}
			})
		}
	})
}

// putFile appends records as a sender that breaks the rules.
func putFile(t *testing.T, w *Writer, records ...struct {
	kind Kind
	data []byte
}) {
	t.Helper()
	ctx := failsafe(t)
	if err := w.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		if err := w.Put(ctx, rec.kind, rec.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
}

func TestWrongFilesAreRefused(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		type record = struct {
			kind Kind
			data []byte
		}
		begin := record{FileBegin, FileInfo{Name: "x", Size: 5}.marshal()}
		data := record{FileData, []byte("hello")}
		sum := sha256.Sum256([]byte("hello"))
		var wrongSum [sha256.Size]byte
		for name, c := range map[string]struct {
			records []record
			want    error
		}{
			"right":           {[]record{begin, data, {FileEnd, fileEnd{5, sum}.marshal()}}, nil},
			"wrong sum":       {[]record{begin, data, {FileEnd, fileEnd{5, wrongSum}.marshal()}}, ErrMismatch},
			"wrong size":      {[]record{begin, data, {FileEnd, fileEnd{6, sum}.marshal()}}, ErrMismatch},
			"lost data":       {[]record{begin, {FileEnd, fileEnd{5, sum}.marshal()}}, ErrMismatch},
			"doubled data":    {[]record{begin, data, data, {FileEnd, fileEnd{5, sum}.marshal()}}, ErrMismatch},
			"short beginning": {[]record{{FileBegin, begin.data[:15]}}, ErrCorrupt},
			"long name":       {[]record{{FileBegin, append(bytes.Clone(begin.data), make([]byte, maxName)...)}}, ErrCorrupt},
			"negative size":   {[]record{{FileBegin, FileInfo{Size: -2}.marshal()}}, ErrCorrupt},
			"short end":       {[]record{begin, data, {FileEnd, make([]byte, endSize-1)}}, ErrCorrupt},
			"long end":        {[]record{begin, data, {FileEnd, make([]byte, endSize+1)}}, ErrCorrupt},
			"negative end":    {[]record{begin, data, {FileEnd, fileEnd{-1, sum}.marshal()}}, ErrCorrupt},
			"a line":          {[]record{begin, {Line, []byte("hello")}}, ErrCorrupt},
			"unknown kind":    {[]record{begin, {99, nil}}, ErrCorrupt},
			"only the end":    {[]record{data, {FileEnd, fileEnd{5, sum}.marshal()}}, ErrIncomplete},
		} {
			t.Run(name, func(t *testing.T) {
				key := on.spot(t)
				r, w := openReader(t, key, filesAny), openWriter(t, key, filesAny)
				putFile(t, w, c.records...)
				closeMember(t, w)
				if _, err := r.ReceiveFile(failsafe(t), &sink{}, nil); !errors.Is(err, c.want) {
					t.Errorf("%v; want %v", err, c.want)
				}
			})
		}
		t.Run("not lines", func(t *testing.T) {
			key := on.spot(t)
			r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
			putFile(t, w, record{Line, []byte("x")}, data)
			var out bytes.Buffer
			if n, err := r.ReadLines(failsafe(t), &out, 0); n != 1 || !errors.Is(err, ErrCorrupt) || out.String() != "x\n" {
				t.Errorf("%d lines %q, %v", n, out.String(), err)
			}
		})
	})
}

// failingSink fails where it is told to.
type failingSink struct {
	sink
	begin, write error
	short        bool
}

func (s *failingSink) Begin(info FileInfo) error { return several(s.begin, s.sink.Begin(info)) }

func (s *failingSink) Write(b []byte) (int, error) {
	if s.short {
		return len(b) - 1, nil
	}
	n, err := s.sink.Write(b)
	return n, several(s.write, err)
}

func TestFailingSinkEndsReceiver(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		full := errors.New("no space left")
		for name, c := range map[string]struct {
			sink failingSink
			want error
		}{
			"begin": {failingSink{begin: full}, full},
			"write": {failingSink{write: full}, full},
			"short": {failingSink{short: true}, io.ErrShortWrite},
		} {
			t.Run(name, func(t *testing.T) {
				key := on.spot(t)
				r, w := openReader(t, key, filesAny), openWriter(t, key, filesAny)
				var sending errgroup.Group
				sending.Go(func() error {
					_, err := w.SendFile(failsafe(t), bytes.NewReader(fileOf("x", 500_000)), FileInfo{Size: 500_000}, nil)
					return err
				})
				if _, err := r.ReceiveFile(failsafe(t), &c.sink, nil); !errors.Is(err, c.want) {
					t.Errorf("receiver: %v", err)
				}
				closeMember(t, r)
				if err := sending.Wait(); !errors.Is(err, ErrNoReceiver) {
					t.Errorf("sender: %v", err)
				}
			})
		}
	})
}

func TestSendersTakeTurns(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		o := Options{Content: Files, Capacity: MinCapacity}
		const senders, files = 4, 5
		r := openReader(t, key, o)
		var sending errgroup.Group
		for i := range senders {
			w := openWriter(t, key, o)
			sending.Go(func() error {
				for k := range files {
					name := fileName(fmt.Sprint("s", i), k, 7000+i)
					if _, err := w.SendFile(failsafe(t), bytes.NewReader(fileOf(name, 7000+i)), FileInfo{Name: name, Size: -1}, nil); err != nil {
						return err
					}
				}
				return w.Close()
			})
		}
		got := map[string]bool{}
		for {
			var s sink
			_, err := r.ReceiveFile(failsafe(t), &s, nil)
			if errors.Is(err, ErrIncomplete) {
				break
			}
			if err == nil {
				err = checkFile(&s)
			}
			if err != nil {
				t.Fatal(err)
			}
			got[s.info.Name] = true
		}
		if err := sending.Wait(); err != nil {
			t.Fatal(err)
		}
		if len(got) != senders*files {
			t.Errorf("%d files", len(got))
		}
	})
}
