package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func aHolder(t testing.TB, o *shmtest.StartOptions, dir string) *shmtest.Proc {
	t.Helper()
	p := shmtest.StartWith(t, o, "holder", dir, "9")
	p.Expect("held false")
	return p
}

func TestAKilledHolderIsTold(t *testing.T) {
	t.Run("without waiters", func(t *testing.T) {
		dir := shmtest.Dir(t)
		b := mustOpenBank(t, dir, 2)
		dieHolding(t, dir, 9)
		if !mustWork(t, b) {
			t.Error("nobody was told")
		}
		if mustWork(t, b) {
			t.Error("told again after the repair")
		}
	})
	t.Run("by exit", func(t *testing.T) {
		dir := shmtest.Dir(t)
		b := mustOpenBank(t, dir, 2)
		p := aHolder(t, nil, dir)
		p.Send("exit")
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
		if !mustWork(t, b) {
			t.Error("nobody was told")
		}
	})
	t.Run("with waiters of two processes", func(t *testing.T) {
		dir := shmtest.Dir(t)
		p := aHolder(t, nil, dir)
		const here = 20
		b := mustOpenBank(t, dir, 2)
		other := shmtest.Start(t, "worker", dir, "3", "20")
		other.Expect("ready")
		told := make(chan bool, here)
		var all sync.WaitGroup
		for n := range here {
			c := &teller{who: int64(100 + n), s: b.s, d: b.d, mu: b.mu}
			all.Go(func() {
				was, err := c.work(limited(t))
				if err != nil {
					t.Error(err)
				}
				told <- was
			})
		}
		asleep(t, b, nil)
		p.Kill()
		all.Wait()
		if err := other.Wait(); err != nil {
			t.Errorf("%v\n%s", err, other.Stderr())
		}
		close(told)
		n := 0
		for was := range told {
			if was {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%d were told of one death", n)
		}
		if a := b.d.A.Load(); a != 1+here+20 {
			t.Errorf("%d turns", a)
		}
		finish(t, b)
	})
}

// Who has been woken, and was killed before it looked, strands nobody: in each round a
// waiter with others behind it is killed while the lock goes from hand to hand.
func TestAWaiterKilledAsItIsWoken(t *testing.T) {
	dir := shmtest.Dir(t)
	b, c := mustOpenBank(t, dir, 2), mustOpenBank(t, dir, 3)
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		mustEnter(t, b)
		doomed := shmtest.Start(t, "worker", dir, "1", "1000000")
		doomed.Expect("ready")
		asleep(t, b, nil)
		behind := c.entering(limited(t))
		mustLeave(t, b) // wakes one of the two
		doomed.Release()
		entered(t, behind)
		mustLeave(t, c)
		mustWork(t, b)
	}
	finish(t, b)
}

// A lifeline belongs to the process. The thread that took the lock may go.
func TestTheHoldersThreadMayExit(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b := mustOpenBank(t, dir, 1), mustOpenBank(t, dir, 2)
	var tid int
	<-begin(func() error {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		tid = syscall.Gettid()
		_, err := a.enter(limited(t))
		return err
	})
	if tid != os.Getpid() { // the first thread of a process stays
		shmtest.Eventually(t, "the thread is gone", func() bool {
			_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid))
			return errors.Is(err, os.ErrNotExist)
		})
	}
	if held, err := b.mu.TryLock(); held || err != nil {
		t.Errorf("stolen: %t, %v", held, err)
	}
	mustLeave(t, a)
	finish(t, b)
}

// Another program in the holder's process is not the holder.
func TestExecByTheHolderIsADeath(t *testing.T) {
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 2)
	p := aHolder(t, nil, dir)
	p.Send("exec")
	p.Expect("other program")
	if !mustWork(t, b) {
		t.Error("nobody was told")
	}
	p.CloseStdin()
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

func TestAStoppedHolderKeepsTheLock(t *testing.T) {
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 2)
	p := aHolder(t, nil, dir)
	p.Stop()
	for range 3 { // each longer than several looks at the holder's life
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		_, err := b.enter(ctx)
		var timeout interface{ Timeout() bool }
		if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("%v", err)
		}
		cancel()
	}
	if held, err := b.mu.TryLock(); held || err != nil {
		t.Errorf("stolen: %t, %v", held, err)
	}
	mine := b.entering(limited(t))
	asleep(t, b, nil)
	p.Send("leave")
	p.Continue()
	if entered(t, mine) {
		t.Error("told of a death")
	}
	mustLeave(t, b)
	if err := p.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.Stderr())
	}
	// Stopped, and then killed.
	q := aHolder(t, nil, dir)
	q.Stop()
	mine = b.entering(limited(t))
	asleep(t, b, nil)
	q.Kill()
	if !entered(t, mine) {
		t.Error("nobody was told")
	}
	mustLeave(t, b)
}

func TestHoldersInAnotherPIDNamespace(t *testing.T) {
	testenv.RequireRoot(t)
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 2)
	inside := &shmtest.StartOptions{Cloneflags: syscall.CLONE_NEWPID}
	p := aHolder(t, inside, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	if _, err := b.enter(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stolen from the living: %v", err)
	}
	// Both first processes of namespaces have pid 1.
	q := shmtest.StartWith(t, inside, "holder", dir, "8")
	p.Kill()
	q.Expect("held true")
	q.Send("leave")
	if err := q.Wait(); err != nil {
		t.Errorf("%v\n%s", err, q.Stderr())
	}
	finish(t, b)
}

