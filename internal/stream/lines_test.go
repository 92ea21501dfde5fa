package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"golang.org/x/sync/errgroup"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestAnyOrderOfStart(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, order := range []string{"wr", "rw", "rwr", "wrw", "rrww", "wwrr"} {
			t.Run(order, func(t *testing.T) {
				t.Parallel()
				key, ctx := on.spot(t), failsafe(t)
				writers, readers := strings.Count(order, "w"), strings.Count(order, "r")
				outs := make([]bytes.Buffer, readers)
				var g errgroup.Group
				nr, nw := 0, 0
				for _, who := range order {
					if who == 'r' {
						r, out := openReader(t, key, linesSmall), &outs[nr]
						r.Follow = true // who wrote before it came has perhaps ended
						nr++
						g.Go(func() error {
							_, err := r.ReadLines(ctx, out, int64(20*writers))
							return several(err, r.Close())
						})
						continue
					}
					w, text := openWriter(t, key, linesSmall), linesOf(fmt.Sprint("w", nw), 0, 20, 300)
					nw++
					g.Go(func() error {
						if err := w.WaitReaders(ctx, readers); err != nil {
							return err
						}
						_, err := w.WriteLines(ctx, strings.NewReader(text))
						return several(err, w.Close())
					})
				}
				if err := g.Wait(); err != nil {
					t.Fatal(err)
				}
				for i := range outs {
					if !bytes.Equal(outs[i].Bytes(), outs[0].Bytes()) {
						t.Errorf("reader %d has other lines than reader 0", i)
					}
				}
				checkMixed(t, outs[0].String(), writers, 20, 300)
				nothingUnder(t, key)
			})
		}
	})
}

// checkMixed checks that a text is the lines of writers w0, w1, …, mixed.
func checkMixed(t *testing.T, text string, writers, lines, longest int) {
	t.Helper()
	n := map[string]int{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		tag, _, err := whose(line)
		if err != nil || line != lineOf(tag, n[tag], longest) {
			t.Fatalf("%q where line %d of %s is next", line, n[tag], tag)
		}
		n[tag]++
	}
	for i := range writers {
		if tag := fmt.Sprint("w", i); n[tag] != lines {
			t.Errorf("%d lines of %s, not %d", n[tag], tag, lines)
		}
	}
}

func TestManyWritersAndReaders(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, c := range []struct{ writers, readers int }{{1, 20}, {20, 1}, {20, 20}, {3, 7}} {
			t.Run(fmt.Sprintf("%d writers, %d readers", c.writers, c.readers), func(t *testing.T) {
				t.Parallel()
				const lines, longest = 100, 400
				key, ctx := on.spot(t), failsafe(t)
				outs := make([]bytes.Buffer, c.readers)
				var g errgroup.Group
				var all []*Writer
				for range c.writers {
					all = append(all, openWriter(t, key, linesSmall))
				}
				for i := range outs {
					r := openReader(t, key, linesSmall)
					g.Go(func() error {
						_, err := r.ReadLines(ctx, &outs[i], 0)
						return several(err, r.Close())
					})
				}
				for i, w := range all {
					g.Go(func() error {
						_, err := w.WriteLines(ctx, strings.NewReader(linesOf(fmt.Sprint("w", i), 0, lines, longest)))
						return several(err, w.Close())
					})
				}
				if err := g.Wait(); err != nil {
					t.Fatal(err)
				}
				checkMixed(t, outs[0].String(), c.writers, lines, longest)
				for i := range outs {
					if !bytes.Equal(outs[i].Bytes(), outs[0].Bytes()) {
						t.Errorf("reader %d has other lines than reader 0", i)
					}
				}
				nothingUnder(t, key)
			})
		}
	})
}

