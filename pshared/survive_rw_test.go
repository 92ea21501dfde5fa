package pshared_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// Readers that died inside are in nobody's way, and nobody is told.
func TestKilledReaders(t *testing.T) {
	for name, end := range map[string]func(*shmtest.Proc){
		"killed": func(p *shmtest.Proc) { p.Release() },
		"exited": func(p *shmtest.Proc) { p.Send("exit"); <-p.Exited() },
	} {
		t.Run(name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
			var doomed []*shmtest.Proc
			for range 3 {
				doomed = append(doomed, aLibraryHolder(t, dir, "read"))
			}
			waits := a.writing(t)
			drainAsleep(t, a, nil)
			reads := b.reading(t)
			for _, p := range doomed {
				end(p)
			}
			if o := <-waits; o.err != nil || o.told {
				t.Errorf("a writer after dead readers: %+v", o)
			}
			must(t, <-reads)
			die(t, dir, "read") // and nobody waits
			if mustWrite(t, a) {
				t.Error("told of a dead reader")
			}
			settle(t, a)
		})
	}
}

// A writer that died inside: readers that wait, in two processes, and those that come, are told
// and don't get the lock; one writer is told, with it.
func TestAKilledWriter(t *testing.T) {
	for name, end := range map[string]func(*shmtest.Proc){
		"killed": func(p *shmtest.Proc) { p.Release() },
		"exited": func(p *shmtest.Proc) { p.Send("exit"); <-p.Exited() },
	} {
		t.Run(name, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
			p := aLibraryHolder(t, dir, "write")
			other := startRW(t, dir, 4, "witness")
			other.Expect("ready")
			var waiting []<-chan error
			for range 20 {
				waiting = append(waiting, begin(func() error { return a.beginRead(limited(t)) }))
			}
			shmtest.Eventually(t, "all wait", func() bool { return a.s.Waiting() == len(waiting) })
			end(p)
			for _, w := range waiting {
				err := <-w
				wantErr(t, "a reader that waited", err, pshared.ErrWriterDead)
				wantErr(t, "a reader that waited", err, pshared.ErrOwnerDead)
			}
			other.Expect("told")
			must(t, other.Wait())
			wantErr(t, "RLock", a.beginRead(limited(t)), pshared.ErrWriterDead)
			held, err := a.rw.TryRLock()
			if wantErr(t, "TryRLock", err, pshared.ErrWriterDead); held {
				t.Error("a reader got in")
			}
			held, err = b.rw.TryLock()
			if wantErr(t, "TryLock", err, pshared.ErrOwnerDead); !held {
				t.Error("the writer who is told does not hold the lock")
			}
			must(t, b.rw.Abandon())
			wantErr(t, "RLock after Abandon", a.beginRead(limited(t)), pshared.ErrWriterDead)
			if !mustWrite(t, b) {
				t.Error("the next writer was not told")
			}
			if mustWrite(t, a) {
				t.Error("told again after the repair")
			}
			settle(t, a)
		})
	}
}

