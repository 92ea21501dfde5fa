package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// What only a stream on a file has to bear.

// Whatever a user's file holds: it is not written to, cut or removed.
func TestFilesOfOthersAreLeftAlone(t *testing.T) {
	const size = ringOffset + MinCapacity
	at := func(size, off int, text string) []byte {
		b := make([]byte, size)
		copy(b[off:], text)
		return b
	}
	onFiles(t, func(t *testing.T, on terrain) {
		for name, content := range map[string][]byte{
			"empty":                    {},
			"one byte":                 at(1, 0, "x"),
			"small":                    []byte("hello\n"),
			"zero, and too small":      at(size-1, 0, ""),
			"other content":            at(size, 0, "somebody's work"),
			"content behind magic":     at(size, 8, "x"),
			"content in the slots":     at(size, slotsOffset, "x"),
			"content in the ring":      at(size, ringOffset, "x"),
			"content in the last byte": at(1<<20, 1<<20-1, "x"),
			"almost the magic":         at(size, 0, "shmstrf2"),
			"a segment's magic":        at(size, 0, "shmstrm1"),
			"magic, and too small":     at(size-1, 0, "shmstrf1"),
		} {
			t.Run(name, func(t *testing.T) {
				key := on.spot(t)
				if err := os.WriteFile(key.Path, content, 0o640); err != nil {
					t.Fatal(err)
				}
				before, err := os.Stat(key.Path)
				if err != nil {
					t.Fatal(err)
				}
				// Not sized: it is what it is.
				for what, join := range joins2(t, key) {
					err := join()
					if !errors.Is(err, ErrForeign) || !errors.Is(err, fs.ErrExist) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), key.site().String()) {
						t.Errorf("%s: %v", what, err)
					}
				}
				after, err := os.Stat(key.Path)
				if err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(key.Path)
				if err != nil || !bytes.Equal(got, content) || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
					t.Errorf("it is another one now, %v", err)
				}
				if err := os.Truncate(key.Path, 0); err != nil {
					t.Fatal(err)
				}
				if on != onMemfd {
					key.clear(t)
				}
			})
		}
	})
}

// joins2 joins a site as a writer and as a reader, and leaves if that works.
func joins2(t *testing.T, key spot) map[string]func() error {
	return map[string]func() error{
		"a writer": func() error {
			w, err := OpenWriter(failsafe(t), key.site(), linesSmall)
			if err == nil {
				err = several(w.Close(), errors.New("it joined"))
			}
			return err
		},
		"a reader": func() error {
			r, err := OpenReader(failsafe(t), key.site(), linesSmall)
			if err == nil {
				err = several(r.Close(), errors.New("it joined"))
			}
			return err
		},
	}
}

func TestWhatIsNoRegularFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	target := path("target")
	if err := several(
		os.WriteFile(target, nil, 0o600), os.Truncate(target, 1<<20),
		os.Symlink(target, path("symlink")), os.Symlink(path("nowhere"), path("dangling")),
		syscall.Mkfifo(path("fifo"), 0o600), os.Mkdir(path("directory"), 0o700),
	); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	defer pw.Close()
	for name, c := range map[string]struct {
		site Site
		want error
		text string
	}{
		"symlink":           {Named(path("symlink"), "file:it"), ErrForeign, "symbolic link"},
		"dangling symlink":  {Named(path("dangling"), "file:it"), ErrForeign, "symbolic link"},
		"FIFO":              {Named(path("fifo"), "file:it"), ErrForeign, "no regular file"},
		"directory":         {Named(path("directory"), "file:it"), ErrForeign, "directory"},
		"socket":            {Named(path("socket"), "file:it"), ErrForeign, "socket"},
		"device":            {Named("/dev/null", "file:it"), ErrForeign, "no regular file"},
		"no directory":      {Named(path("nowhere/file"), "file:it"), fs.ErrNotExist, "nowhere"},
		"a file on the way": {Named(path("target/file"), "file:it"), syscall.ENOTDIR, "target"},
		"proc":              {Named("/proc/self/comm", "file:it"), errors.ErrUnsupported, "tmpfs, ext4"},
		"pipe":              {Descriptor(fmt.Sprintf("/proc/self/fd/%d", pr.Fd()), "file:it"), ErrForeign, "no regular file"},
		"no descriptor":     {Descriptor("/proc/self/fd/9999", "file:it"), fs.ErrNotExist, "9999"},
		"no process":        {Descriptor("/proc/0/fd/1", "file:it"), fs.ErrNotExist, "/proc/0"},
		"nowhere":           {Site{}, fs.ErrInvalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				w, err := OpenWriter(failsafe(t), c.site, linesSmall)
				if err == nil {
					closeMember(t, w)
				}
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) || c.text != "" && !strings.Contains(err.Error(), "file:it") {
					t.Errorf("%v; want %v", err, c.want)
				}
			}
		})
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 6 {
		t.Errorf("%d entries now, %v", len(entries), err)
	}
}