// A handle that is closed sends those away who wait in its process, and only those.
func TestCloseWhileOthersWait(t *testing.T) {
	dir := shmtest.Dir(t)
	a, b, c := openMutex(t, dir, "x"), openMutex(t, dir, "x"), openMutex(t, dir, "x")
	lock(t, a)
	const n = 300
	var gone []<-chan error
	for range n {
		gone = append(gone, begin(func() error { return b.Lock(limited(t)) }))
	}
	stays := begin(func() error { return c.Lock(limited(t)) })
	allWait(t, dir, n+1)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	for _, g := range gone {
		if err := <-g; !errors.Is(err, pshared.ErrClosed) {
			t.Fatalf("who waited got %v", err)
		}
	}
	unlock(t, a)
	if err := <-stays; err != nil {
		t.Error(err)
	}
	unlock(t, c)
	if err := b.Lock(ctx); !errors.Is(err, pshared.ErrClosed) || !errors.Is(err, os.ErrClosed) {
		t.Errorf("Lock after Close: %v", err)
	}
	if err := b.Unlock(); !errors.Is(err, pshared.ErrClosed) {
		t.Errorf("Unlock after Close: %v", err)
	}
}

// A Close that is refused changes nothing for who waits.
func TestCloseRefusedDisturbsNobody(t *testing.T) {
	dir := shmtest.Dir(t)
	a := openMutex(t, dir, "x")
	lock(t, a)
	waiting := begin(func() error { return a.Lock(limited(t)) })
	for range 200 {
		if err := a.Close(); !errors.Is(err, pshared.ErrHeld) {
			t.Fatalf("Close while holding: %v", err)
		}
	}
	unlock(t, a)
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	unlock(t, a)
}

// Whoever locks while the handle is being closed either has the lock, and Close is refused,
// or does not, and nothing is left behind.
func TestCloseRacesWithLock(t *testing.T) {
	dir := shmtest.Dir(t)
	keep := openMutex(t, dir, "x")
	for range 200 {
		m, err := pshared.OpenMutex("x", &pshared.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				for {
					if err := m.Lock(limited(t)); err != nil {
						if !errors.Is(err, pshared.ErrClosed) {
							t.Error(err)
						}
						return
					}
					if err := m.Unlock(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for {
			err := m.Close()
			if err == nil {
				break
			}
			if !errors.Is(err, pshared.ErrHeld) {
				t.Fatal(err)
			}
		}
		all.Wait()
		if err := keep.Lock(limited(t)); err != nil {
			t.Fatalf("after a Close: %v", err)
		}
		unlock(t, keep)
	}
}

// A goroutine that is about to take a lock while its handle is closed may do so when the
// handle has left. That is no death: whoever looks then takes the lock, and is told
// nothing. A death is told also when the record of the dead has been cleaned.
func TestLeavingIsNoDeath(t *testing.T) {
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 2)
	s, err := pshared.Open[bank]("bank", &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	late := s.Mutex(&s.Data().Mu)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.d.Mu.SetState(late.Me())
	if mustWork(t, b) {
		t.Error("told of a death by who left")
	}
	dieHolding(t, dir, 9)
	if n, err := b.mu.Sweep(); n != 1 || err != nil {
		t.Errorf("%d dead members, %v", n, err)
	}
	if !mustWork(t, b) {
		t.Error("not told of a death, the record having been cleaned")
	}
}

func TestASignalStormIsNotNoticed(t *testing.T) {
	dir := shmtest.Dir(t)
	b := mustOpenBank(t, dir, 2)
	workers := []*shmtest.Proc{shmtest.Start(t, "worker", dir, "3", "300"), shmtest.Start(t, "worker", dir, "4", "300")}
	over := make(chan struct{})
	storm := begin(func() error {
		for {
			select {
			case <-over:
				return nil
			default:
			}
			for _, w := range workers {
				_ = w.Signal(syscall.SIGURG) // it may have ended
			}
			_ = syscall.Kill(os.Getpid(), syscall.SIGURG)
			runtime.Gosched()
		}
	})
	for range 300 {
		mustWork(t, b)
	}
	for _, w := range workers {
		w.Expect("ready")
		if err := w.Wait(); err != nil {
			t.Errorf("%v\n%s", err, w.Stderr())
		}
	}
	close(over)
	<-storm
	finish(t, b)
	if n := b.d.A.Load(); n != 901 {
		t.Errorf("%d turns", n)
	}
}

// Memory that is cut off is an error to those who wait, not the end of the program.
func TestTruncationUnderWaiters(t *testing.T) {
	dir := shmtest.Dir(t)
	var handles [2]*pshared.Mutex
	for i := range handles {
		var err error
		if handles[i], err = pshared.OpenMutex("x", &pshared.Options{Dir: dir}); err != nil {
			t.Fatal(err)
		}
	}
	a, b := handles[0], handles[1]
	lock(t, a)
	var waiting []<-chan error
	for range 5 {
		waiting = append(waiting, begin(func() error { return b.Lock(limited(t)) }))
	}
	allWait(t, dir, 5)
	path := a.Path()
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
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

// Under the race detector, what the lock guards in this process's own memory is not
// reported, whichever handles guard it.
func TestHeapGuardedByTheLockIsNoRace(t *testing.T) {
	dir := shmtest.Dir(t)
	m := map[int]int{}
	var all sync.WaitGroup
	for i := range 4 {
		h := openMutex(t, dir, "x")
		all.Go(func() {
			for n := range 200 {
				if err := h.Lock(limited(t)); err != nil {
					t.Error(err)
					return
				}
				m[n] += i
				if err := h.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if len(m) != 200 {
		t.Error(len(m))
	}
}

// allWait waits until so many goroutines, of all members, sleep for the lock x.
func allWait(t testing.TB, dir string, n int) {
	t.Helper()
	shmtest.Eventually(t, "all wait", func() bool {
		i, err := pshared.Look("lock", "x", dir)
		waiting := 0
		for _, m := range i.Members {
			waiting += m.Waiting
		}
		return err == nil && waiting == n
	})
}