func TestLinesArriveAsTheyWere(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		binary := make([]byte, 0, 256)
		for b := range 256 {
			if b != '\n' {
				binary = append(binary, byte(b))
			}
		}
		long := strings.Repeat("0123456789abcde\n"[:15], MaxLine/15+1)[:MaxLine]
		for name, c := range map[string]struct {
			in, out string // out without its last newline
			lines   int64
		}{
			"nothing":              {"", "", 0},
			"one empty line":       {"\n", "", 1},
			"empty lines":          {"\n\n\n", "\n\n", 3},
			"one byte":             {"x\n", "x", 1},
			"no newline at end":    {"a\nb", "a\nb", 2},
			"only half a line":     {"a", "a", 1},
			"carriage returns":     {"a\r\nb\r\n", "a\r\nb\r", 2},
			"binary":               {string(binary) + "\n" + string(binary), string(binary) + "\n" + string(binary), 2},
			"no UTF-8":             {"\xff\xfe\x00\n", "\xff\xfe\x00", 1},
			"longest":              {long + "\n" + "after\n", long + "\nafter", 2},
			"longest, no newline":  {"before\n" + long, "before\n" + long, 2},
			"larger than a buffer": {strings.Repeat("x", 64<<10) + "\n" + strings.Repeat("y", 64<<10-1) + "\n", strings.Repeat("x", 64<<10) + "\n" + strings.Repeat("y", 64<<10-1), 2},
		} {
			for how, in := range map[string]io.Reader{
				"at once":      strings.NewReader(c.in),
				"half":         iotest.HalfReader(strings.NewReader(c.in)),
				"with EOF":     iotest.DataErrReader(strings.NewReader(c.in)),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.in)),
			} {
				if how == "byte by byte" && len(c.in) > 1000 {
					continue
				}
				t.Run(name+"/"+how, func(t *testing.T) {
					key := on.spot(t)
					o := Options{Content: Lines}
					r, w := openReader(t, key, o), openWriter(t, key, o)
					done, err := w.WriteLines(failsafe(t), in)
					if err != nil || done.Lines != c.lines || done.Unread != 0 {
						t.Errorf("%+v, %v", done, err)
					}
					closeMember(t, w)
					want := c.out + "\n"
					if c.lines == 0 {
						want = ""
					}
					if got := readAll(t, r); got != want {
						t.Errorf("%d bytes, not the %d that were written", len(got), len(want))
					}
				})
			}
		}
	})
}

func TestLineTooLongEndsWriterAfterTheLinesBefore(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for name, c := range map[string]struct {
			capacity int64
			long     int
			newline  string
		}{
			"a byte more than a line may have": {0, MaxLine + 1, "\n"},
			"much more":                        {0, 3*MaxLine + 7, "\n"},
			"without newline":                  {0, MaxLine + 1, ""},
			"more than the ring takes":         {MinCapacity, MinCapacity/2 - 8 + 1, "\nafter\n"},
		} {
			t.Run(name, func(t *testing.T) {
				key := on.spot(t)
				o := Options{Content: Lines, Capacity: c.capacity}
				r, w := openReader(t, key, o), openWriter(t, key, o)
				in := "one\ntwo\n" + strings.Repeat("x", c.long) + c.newline
				done, err := w.WriteLines(failsafe(t), strings.NewReader(in))
				if !errors.Is(err, ErrTooLong) || done.Lines != 2 {
					t.Errorf("%+v, %v", done, err)
				}
				if want := fmt.Sprintf("line 3 has more than %d bytes", min(MaxLine, w.MaxPayload())); !strings.HasSuffix(err.Error(), want) {
					t.Errorf("%v: does not say %q", err, want)
				}
				// It can go on with another input.
				write(t, w, "three\n")
				closeMember(t, w)
				if got := readAll(t, r); got != "one\ntwo\nthree\n" {
					t.Errorf("read %q", got)
				}
			})
		}
	})
}

func TestLongestPayloadOfTheRing(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
		line := strings.Repeat("x", w.MaxPayload())
		put(t, w, line)
		if next(t, r) != line {
			t.Error("it is not what was written")
		}
		if err := w.Begin(failsafe(t)); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{w.MaxPayload() + 1, 1 << 40, -1} {
			if _, err := w.Reserve(failsafe(t), n); !errors.Is(err, ErrTooLong) {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	})
}