func TestBlankFileIsTakenAsItIs(t *testing.T) {
	onFiles(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		key.blank(t, ringOffset+3*MinCapacity)
		before, err := os.Stat(key.Path)
		if err != nil {
			t.Fatal(err)
		}
		r := openReader(t, key, linesSmall)
		w := openWriter(t, key, linesSmall)
		after, err := os.Stat(key.Path)
		if err != nil || !os.SameFile(before, after) || r.capacity != 3*MinCapacity || w.capacity != r.capacity {
			t.Errorf("rings of %d and %d, %v", r.capacity, w.capacity, err)
		}
		// Its memory is there, also where it had holes.
		if has := after.Sys().(*syscall.Stat_t).Blocks * 512; has < after.Size() {
			t.Errorf("%d of %d bytes are reserved", has, after.Size())
		}
		write(t, w, "x\n")
		closeMember(t, w)
		if got := readAll(t, r); got != "x\n" {
			t.Errorf("%q", got)
		}
		closeMember(t, r)
		nothingUnder(t, key)
		if after, err := os.Stat(key.Path); on == onMemfd && (err != nil || after.Size() != before.Size()) {
			t.Errorf("the memfd has %d bytes now, %v", after.Size(), err)
		}
	})
}

func TestSealedMemfdCarriesAStream(t *testing.T) {
	fd, err := sys.MemfdCreate("shmkit-test", sys.MFD_CLOEXEC|sys.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "memfd")
	defer f.Close()
	if err := several(f.Truncate(ringOffset+MinCapacity), sys.AddSeals(fd, sys.F_SEAL_SHRINK|sys.F_SEAL_GROW|sys.F_SEAL_SEAL)); err != nil {
		t.Fatal(err)
	}
	joinAndLeave(t, spot{Terrain: string(onMemfd), Path: fmt.Sprintf("/proc/self/fd/%d", fd)}, linesSmall)
}

// A peer may cut the file at any time: what is left of the stream is an error for
// everybody, whatever they do just then.
func TestTruncatedUnderItsUsers(t *testing.T) {
	for _, size := range []int64{0, 100, slotsOffset, ringOffset, ringOffset + MinCapacity} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			onFiles(t, func(t *testing.T, on terrain) {
				key := on.spot(t)
				o := Options{Content: Lines, Capacity: 4 * MinCapacity}
				w := openWriter(t, key, o)
				readers := []*Reader{openReader(t, key, o), openReader(t, key, o)}
				ended := make(chan error, len(readers))
				for i, r := range readers {
					go func() {
						_, err := r.ReadLines(failsafe(t), io.Discard, 0)
						ended <- err
					}()
					if i == 0 {
						testenv.Eventually(t, "a reader sleeps", func() bool { return r.slots[r.index].sleeping.Load() == asleep })
					}
				}
				if err := w.Begin(failsafe(t)); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(key.Path, size); err != nil {
					t.Fatal(err)
				}
				var err error
				for err == nil {
					err = w.Put(failsafe(t), Line, payload(1, 1500))
				}
				if !errors.Is(err, ErrTruncated) || strings.Contains(err.Error(), "\n") {
					t.Errorf("who wrote: %v", err)
				}
				for range readers {
					if err := <-ended; !errors.Is(err, ErrTruncated) {
						t.Errorf("who read: %v", err)
					}
				}
				closeMember(t, w)
				for _, r := range readers {
					closeMember(t, r)
				}
				if on == onMemfd { // it is no stream any more, and left as it is
					if err := os.Truncate(key.Path, 0); err != nil {
						t.Error(err)
					}
				}
				nothingUnder(t, key)
			})
		})
	}
}