// What a dead writer left outlives the last member of a named lock, and a dead reader leaves
// nothing but a record, which can be swept.
func TestANamedRWMutexAfterADeath(t *testing.T) {
	dir := shmtest.Dir(t)
	p := shmtest.Start(t, "named", dir, "write")
	p.Expect("held")
	must(t, p.Wait())
	path := ""
	for _, want := range []error{pshared.ErrOwnerDead, nil} {
		rw, err := pshared.OpenRWMutex("x", &pshared.Options{Dir: dir})
		must(t, err)
		path = rw.Path()
		if err := rw.Lock(limited(t)); !is(err, want) {
			t.Errorf("Lock: %v, want %v", err, want)
		}
		must(t, errors.Join(rw.MakeConsistent(), rw.Unlock(), rw.Close()))
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
	rw := openRWMutex(t, dir, "x")
	p = shmtest.Start(t, "named", dir, "read")
	p.Expect("held")
	must(t, p.Wait())
	tries(t, "writing after a dead reader", rw.TryLock, true)
	must(t, rw.Unlock())
	if n, err := rw.Sweep(); n != 1 || err != nil {
		t.Errorf("swept %d, %v", n, err)
	}
}

// While a writer repairs, readers wait, and get in when it is done.
func TestReadersWaitForTheRepair(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
	die(t, dir, "write")
	if told, err := a.beginWrite(limited(t)); !told || err != nil {
		t.Fatal(told, err)
	}
	tries(t, "reading during the repair", b.rw.TryRLock, false)
	reads := b.reading(t)
	readersAsleep(t, b, nil)
	must(t, a.endWrite())
	must(t, <-reads)
	settle(t, a)
}

// Who waits for the lock and is killed leaves nothing behind: for writing behind readers, behind
// another writer, for reading.
func TestKilledWaiters(t *testing.T) {
	t.Run("a writer, for readers", func(t *testing.T) {
		dir := shmtest.Dir(t)
		a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
		must(t, a.beginRead(limited(t)))
		p := startRW(t, dir, 9, "worker", "write", "1")
		gateClosed(t, a, nil)
		reads := begin(func() error { return b.beginRead(limited(t)) })
		readersAsleep(t, b, nil)
		p.Release()
		wantErr(t, "a reader behind it", <-reads, pshared.ErrWriterDead)
		must(t, a.endRead())
		if !mustWrite(t, b) {
			t.Error("nobody was told")
		}
		settle(t, a)
	})
	t.Run("a writer, for a writer", func(t *testing.T) {
		dir := shmtest.Dir(t)
		a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
		_, err := a.beginWrite(limited(t))
		must(t, err)
		p := startRW(t, dir, 9, "worker", "write", "1")
		shmtest.Eventually(t, "a writer waits", func() bool { return a.d.RW.State()&pshared.Waiters != 0 })
		write, read := b.writing(t), b.reading(t)
		readersAsleep(t, b, nil)
		p.Release()
		must(t, a.endWrite())
		must(t, <-read)
		if o := <-write; o.err != nil || o.told {
			t.Errorf("a writer behind a dead waiter: %+v", o)
		}
		settle(t, a)
	})
	t.Run("readers, for a writer", func(t *testing.T) {
		dir := shmtest.Dir(t)
		a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
		_, err := a.beginWrite(limited(t))
		must(t, err)
		p := startRW(t, dir, 9, "worker", "read", "1")
		readersAsleep(t, a, nil)
		write := b.writing(t)
		p.Release()
		must(t, a.endWrite())
		if o := <-write; o.err != nil || o.told {
			t.Errorf("a writer behind a dead reader: %+v", o)
		}
		settle(t, a)
	})
}

// A stream of readers of several processes does not keep a writer out, nor one of writers a
// reader, and killing some of them changes nothing.
func TestStreams(t *testing.T) {
	for _, c := range []struct{ stream, single string }{{"read", "write"}, {"write", "read"}} {
		t.Run("of those who "+c.stream, func(t *testing.T) {
			dir := shmtest.Dir(t)
			a := mustOpenLibrary(t, dir, 2)
			var stream []*shmtest.Proc
			for i := range int64(3) {
				p := startRW(t, dir, 10+i, "worker", c.stream, "1000000000")
				p.Expect("ready")
				stream = append(stream, p)
			}
			rounds := 200
			if testing.Short() {
				rounds = 20
			}
			for n := range rounds {
				var err error
				if c.single == "write" {
					_, err = a.write(limited(t))
				} else {
					err = a.read(limited(t))
				}
				must(t, err)
				if i := n * 3 / rounds; n%(rounds/3) == 0 && i < 2 {
					stream[i].Kill()
				}
			}
			for _, p := range stream {
				p.Release()
			}
			settle(t, a)
		})
	}
}

func TestAStoppedReaderKeepsTheLock(t *testing.T) {
	dir := shmtest.Dir(t)
	a := mustOpenLibrary(t, dir, 2)
	p := aLibraryHolder(t, dir, "read")
	p.Stop()
	for range 2 { // each longer than several looks at its life
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		_, err := a.write(ctx)
		wantErr(t, "writing beside a stopped reader", err, context.DeadlineExceeded)
		cancel()
	}
	tries(t, "writing beside a stopped reader", a.rw.TryLock, false)
	mustRead(t, a)
	waits := a.writing(t)
	drainAsleep(t, a, nil)
	p.Send("leave")
	p.Continue()
	must(t, (<-waits).err)
	must(t, p.Wait())
	q := aLibraryHolder(t, dir, "read")
	q.Stop()
	waits = a.writing(t)
	drainAsleep(t, a, nil)
	q.Release() // stopped, and then killed
	must(t, (<-waits).err)
	settle(t, a)
}

func TestAStoppedWriterKeepsTheLock(t *testing.T) {
	dir := shmtest.Dir(t)
	a := mustOpenLibrary(t, dir, 2)
	p := aLibraryHolder(t, dir, "write")
	p.Stop()
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		wantErr(t, "reading beside a stopped writer", a.beginRead(ctx), context.DeadlineExceeded)
		cancel()
	}
	tries(t, "reading beside a stopped writer", a.rw.TryRLock, false)
	tries(t, "writing beside a stopped writer", a.rw.TryLock, false)
	reads := a.reading(t)
	readersAsleep(t, a, nil)
	p.Send("leave")
	p.Continue()
	must(t, <-reads)
	must(t, p.Wait())
	settle(t, a)
}