func TestErrorOfTheInputComesAfterItsLines(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
		broken := errors.New("the disk is on fire")
		in := io.MultiReader(strings.NewReader("one\ntwo\n"), iotest.ErrReader(broken))
		if done, err := w.WriteLines(failsafe(t), in); !errors.Is(err, broken) || done.Lines != 2 || done.Bytes != 8 {
			t.Errorf("%+v, %v", done, err)
		}
		closeMember(t, w)
		if got := readAll(t, r); got != "one\ntwo\n" {
			t.Errorf("read %q", got)
		}
	})
}

// A line is there for the readers as soon as it came, without the next.
func TestLineByLine(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
		in, typed := io.Pipe()
		var g errgroup.Group
		g.Go(func() error {
			_, err := w.WriteLines(failsafe(t), in)
			return err
		})
		for _, line := range []string{"one", "", "three"} {
			if _, err := io.WriteString(typed, line+"\n"); err != nil {
				t.Fatal(err)
			}
			if got := next(t, r); got != line {
				t.Errorf("%q, not %q", got, line)
			}
		}
		if err := several(typed.Close(), g.Wait()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLinesWithoutReaderAreCounted(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		w := openWriter(t, key, linesSmall)
		text := linesOf("w", 0, 1000, 100) // far more than the ring
		if done := write(t, w, text); done.Lines != 1000 || done.Unread != 1000 {
			t.Errorf("%+v", done)
		}
		r := openReader(t, key, linesSmall)
		if done := write(t, w, "seen\n"); done.Lines != 1 || done.Unread != 0 {
			t.Errorf("%+v", done)
		}
		closeMember(t, w)
		if got := readAll(t, r); got != "seen\n" {
			t.Errorf("a reader that came later got %q", got)
		}
	})
}

// What is reported is what readers left, not what was written when they had gone.
func TestLinesThatAReaderLeftAreCounted(t *testing.T) {
	var settled atomic.Int64
	withoutTick(t, func(p string) {
		if p == "settle:locked" {
			settled.Add(1)
		}
	})
	everywhere(t, func(t *testing.T, on terrain) {
		for name, c := range map[string]struct {
			play   func(t *testing.T, key spot, write func(string)) // between reading 3 of 10 lines and the end
			unread int64
		}{
			"it left":                {func(*testing.T, spot, func(string)) {}, 7},
			"another came":           {func(t *testing.T, key spot, _ func(string)) { openReader(t, key, linesAny) }, 7},
			"another came and wrote": {func(t *testing.T, key spot, write func(string)) { openReader(t, key, linesAny); write("x\n") }, 7},
			"two came and went": {func(t *testing.T, key spot, _ func(string)) {
				for range 2 {
					closeMember(t, openReader(t, key, linesAny))
				}
			}, 7},
			"nobody came and more was written": {func(_ *testing.T, _ spot, write func(string)) { write("x\ny\n") }, 9},
			"what came later was read": {func(t *testing.T, key spot, write func(string)) {
				r := openReader(t, key, linesAny)
				before := settled.Load()
				write("x\n")
				testenv.Eventually(t, "the writer has looked", func() bool { return settled.Load() > before })
				next(t, r)
				if err := r.Advance(); err != nil {
					t.Error(err)
				}
				closeMember(t, r)
				closeMember(t, openReader(t, key, linesAny)) // in the same slot
			}, 7},
		} {
			t.Run(name, func(t *testing.T) {
				key := on.spot(t)
				w, r := openWriter(t, key, linesAny), openReader(t, key, linesAny)
				in, feed := io.Pipe()
				var done LinesWritten
				var writing errgroup.Group
				writing.Go(func() (err error) {
					done, err = w.WriteLines(failsafe(t), in)
					return err
				})
				lines := uint64(0)
				write := func(text string) {
					fmt.Fprint(feed, text)
					lines += uint64(strings.Count(text, "\n"))
					testenv.Eventually(t, "they are written", func() bool { return w.h.tail.Load() == 16*lines })
				}
				write("0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n")
				if n, err := r.ReadLines(failsafe(t), io.Discard, 3); n != 3 || err != nil {
					t.Errorf("%d lines, %v", n, err)
				}
				closeMember(t, r)
				c.play(t, key, write)
				closeMember(t, feed)
				if err := writing.Wait(); err != nil || done.Unread != c.unread || done.Lines != int64(lines) {
					t.Errorf("%+v, want %d unread of %d, %v", done, c.unread, lines, err)
				}
			})
		}
	})
}