func TestTruncatedAtRandomMoments(t *testing.T) {
	rounds := 60
	if testing.Short() || underRace {
		rounds = 15
	}
	key := onName.spot(t)
	for round := range rounds {
		o := linesSmall
		w, r := openWriter(t, key, o), openReader(t, key, o)
		var g errgroup.Group
		g.Go(func() error {
			_, err := w.WriteLines(failsafe(t), &endless{p: &part{Tag: "w", Longest: 300}, over: new(atomic.Bool)})
			return err
		})
		g.Go(func() error {
			_, err := r.ReadLines(failsafe(t), io.Discard, 0)
			if err == nil { // the writer ended first
				err = ErrTruncated
			}
			return err
		})
		for r.h.tail.Load() < uint64(round*1000) { // some time later each time
			runtime.Gosched()
		}
		if err := os.Truncate(key.Path, int64(round%3*slotsOffset)); err != nil {
			t.Fatal(err)
		}
		if err := g.Wait(); !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("round %d: %v", round, err)
		}
		closeMember(t, w)
		closeMember(t, r)
		nothingUnder(t, key)
	}
}

// Who waits learns that the name was removed by hand; who comes then begins anew,
// and does not notice how the others leave.
func TestNameRemovedUnderItsUsers(t *testing.T) {
	for _, on := range []terrain{onName, onDisk} {
		t.Run(string(on), func(t *testing.T) {
			key := on.spot(t)
			r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
			put(t, w, "x")
			key.clear(t)
			put(t, w, "y") // they have what they need
			if got := next(t, r) + next(t, r); got != "xy" {
				t.Errorf("%q", got)
			}
			if _, err := r.Next(failsafe(t)); !errors.Is(err, ErrBroken) {
				t.Errorf("next: %v", err)
			}
			if err := w.WaitReaders(failsafe(t), 2); !errors.Is(err, ErrBroken) {
				t.Errorf("wait for readers: %v", err)
			}
			r2, w2 := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
			closeMember(t, w)
			closeMember(t, r)
			put(t, w2, "new")
			if got := next(t, r2); got != "new" {
				t.Errorf("%q", got)
			}
			closeMember(t, w2)
			closeMember(t, r2)
			nothingUnder(t, key)
		})
	}
}

// A name that stands for another file now is nothing to the old one's users.
func TestNameReplacedUnderItsUsers(t *testing.T) {
	key := onDisk.spot(t)
	r := openReader(t, key, linesSmall)
	other := key.Path + ".other"
	if err := several(os.WriteFile(other, []byte("precious"), 0o600), os.Rename(other, key.Path)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(failsafe(t)); !errors.Is(err, ErrBroken) {
		t.Error(err)
	}
	closeMember(t, r)
	if got, err := os.ReadFile(key.Path); string(got) != "precious" {
		t.Errorf("%q, %v", got, err)
	}
	key.clear(t)
}

// What does not fit is refused before anything is there.
func TestNoSpaceForTheFile(t *testing.T) {
	for _, on := range []terrain{onName, onDisk} {
		t.Run(string(on), func(t *testing.T) {
			key := on.spot(t)
			refused(t, key, Options{Content: Lines, Capacity: MaxCapacity}, "no space left", syscall.ENOSPC)
			nothingUnder(t, key)
		})
	}
}

// On a file system that is all but full, a stream is made whole or not at all.
func TestSmallFileSystem(t *testing.T) {
	o := &testenv.StartOptions{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS}
	p := startWith(t, o, "small", part{Content: Lines, Log: t.TempDir()})
	line, err := p.ReadLine()
	if err == nil && strings.HasPrefix(line, "cannot") {
		t.Skip(line)
	}
	if err != nil || line != "ok" {
		t.Errorf("%q, %v: %s", line, err, p.Stderr())
	}
}

// playSmall is the part of TestSmallFileSystem in a mount namespace of its own.
func playSmall(p *part) error {
	dir, ctx := p.Log, context.Background()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=112k"); err != nil {
		return testenv.Say("cannot mount: %v", err)
	}
	site := func(name string) Site { return Named(filepath.Join(dir, name), "file:"+name) }
	o := linesSmall
	o.Capacity = 1 << 20
	if _, err := OpenWriter(ctx, site("large"), o); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("larger than the file system: %w", err)
	}
	o.Capacity = MinCapacity
	w, err := OpenWriter(ctx, site("fits"), o)
	if err != nil {
		return err
	}
	if _, err := OpenWriter(ctx, site("second"), o); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the second: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rest"), make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("filling it: %w", err)
	}
	r, err := OpenReader(ctx, site("fits"), o)
	if err != nil {
		return err
	}
	var g errgroup.Group
	var out bytes.Buffer
	g.Go(func() error {
		_, err := r.ReadLines(ctx, &out, 0)
		return several(err, r.Close())
	})
	text := linesOf("w", 0, 500, 300)
	_, err = w.WriteLines(ctx, strings.NewReader(text))
	if err := several(err, w.Close(), g.Wait()); err != nil {
		return err
	}
	if out.String() != text {
		return errors.New("other lines than were written")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		return fmt.Errorf("%d entries are left: %w", len(entries), err)
	}
	return testenv.Say("ok")
}

