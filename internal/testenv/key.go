package testenv

import (
	"os"
	"sync"
	"testing"
)

// Keys and names that tests make things under carry the pid of the test process:
// test processes on one machine don't meet, and the leak check knows its own.
//
// A key is the pid above 10 bits of counter. Linux pids have at most 22 bits, so
// that fills the 32 bits exactly and is never 0, which would mean IPC_PRIVATE.
const keyCounterBits = 10

// ownKey reports whether key was, or could have been, given out by this process.
func ownKey(key int32) bool { return uint32(key)>>keyCounterBits == uint32(os.Getpid()) }

// keys are the System V keys that tests of this process hold.
var keys keyPool

type keyPool struct {
	mu   sync.Mutex
	next uint32         // protected by mu
	held map[int32]bool // protected by mu
}

// take reserves a key that nobody in this process holds and no object has.
func (p *keyPool) take(t testing.TB) int32 {
	t.Helper()
	used := map[int32]bool{}
	for _, id := range mustSysVIDs(t) {
		used[id.Key] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = map[int32]bool{}
	}
	for range 1 << keyCounterBits {
		counter := p.next % (1 << keyCounterBits)
		p.next++
		key := int32(uint32(os.Getpid())<<keyCounterBits | counter)
		if !used[key] && !p.held[key] {
			p.held[key] = true
			return key
		}
	}
	t.Fatalf("all %d System V keys of this test process are in use", 1<<keyCounterBits)
	return 0
}

func (p *keyPool) release(key int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, key)
}

// Key returns a System V key that nothing uses. When the test ends, whatever
// segment, semaphore set or queue then has the key is removed.
func Key(t testing.TB) int32 {
	t.Helper()
	return keyFor(t, func(SysVID) {})
}

// KeyLeakChecked is Key for a test that has to remove what it makes: anything
// still there at its end fails the test, and is then removed.
func KeyLeakChecked(t testing.TB) int32 {
	t.Helper()
	return keyFor(t, func(id SysVID) { t.Errorf("the test left behind: %v", id) })
}

func keyFor(t testing.TB, left func(SysVID)) int32 {
	t.Helper()
	key := keys.take(t)
	t.Cleanup(func() {
		defer keys.release(key)
		for _, id := range mustSysVIDs(t) {
			if id.Key != key {
				continue
			}
			left(id)
			if err := id.Remove(); err != nil {
				t.Error(err)
			}
		}
	})
	return key
}

func mustSysVIDs(t testing.TB) []SysVID {
	t.Helper()
	ids, err := SysVIDs()
	if err != nil {
		t.Fatal(err)
	}
	return ids
}