func TestReadLinesStopsAfterMost(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
		write(t, w, "1\n2\n3\n4\n5\n")
		for _, want := range []string{"1\n2\n", "3\n"} {
			var out bytes.Buffer
			most := int64(strings.Count(want, "\n"))
			n, err := r.ReadLines(failsafe(t), &out, most)
			if err != nil || n != most || out.String() != want {
				t.Errorf("%d lines, %q, %v", n, out.String(), err)
			}
		}
		closeMember(t, w)
		if got := readAll(t, r); got != "4\n5\n" {
			t.Errorf("then %q", got)
		}
	})
}

func TestEndComesWhenTheLastWriterSeenHasEnded(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key, ctx := on.spot(t), failsafe(t)
		r := openReader(t, key, linesSmall)
		ended := make(chan error, 1)
		go func() {
			_, err := r.Next(ctx)
			ended <- err
		}()
		testenv.Eventually(t, "the reader waits for its first writer", func() bool { return r.slots[r.index].sleeping.Load() == asleep })
		a, b := openWriter(t, key, linesSmall), openWriter(t, key, linesSmall)
		closeMember(t, a)
		testenv.Eventually(t, "the reader was woken and waits for the other writer", func() bool {
			return r.slots[r.index].sleeping.Load() == asleep
		})
		select {
		case err := <-ended:
			t.Fatalf("with a writer left: %v", err)
		default:
		}
		closeMember(t, b)
		if err := <-ended; !errors.Is(err, io.EOF) {
			t.Errorf("%v, not the end", err)
		}
		if _, err := r.Next(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("and again: %v", err)
		}
		// It has left with that: a writer that comes now does not count on it.
		c := openWriter(t, key, linesSmall)
		if n, err := c.Readers(); n != 0 || err != nil {
			t.Errorf("%d readers after the end, %v", n, err)
		}
		put(t, c, "more")
		if _, err := r.Next(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("after another writer came: %v", err)
		}
	})
}

func TestWriterThatCameAndWentWasSeen(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r := openReader(t, key, linesSmall)
		closeMember(t, openWriter(t, key, linesSmall))
		if _, err := r.Next(failsafe(t)); !errors.Is(err, io.EOF) {
			t.Errorf("%v, not the end", err)
		}
	})
}

func TestFollowOutlastsWriters(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r := openReader(t, key, linesSmall)
		r.Follow = true
		for _, text := range []string{"a\n", "b\nc\n"} {
			w := openWriter(t, key, linesSmall)
			write(t, w, text)
			closeMember(t, w)
			var out bytes.Buffer
			if _, err := r.ReadLines(failsafe(t), &out, int64(len(text)/2)); err != nil || out.String() != text {
				t.Errorf("%q, %v", out.String(), err)
			}
		}
		ctx, cancel := context.WithCancel(failsafe(t))
		cancel()
		if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("no writer left: %v", err)
		}
	})
}

