package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

var (
	linesSmall = Options{Content: Lines, Capacity: MinCapacity}
	linesAny   = Options{Content: Lines, Capacity: 64 << 10}
	filesAny   = Options{Content: Files, Capacity: 64 << 10}
)

// failsafe is a context that ends a test that hangs, and with it its waits.
func failsafe(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testenv.Failsafe)
	t.Cleanup(cancel)
	return ctx
}

// openWriter joins as a writer that leaves at the end of the test, if not before.
func openWriter(t testing.TB, key spot, o Options) *Writer {
	t.Helper()
	w, err := OpenWriter(failsafe(t), key.sized(t, o).site(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeMember(t, w) })
	return w
}

// openReader joins as a reader that leaves at the end of the test, if not before.
func openReader(t testing.TB, key spot, o Options) *Reader {
	t.Helper()
	r, err := OpenReader(failsafe(t), key.sized(t, o).site(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeMember(t, r) })
	return r
}

// closeMember leaves. A second time does nothing.
func closeMember(t testing.TB, c io.Closer) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// put appends lines in one turn.
func put(t testing.TB, w *Writer, lines ...string) {
	t.Helper()
	ctx := failsafe(t)
	if err := w.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if err := w.Put(ctx, Line, []byte(l)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
}

// write is WriteLines of a text.
func write(t testing.TB, w *Writer, text string) LinesWritten {
	t.Helper()
	done, err := w.WriteLines(failsafe(t), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// next takes the next line.
func next(t testing.TB, r *Reader) string {
	t.Helper()
	rec, err := r.Next(failsafe(t))
	if err != nil {
		t.Fatal(err)
	}
	if rec.Kind != Line {
		t.Fatalf("record of kind %d", rec.Kind)
	}
	return string(rec.Data)
}

// readAll reads all lines up to the end of the stream.
func readAll(t testing.TB, r *Reader) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := r.ReadLines(failsafe(t), &out, 0); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// nothingUnder fails if something is left at a spot.
func nothingUnder(t testing.TB, key spot) {
	t.Helper()
	if left := key.left(t); left != "" {
		t.Errorf("left behind: %s", left)
	}
}

// joinAndLeave is the next one to come: it works, and leaves nothing.
func joinAndLeave(t testing.TB, key spot, o Options) {
	t.Helper()
	r := openReader(t, key, o)
	w := openWriter(t, key, o)
	if o.Content == Lines {
		put(t, w, "hello")
		if got := next(t, r); got != "hello" {
			t.Errorf("the next ones exchange %q", got)
		}
	}
	closeMember(t, w)
	closeMember(t, r)
	nothingUnder(t, key)
}

// sink collects a file.
type sink struct {
	bytes.Buffer
	info   FileInfo
	begins int
}

func (s *sink) Begin(info FileInfo) error {
	s.Reset()
	s.info = info
	s.begins++
	return nil
}

// fileOf is the content of the test file with a name and a size.
func fileOf(name string, size int) []byte {
	seed := [32]byte{}
	copy(seed[:], name)
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(seed).Read(b) // does not fail
	return b
}

// lineOf is the nth line of a writer: it says whose it is and which, and the rest
// of it follows from that.
func lineOf(tag string, n, longest int) string {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	h := uint64(n)*0x9e3779b97f4a7c15 + uint64(len(tag))
	for _, c := range tag {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d ", tag, n)
	for size := int(h>>32) % (longest + 1); b.Len() < size; {
		h = h*0x5851f42d4c957f2d + 0x14057b7ef767814f
		b.WriteByte(letters[h>>58%uint64(len(letters))])
	}
	return b.String()
}

// linesOf are lines [from, to) of a writer, each with its newline.
func linesOf(tag string, from, to, longest int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(lineOf(tag, n, longest))
		b.WriteByte('\n')
	}
	return b.String()
}