func TestWritersOnAFileAreBounded(t *testing.T) {
	onFiles(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		r := openReader(t, key, linesSmall)
		release := lockBytes(t, key, writerBytes, MaxWriters)
		_, err := OpenWriter(failsafe(t), key.site(), linesSmall)
		if !errors.Is(err, ErrFullWriters) {
			t.Errorf("one more: %v", err)
		}
		release()
		put(t, openWriter(t, key, linesSmall), "x")
		if got := next(t, r); got != "x" {
			t.Errorf("%q", got)
		}
	})
}

func TestGivesUpWaitingForLockOfAFile(t *testing.T) {
	onFiles(t, func(t *testing.T, on terrain) {
		key := on.spot(t)
		key.blank(t, ringOffset+MinCapacity)
		release := lockBytes(t, key, lockByte, 1)
		ctx, cancel := context.WithTimeout(failsafe(t), tick)
		defer cancel()
		if _, err := OpenReader(ctx, key.site(), linesSmall); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
		release()
		joinAndLeave(t, key, linesSmall)
	})
}

// Locks of those who only read the file are nobody's life.
func TestReadLocksCountForNothing(t *testing.T) {
	key := onName.spot(t)
	w := openWriter(t, key, linesSmall)
	f, err := os.Open(key.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := sys.OFDLock(int(f.Fd()), sys.F_RDLCK, readerBytes+7, 50, false); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Readers(); n != 0 || err != nil {
		t.Errorf("%d readers, %v", n, err)
	}
	closeMember(t, w)
	nothingUnder(t, key)
}

func TestLivingReadersAreFoundWhereverTheyAre(t *testing.T) {
	key := onName.spot(t)
	r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
	var want [MaxReaders]bool
	want[r.index] = true
	for _, s := range []struct{ at, n int }{{1, 1}, {3, 2}, {500, 100}, {998, 1}, {999, 1}} {
		defer lockBytes(t, key, readerBytes+int64(s.at), int64(s.n))()
		for i := range s.n {
			want[s.at+i] = true
		}
	}
	for what, m := range map[string]*member{"a writer": w.member, "a reader": r.member} {
		if got, err := m.living(); err != nil || *got != want {
			t.Errorf("%s finds other readers, %v", what, err)
		}
	}
	if n, err := w.Readers(); n != 106 || err != nil {
		t.Errorf("%d readers, %v", n, err)
	}
	if some, err := r.hasWriters(); !some || err != nil {
		t.Errorf("writers: %t, %v", some, err)
	}
}

// A writer that always has something to write leaves turns to the others.
func TestWritersOnAFileTakeTurns(t *testing.T) {
	key := onName.spot(t)
	greedy, modest := openWriter(t, key, linesAny), openWriter(t, key, linesAny)
	ctx, cancel := context.WithCancel(failsafe(t))
	var g errgroup.Group
	g.Go(func() error {
		for ctx.Err() == nil {
			if err := greedy.Begin(ctx); err != nil {
				if errors.Is(err, context.Canceled) {
					return nil
				}
				return err
			}
			for range 20 {
				if err := greedy.Put(failsafe(t), Line, payload(1, 1000)); err != nil {
					return err
				}
			}
			if err := greedy.End(); err != nil {
				return err
			}
		}
		return nil
	})
	for range 50 {
		put(t, modest, "x")
	}
	cancel()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// Nobody who is cancelled needs the tick to learn of it.
func TestCancellingNeedsNoTick(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		withoutTick(t, func(string) {})
		for name, wait := range map[string]func(context.Context, *Writer, *Reader) error{
			"a reader":  func(ctx context.Context, _ *Writer, r *Reader) error { _, err := r.Next(ctx); return err },
			"receivers": func(ctx context.Context, w *Writer, _ *Reader) error { return w.WaitReaders(ctx, 2) },
			"space": func(ctx context.Context, w *Writer, _ *Reader) error {
				_, err := w.WriteLines(ctx, strings.NewReader(linesOf("w", 0, 1000, 100)))
				return err
			},
		} {
			t.Run(name, func(t *testing.T) {
				key := on.spot(t)
				r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
				for _, after := range []time.Duration{0, time.Microsecond, 100 * time.Microsecond, 5 * time.Millisecond} {
					ctx, cancel := context.WithTimeout(failsafe(t), after)
					if err := wait(ctx, w, r); !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
					}
					cancel()
				}
				a := openWriter(t, key, linesSmall)
				if err := a.Begin(failsafe(t)); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(failsafe(t), time.Millisecond)
				defer cancel()
				if err := w.Begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
	})
}

func TestOtherUsersNeedPermissionForTheFile(t *testing.T) {
	nobody := &testenv.StartOptions{Credential: testenv.Nobody(t)}
	key := onName.spot(t)
	r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
	for _, mode := range []fs.FileMode{0o600, 0o644, 0o622} {
		if err := os.Chmod(key.Path, mode); err != nil {
			t.Fatal(err)
		}
		for _, role := range []string{"writer", "reader"} {
			p := startWith(t, nobody, role, part{At: key, Content: Lines})
			if code := p.ExitCode(); code != 1 || !strings.Contains(p.Stderr(), "permission denied") || strings.Count(p.Stderr(), "\n") != 1 {
				t.Errorf("mode %v: exit code %d: %s", mode, code, p.Stderr())
			}
		}
	}
	if err := os.Chmod(key.Path, 0o666); err != nil {
		t.Fatal(err)
	}
	p := startWith(t, nobody, "writer", part{At: key, Content: Lines, Tag: "n", Count: 2, Longest: 10})
	if err := p.Wait(); err != nil {
		t.Fatalf("%v: %s", err, p.Stderr())
	}
	closeMember(t, w)
	if got := readAll(t, r); got != linesOf("n", 0, 2, 10) {
		t.Errorf("%q", got)
	}
}

// A file of zeros is a disk image to somebody, or space that was set aside: where names
// are for other things too it is not taken, not written to and not removed.
func TestZerosAreLeftAloneWhereNamesAreForOtherThings(t *testing.T) {
	key := onDisk.spot(t)
	key.Strict = true
	key.blank(t, ringOffset+MinCapacity)
	before := key.left(t)
	_, writeErr := OpenWriter(failsafe(t), key.site(), linesSmall)
	_, readErr := OpenReader(failsafe(t), key.site(), linesSmall)
	for _, err := range []error{writeErr, readErr} {
		if !errors.Is(err, ErrForeign) {
			t.Error(err)
		}
	}
	if after := key.left(t); after != before || !strings.HasSuffix(after, "all zero: true") {
		t.Errorf("it was %s, and is %s", before, after)
	}
	if err := os.Remove(key.Path); err != nil {
		t.Fatal(err)
	}
	joinAndLeave(t, key, linesSmall) // what is made there is a stream like any other
}

// Who is last and may not remove the name makes the file blank again, without an
// error, and whoever comes can use it.
func TestLastUserThatMayNotRemoveTheName(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("strict=%t", strict), func(t *testing.T) { lastMayNotRemove(t, strict) })
	}
}

func lastMayNotRemove(t *testing.T, strict bool) {
	nobody := &testenv.StartOptions{Credential: testenv.Nobody(t)}
	key := onName.spot(t)
	key.Strict = strict
	o := linesSmall
	o.Mode = 0o666
	w := openWriter(t, key, o)
	its := part{At: key, Content: Lines, Tag: "n", Count: 3, Longest: 50}
	p := its
	p.Hold = true
	last := startWith(t, nobody, "reader", p)
	last.Expect("joined")
	put(t, w, lineOf("w", 0, 50), lineOf("w", 1, 50), lineOf("w", 2, 50))
	closeMember(t, w)
	last.Send("go")
	if err := last.Wait(); err != nil {
		t.Fatalf("the last one: %v: %s", err, last.Stderr())
	}
	for range 2 {
		// Magic stays where zeros would be taken for somebody else's.
		if left := key.left(t); !strings.HasSuffix(left, fmt.Sprintf("all zero: %t", !strict)) {
			t.Errorf("%s", left)
		}
		again := startWith(t, nobody, "writer", its)
		if err := again.Wait(); err != nil {
			t.Fatalf("again: %v: %s", err, again.Stderr())
		}
	}
	joinAndLeave(t, key, filesAny)
}