// A reader that only waits, and is stopped, holds nothing: writers go on without it.
func TestAStoppedWaitingReaderKeepsNobodyOut(t *testing.T) {
	dir := shmtest.Dir(t)
	a := mustOpenLibrary(t, dir, 2)
	_, err := a.beginWrite(limited(t))
	must(t, err)
	p := startRW(t, dir, 9, "worker", "read", "1")
	p.Expect("ready")
	readersAsleep(t, a, nil)
	p.Stop()
	must(t, a.endWrite())
	// For a while it goes before the next writer. Who is itself held up for that long tries again,
	// in a phase in which the reader counts.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for tries := 0; ; tries++ {
		_, err := a.beginWrite(over)
		if err != nil {
			wantErr(t, "a writer that has no time", err, context.Canceled)
			break
		}
		must(t, a.endWrite())
		if tries == 20 {
			t.Error("a reader that waited does not go before the next writer")
			break
		}
		mustWrite(t, a)
	}
	for range 4 {
		mustWrite(t, a)
		mustRead(t, a)
	}
	p.Continue()
	must(t, p.Wait())
	settle(t, a)
}

// A lock that was unlocked unrepaired is lost, to readers and writers, those who wait and those
// who come, until it is reset.
func TestNotRecoverable(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
	die(t, dir, "write")
	told, err := tolds(a.rw.Lock(limited(t)))
	if must(t, err); !told {
		t.Fatal("nobody was told")
	}
	reads, writes := begin(func() error { return b.beginRead(limited(t)) }), b.writing(t)
	shmtest.Eventually(t, "both wait", func() bool { return b.s.Waiting() == 2 })
	must(t, a.rw.Unlock())
	wantErr(t, "a reader that waited", <-reads, pshared.ErrNotRecoverable)
	wantErr(t, "a writer that waited", (<-writes).err, pshared.ErrNotRecoverable)
	wantErr(t, "RLock", b.rw.RLock(ctx), pshared.ErrNotRecoverable)
	wantErr(t, "Lock", b.rw.Lock(ctx), pshared.ErrNotRecoverable)
	_, err = b.rw.TryRLock()
	wantErr(t, "TryRLock", err, pshared.ErrNotRecoverable)
	_, err = b.rw.TryLock()
	wantErr(t, "TryLock", err, pshared.ErrNotRecoverable)
	wantErr(t, "Unlock", a.rw.Unlock(), pshared.ErrNotHeld)
	d := a.d
	d.B.Store(d.A.Load())
	d.Writer.Store(0)
	must(t, b.rw.Reset())
	must(t, a.rw.Reset()) // it is free
	settle(t, a)
}

// 12,000 goroutines wait for a writer, and all read when it is done.
func TestACrowdOfReaders(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := mustOpenLibrary(t, dir, 2), mustOpenLibrary(t, dir, 3)
	crowd := 12_000
	if testing.Short() {
		crowd = 2000
	}
	_, err := a.beginWrite(limited(t))
	must(t, err)
	var all sync.WaitGroup
	var inside, most atomic.Int64
	ctx := limited(t)
	gate := make(chan struct{})
	for range crowd {
		all.Go(func() {
			if err := b.beginRead(ctx); err != nil {
				t.Error(err)
				return
			}
			n := inside.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); {
				m = most.Load()
			}
			<-gate
			if err := b.endRead(); err != nil {
				t.Error(err)
			}
		})
	}
	shmtest.Eventually(t, "all wait", func() bool { return b.s.Waiting() == crowd })
	if n := threads(t); n > 500 {
		t.Errorf("%d threads", n)
	}
	if inside.Load() != 0 {
		t.Error("somebody reads beside a writer")
	}
	must(t, a.endWrite())
	shmtest.Eventually(t, "all are inside", func() bool { return inside.Load() == int64(crowd) })
	writes := a.writing(t)
	gateClosed(t, a, nil)
	close(gate)
	must(t, (<-writes).err)
	all.Wait()
	if marks, _ := b.rw.Entry(); uint32(marks) != 0 {
		t.Errorf("%d are left inside", uint32(marks))
	}
	settle(t, a)
}

// Memory that is cut off is an error to those who wait, not the end of the program.
func TestTruncationUnderReadersAndWriters(t *testing.T) {
	dir := shmtest.Dir(t)
	var handles [3]*pshared.RWMutex
	for i := range handles {
		var err error
		handles[i], err = pshared.OpenRWMutex("x", &pshared.Options{Dir: dir})
		must(t, err)
	}
	a, b, c := handles[0], handles[1], handles[2]
	must(t, a.RLock(ctx))
	waiting := []<-chan error{begin(func() error { return b.Lock(limited(t)) })}
	shmtest.Eventually(t, "a writer waits for the reader", func() bool { return a.Word().Gate()&pshared.GateClosed != 0 && a.Word().Bell()&1 != 0 })
	for range 5 {
		waiting = append(waiting, begin(func() error { return c.RLock(limited(t)) }), begin(func() error { return c.Lock(limited(t)) }))
	}
	allWait(t, dir, 11)
	path := a.Path()
	must(t, os.Truncate(path, 0))
	var fault *shmkit.FaultError
	for _, w := range waiting {
		if err := <-w; err == nil || !errors.As(err, &fault) && !errors.Is(err, syscall.EFAULT) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who waited got %v", err)
		}
	}
	for _, h := range handles {
		if err := h.Close(); err != nil && !errors.As(err, &fault) {
			t.Error(err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