// A reader can be cancelled where it waits and where there is always more to read.
func TestCancelledReaderLeaves(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		t.Run("waiting", func(t *testing.T) {
			key := on.spot(t)
			r := openReader(t, key, linesSmall)
			ctx, cancel := context.WithCancel(failsafe(t))
			ended := make(chan error, 1)
			go func() {
				_, err := r.ReadLines(ctx, io.Discard, 0)
				ended <- err
			}()
			testenv.Eventually(t, "the reader sleeps", func() bool { return r.slots[r.index].sleeping.Load() == asleep })
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			closeMember(t, r)
			nothingUnder(t, key)
		})
		t.Run("reading", func(t *testing.T) {
			key := on.spot(t)
			r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
			put(t, w, "one", "two", "three")
			ctx, cancel := context.WithCancel(failsafe(t))
			var out bytes.Buffer
			n, err := r.ReadLines(ctx, writerFunc(func(b []byte) (int, error) { return out.Write(b) }), 1)
			if n != 1 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			cancel()
			if n, err := r.ReadLines(ctx, &out, 0); n != 0 || !errors.Is(err, context.Canceled) {
				t.Errorf("%d lines, %v", n, err)
			}
			if out.String() != "one\n" {
				t.Errorf("%q", out.String())
			}
			if got := next(t, r); got != "two" {
				t.Errorf("then %q", got)
			}
		})
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestFailingOutputEndsReader(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
		put(t, w, "x")
		full := errors.New("no space left")
		if _, err := r.ReadLines(failsafe(t), writerFunc(func([]byte) (int, error) { return 0, full }), 0); !errors.Is(err, full) {
			t.Error(err)
		}
	})
}

func TestCancelledWriterLeaves(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for name, wait := range map[string]func(context.Context, *Writer) error{
			"waiting for readers": func(ctx context.Context, w *Writer) error { return w.WaitReaders(ctx, 2) },
			"waiting for input": func(ctx context.Context, w *Writer) error {
				_, err := w.WriteLines(ctx, iotest.ErrReader(io.ErrNoProgress))
				if errors.Is(err, io.ErrNoProgress) {
					in, typed := io.Pipe()
					defer typed.Close() // ends the Read that was left behind
					_, err = w.WriteLines(ctx, in)
				}
				return err
			},
			"waiting for space": func(ctx context.Context, w *Writer) error {
				_, err := w.WriteLines(ctx, strings.NewReader(linesOf("w", 0, 1000, 100)))
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				key := on.spot(t)
				r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
				ctx, cancel := context.WithTimeout(failsafe(t), 3*tick)
				defer cancel()
				if err := wait(ctx, w); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				closeMember(t, w)
				closeMember(t, r)
				nothingUnder(t, key)
			})
		}
		t.Run("waiting for its turn", func(t *testing.T) {
			key := on.spot(t)
			a, b := openWriter(t, key, linesSmall), openWriter(t, key, linesSmall)
			if err := a.Begin(failsafe(t)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(failsafe(t), tick)
			defer cancel()
			if err := b.Begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			// Who leaves in its turn gives it to the next.
			closeMember(t, a)
			if err := b.Begin(failsafe(t)); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func TestReadersAreBounded(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		if testing.Short() {
			t.Skip("a thousand readers")
		}
		key := on.spot(t)
		w := openWriter(t, key, linesSmall)
		n := MaxReaders
		if on != onSysV { // each would ask for each other's byte
			const others = 900
			defer lockBytes(t, key, readerBytes+50, others)()
			n -= others
		}
		var all []*Reader
		for range n {
			all = append(all, openReader(t, key, linesSmall))
		}
		if n, err := w.Readers(); n != MaxReaders || err != nil {
			t.Errorf("%d readers, %v", n, err)
		}
		_, err := OpenReader(failsafe(t), key.site(), linesSmall)
		if !errors.Is(err, ErrFull) {
			t.Errorf("one more: %v", err)
		}
		put(t, w, "to all of you")
		for _, r := range all {
			if got := next(t, r); got != "to all of you" {
				t.Fatalf("%q", got)
			}
		}
		closeMember(t, all[n/2])
		closeMember(t, openReader(t, key, linesSmall)) // there is room again
		for _, r := range slices.Backward(all) {
			closeMember(t, r)
		}
		if err := w.WaitReaders(failsafe(t), MaxReaders+1); !errors.Is(err, ErrFull) {
			t.Errorf("waiting for more readers than there can be: %v", err)
		}
	})
}
