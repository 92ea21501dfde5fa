package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// A library is what the processes of the readers/writers tests share: a book that takes
// several steps to write, and shows if somebody read or wrote meanwhile.
type library struct {
	RW     pshared.RWMutexWord
	_      [48]byte
	Writer atomic.Int64 // who writes, 0 nobody
	A, B   atomic.Int64 // equal when nobody writes
}

// A clerk works in a library.
type clerk struct {
	who   int64
	s     share
	d     *library
	rw    *pshared.RWMutex
	notes *notes
}

// openLibrary opens the library in dir. who is any number but 0, of this clerk alone.
func openLibrary(dir string, who int64) (*clerk, error) {
	s, err := pshared.Open[library]("library", &pshared.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	return clerkIn(s, s.Data(), who), nil
}

// clerkIn makes a clerk of a library that lies in a struct.
func clerkIn(s share, d *library, who int64) *clerk {
	return &clerk{who: who, s: s, d: d, rw: s.RWMutex(&d.RW)}
}

func mustOpenLibrary(t testing.TB, dir string, who int64) *clerk {
	t.Helper()
	c, err := openLibrary(dir, who)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.s.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// beginRead takes the lock for reading, and looks whether anybody writes.
func (c *clerk) beginRead(ctx context.Context) error {
	if err := c.rw.RLock(ctx); err != nil {
		return err
	}
	d := c.d
	n := d.A.Load()
	if who := d.Writer.Load(); who != 0 || d.B.Load() != n {
		return fmt.Errorf("%d reads, and %d writes: %d and %d", c.who, who, n, d.B.Load())
	}
	return c.notes.note("read %d", n)
}

// endRead looks again, and gives the lock back.
func (c *clerk) endRead() error {
	d := c.d
	n := d.A.Load()
	if who := d.Writer.Load(); who != 0 || d.B.Load() != n {
		return fmt.Errorf("%d still reads, and %d writes: %d and %d", c.who, who, n, d.B.Load())
	}
	if err := c.notes.note("done %d", n); err != nil {
		return err
	}
	return c.rw.RUnlock()
}

// beginWrite takes the lock for writing, and begins. told: the writer before died, and what it
// left was repaired.
func (c *clerk) beginWrite(ctx context.Context) (told bool, err error) {
	if told, err = tolds(c.rw.Lock(ctx)); err != nil {
		return false, err
	}
	d := c.d
	before := d.Writer.Swap(c.who)
	if !told && before != 0 {
		return false, fmt.Errorf("%d has the lock, and %d writes", c.who, before)
	}
	if told {
		d.B.Store(d.A.Load())
	}
	if d.A.Load() != d.B.Load() {
		return false, fmt.Errorf("%d and %d at the beginning", d.A.Load(), d.B.Load())
	}
	n := d.A.Add(1)
	if err := c.notes.note("write %d %t %d", n, told, before); err != nil {
		return told, err
	}
	if told {
		err = c.rw.MakeConsistent()
	}
	return told, err
}

// endWrite finishes, and gives the lock back.
func (c *clerk) endWrite() error {
	d := c.d
	if n := d.B.Add(1); n != d.A.Load() {
		return fmt.Errorf("%d and %d at the end", d.A.Load(), n)
	}
	if err := c.notes.note("written %d", d.A.Load()); err != nil {
		return err
	}
	if !d.Writer.CompareAndSwap(c.who, 0) {
		return fmt.Errorf("%d wrote, and meanwhile %d", c.who, d.Writer.Load())
	}
	return c.rw.Unlock()
}

// write writes once.
func (c *clerk) write(ctx context.Context) (told bool, err error) {
	if told, err = c.beginWrite(ctx); err != nil {
		return told, err
	}
	return told, c.endWrite()
}

// read reads once. If a writer died it repairs what that one left, and tries again.
func (c *clerk) read(ctx context.Context) error {
	for {
		err := c.beginRead(ctx)
		if errors.Is(err, pshared.ErrWriterDead) {
			if _, err := c.write(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		return c.endRead()
	}
}

// tolds splits what Lock returns.
func tolds(err error) (told bool, _ error) {
	if told = errors.Is(err, pshared.ErrOwnerDead); told {
		return true, nil
	}
	return false, err
}

func mustRead(t testing.TB, c *clerk) {
	t.Helper()
	must(t, c.read(limited(t)))
}

func mustWrite(t testing.TB, c *clerk) (told bool) {
	t.Helper()
	told, err := c.write(limited(t))
	must(t, err)
	return told
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// writing writes in a goroutine, reading reads.
func (c *clerk) writing(t testing.TB) <-chan outcome {
	ctx := limited(t)
	return begin(func() outcome {
		told, err := c.write(ctx)
		return outcome{told, err}
	})
}

func (c *clerk) reading(t testing.TB) <-chan error {
	ctx := limited(t)
	return begin(func() error { return c.read(ctx) })
}

// readersAsleep waits until somebody sleeps for the gate, or the victim is dead; drainAsleep
// the same for a writer that waits for readers.
func readersAsleep(t testing.TB, c *clerk, victim *shmtest.Proc) {
	t.Helper()
	shmtest.Eventually(t, "a reader waits", func() bool {
		return victim != nil && victim.Ended() || c.d.RW.Gate()&pshared.ReadersSleep != 0
	})
}

func drainAsleep(t testing.TB, c *clerk, victim *shmtest.Proc) {
	t.Helper()
	shmtest.Eventually(t, "a writer waits for readers", func() bool {
		return victim != nil && victim.Ended() || c.d.RW.Bell()&1 != 0
	})
}

func gateClosed(t testing.TB, c *clerk, victim *shmtest.Proc) {
	t.Helper()
	shmtest.Eventually(t, "a writer has closed the gate", func() bool {
		return victim != nil && victim.Ended() || c.d.RW.Gate()&pshared.GateClosed != 0
	})
}

// settle looks at what is left: it can be written and read, and the two sides agree.
func settle(t testing.TB, c *clerk) {
	t.Helper()
	mustWrite(t, c)
	mustRead(t, c)
	d := c.d
	if d.A.Load() != d.B.Load() || d.Writer.Load() != 0 || d.RW.State()&^pshared.Waiters != 0 || d.RW.Gate()&pshared.GateClosed != 0 {
		t.Errorf("%d and %d, writer %d, state %#x, gate %#x", d.A.Load(), d.B.Load(), d.Writer.Load(), d.RW.State(), d.RW.Gate())
	}
}

// rwRoles are what the role "rw" can be: its arguments are the directory, who it is, and one
// of these with arguments of its own.
var rwRoles = map[string]func(c *clerk, args []string) error{
	// worker writes and reads by turns ("both"), or does one of them, N times.
	"worker": func(c *clerk, args []string) error {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		if err := shmtest.Say("ready"); err != nil {
			return err
		}
		for i := range n {
			if args[0] == "read" || args[0] == "both" && i%2 == 1 {
				err = c.read(context.Background())
			} else {
				_, err = c.write(context.Background())
			}
			if err != nil {
				return err
			}
		}
		return c.s.Close()
	},
	// holder takes the lock for reading or writing, says so, and does what it is told.
	"holder": func(c *clerk, args []string) (err error) {
		told, end := false, c.endRead
		if args[0] == "write" {
			told, err = c.beginWrite(context.Background())
			end = c.endWrite
		} else {
			err = c.beginRead(context.Background())
		}
		if err != nil {
			return err
		}
		if err := shmtest.Say("held %t", told); err != nil {
			return err
		}
		order, err := shmtest.Hear()
		switch {
		case err != nil:
			return err
		case order == "exit":
			return nil // with the lock held
		}
		return errors.Join(end(), c.s.Close())
	},
	// spoiler unlocks what a dead writer left, unrepaired, and resets it.
	"spoiler": func(c *clerk, args []string) error {
		if told, err := tolds(c.rw.Lock(context.Background())); !told {
			return fmt.Errorf("no writer died: %w", err)
		}
		d := c.d
		d.B.Store(d.A.Load())
		d.Writer.Store(0)
		if err := shmtest.Say("told"); err != nil {
			return err
		}
		if _, err := shmtest.Hear(); err != nil {
			return err
		}
		if err := c.rw.Unlock(); err != nil {
			return err
		}
		if err := c.rw.Reset(); err != nil && !errors.Is(err, pshared.ErrNotHeld) { // another was faster
			return err
		}
		return c.s.Close()
	},
	// abandoner leaves what a dead writer left to the next.
	"abandoner": func(c *clerk, args []string) error {
		if told, err := tolds(c.rw.Lock(context.Background())); !told {
			return fmt.Errorf("no writer died: %w", err)
		}
		return errors.Join(c.rw.Abandon(), c.s.Close())
	},
	// witness reads, and says what came of it.
	"witness": func(c *clerk, args []string) error {
		if err := shmtest.Say("ready"); err != nil {
			return err
		}
		what := "read"
		switch err := c.beginRead(context.Background()); {
		case errors.Is(err, pshared.ErrWriterDead):
			what = "told"
		case err != nil:
			return err
		default:
			if err := c.endRead(); err != nil {
				return err
			}
		}
		return errors.Join(shmtest.Say("%s", what), c.s.Close())
	},
	// quitter waits for a moment only.
	"quitter": func(c *clerk, args []string) (err error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		if args[0] == "write" {
			_, err = c.write(ctx)
		} else {
			err = c.read(ctx)
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return c.s.Close()
	},
	"scribe": rwScribe, "recorder": rwRecorder, "hammer": rwHammer,
}

// rwRole plays one of rwRoles.
func rwRole(args []string) error {
	who, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil {
		return err
	}
	c, err := openLibrary(args[0], who)
	if err != nil {
		return err
	}
	return rwRoles[args[2]](c, args[3:])
}

// namedHolder ends holding the lock x for reading or writing.
func namedHolder(args []string) error {
	rw, err := pshared.OpenRWMutex("x", &pshared.Options{Dir: args[0]})
	if err != nil {
		return err
	}
	lock := rw.RLock
	if args[1] == "write" {
		lock = rw.Lock
	}
	return errors.Join(lock(context.Background()), shmtest.Say("held"))
}

func startRW(t testing.TB, dir string, who int64, role string, args ...string) *shmtest.Proc {
	t.Helper()
	return shmtest.Start(t, "rw", append([]string{dir, fmt.Sprint(who), role}, args...)...)
}

// aLibraryHolder is another process that holds the lock for "read" or "write".
func aLibraryHolder(t testing.TB, dir, how string) *shmtest.Proc {
	t.Helper()
	p := startRW(t, dir, 9, "holder", how)
	p.Expect("held false")
	return p
}

// die leaves what somebody who held it so left behind.
func die(t testing.TB, dir, how string) {
	t.Helper()
	aLibraryHolder(t, dir, how).Release()
}
