package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/sysv"
)

// Descriptors of the processes that count.
const (
	countMemory = 3 + iota
	countFile
)

// A counter is one of the processes that count.
type counter struct {
	data  *contest
	mu    *pshared.Mutex
	rw    *pshared.RWMutex
	sem   *pshared.Semaphore
	set   *sysv.SemaphoreSet
	file  int
	spoil string // "lose KEY": it forgets one turn; "lock plain": it has a lock where there should be none
}

// openCounter opens all that is to count with.
func openCounter(set, spoil string) (*counter, error) {
	shared, err := pshared.OpenMemfd[contest](os.NewFile(countMemory, "contest"), nil)
	if err != nil {
		return nil, err
	}
	d := shared.Data()
	c := &counter{data: d, mu: shared.Mutex(&d.Mu), rw: shared.RWMutex(&d.RW), spoil: spoil}
	if c.sem, err = shared.Semaphore(&d.Sem, 1); err != nil {
		return nil, err
	}
	if c.set, err = openSemaphore(set); err != nil {
		return nil, err
	}
	// Opened anew: what both have inherited is one open file, and has one lock.
	c.file, err = sys.Reopen(countFile, os.O_RDWR)
	return c, err
}

// countRole counts in the way it is told.
func countRole(a *actor) error {
	debug.SetGCPercent(-1)
	runtime.LockOSThread() // what is counted of waiting is this thread's
	cpu, err := strconv.Atoi(a.args[1])
	if err != nil {
		return err
	}
	if err := sys.UseCPUs(cpu); err != nil {
		return err
	}
	c, err := openCounter(a.args[0], a.args[2])
	if err != nil {
		return err
	}
	if err := a.say("ready"); err != nil {
		return err
	}
	for {
		line, err := a.hear()
		if err != nil {
			return err
		}
		var key string
		var n int
		var ready uint64
		if _, err := fmt.Sscanf(line, "%s %d %d", &key, &n, &ready); err != nil {
			return err
		}
		turn, err := c.turn(key)
		if err != nil {
			return err
		}
		l, err := c.lap(key, n, ready, turn)
		if err != nil {
			return err
		}
		text, err := json.Marshal(l)
		if err != nil {
			return err
		}
		if err := a.say("%s", text); err != nil {
			return err
		}
	}
}

// lap waits for the other, and counts to n.
func (c *counter) lap(key string, n int, ready uint64, turn func() error) (l lap, err error) {
	for c.data.Ready.Add(1); c.data.Ready.Load() < ready; {
		sys.Yield()
	}
	if c.spoil == "lose "+key {
		n--
	}
	before, err := sys.ThreadUsage()
	if err != nil {
		return l, err
	}
	start := sys.MonotonicNow()
	if key == plainCount && c.spoil != "lock plain" {
		for range n {
			c.add()
		}
	} else {
		for range n {
			if err := turn(); err != nil {
				return l, err
			}
		}
	}
	l.Took = sys.MonotonicNow() - start
	after, err := sys.ThreadUsage()
	l.Usage = after.Sub(before)
	return l, err
}

// add is what needs a lock.
func (c *counter) add() { store64(&c.data.Count, load64(&c.data.Count)+1) }

// turn returns what counts once.
func (c *counter) turn(key string) (func() error, error) {
	ctx := context.Background()
	if key == plainCount { // by who is to do something wrong
		key = "mutex"
	}
	switch key {
	case atomicCount:
		return func() error {
			c.data.Added.Add(1)
			return nil
		}, nil
	case "mutex":
		return c.between(func() error { return c.mu.Lock(ctx) }, c.mu.Unlock), nil
	case "rwmutex":
		return c.between(func() error { return c.rw.Lock(ctx) }, c.rw.Unlock), nil
	case "semaphore":
		return c.between(func() error { return c.sem.Acquire(ctx, 1) }, func() error { return c.sem.Release(1) }), nil
	case "sysv":
		return c.between(func() error { return c.set.Op(ctx, sysv.Wait(0).Undo()) }, func() error { return c.set.Op(ctx, sysv.Post(0).Undo()) }), nil
	case "file":
		return c.between(func() error { return c.lockFile(sys.F_WRLCK) }, func() error { return c.lockFile(sys.F_UNLCK) }), nil
	}
	return nil, fmt.Errorf("what is %q?", key)
}

func (c *counter) between(lock, unlock func() error) func() error {
	return func() error {
		if err := lock(); err != nil {
			return err
		}
		c.add()
		return unlock()
	}
}

func (c *counter) lockFile(kind int16) error {
	for {
		if err := sys.OFDLock(c.file, kind, 0, 1, true); err == nil || !again(err) {
			return err
		}
	}
}

// openSemaphore finds a set by its id in words.
func openSemaphore(id string) (*sysv.SemaphoreSet, error) {
	n, err := strconv.Atoi(id)
	if err != nil {
		return nil, err
	}
	return sysv.OpenSemaphoresID(n)
}

// setSemaphore gives the only semaphore of a set a value.
func setSemaphore(id, value int) error {
	set, err := sysv.OpenSemaphoresID(id)
	if err != nil {
		return err
	}
	return set.SetValue(0, value)
}
