package shmkit_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

// uses are all ways to touch a mapping from many goroutines at once. Each returns
// nil or ErrClosed.
var uses = map[string]func(m *shmkit.Mapping) error{
	"ReadAt": func(m *shmkit.Mapping) error {
		_, err := m.ReadAt(make([]byte, 1000), rand.Int64N(4096))
		return err
	},
	"WriteAt": func(m *shmkit.Mapping) error {
		_, err := m.WriteAt(make([]byte, 1000), 4096+rand.Int64N(4096))
		return err
	},
	"words": func(m *shmkit.Mapping) error {
		if _, err := m.Add64(8, 1); err != nil {
			return err
		}
		if _, err := m.Load32(16); err != nil {
			return err
		}
		_, err := m.CompareAndSwap64(8, 0, 1)
		return err
	},
	"View": func(m *shmkit.Mapping) error {
		v, err := shmkit.View[[2]atomic.Uint64](m, 16)
		if err != nil {
			return err
		}
		d := v.Data()
		for range 50 {
			d[1].Add(1)
			_ = make([]byte, 512) // garbage: the collector runs while the view is in use
		}
		return v.Close()
	},
	"ViewSlice": func(m *shmkit.Mapping) error {
		v, err := shmkit.ViewSlice[byte](m, 8192, 4096)
		if err != nil {
			return err
		}
		n := 0
		for _, b := range v.Data() {
			n += int(b)
		}
		if n != 0 {
			return errors.New("a view shows something else's memory")
		}
		return v.Close()
	},
	"Bytes in Guard": func(m *shmkit.Mapping) error {
		var fault *shmkit.FaultError
		err := shmkit.Guard(func() {
			if b := m.Bytes(); b != nil {
				for range 10 {
					b[12288] = 1
				}
			}
		})
		if errors.As(err, &fault) && fault.Off != 12288 {
			return err
		}
		if err == nil && m.Closed() {
			return shmkit.ErrClosed
		}
		return err
	},
}

func TestMappingsSurviveCloseAmongUsersUnderGarbageCollection(t *testing.T) {
	rounds := 150
	if testing.Short() {
		rounds = 20
	}
	var stop atomic.Bool
	var collector sync.WaitGroup
	collector.Go(func() {
		for !stop.Load() {
			runtime.GC()
		}
	})
	for range rounds {
		seg := newSegment(t, 16384)
		m, err := seg.Attach(nil)
		if err != nil {
			t.Fatal(err)
		}
		var users sync.WaitGroup
		var used atomic.Int64
		for what, use := range uses {
			users.Go(func() {
				for {
					err := use(m)
					switch {
					case err == nil:
						used.Add(1)
					case errors.Is(err, shmkit.ErrClosed):
						return
					default:
						t.Errorf("%s: %v", what, err)
						return
					}
				}
			})
		}
		for target := rand.Int64N(200); used.Load() < target && !t.Failed(); {
			runtime.Gosched()
		}
		for range 2 {
			users.Go(func() { closeOK(t, m) })
		}
		users.Wait()
		if n := attachCount(t, seg); n != 0 {
			t.Fatalf("%d mappings are attached after the last user", n)
		}
		if err := seg.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	collector.Wait()
}

func TestManyGoroutinesMapAndUnmap(t *testing.T) {
	seg := newSegment(t, 8192)
	registered := shmkit.Registered()
	quarantined, _ := shmkit.Quarantined()
	const goroutines, each = 8, 300
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			var stale []byte
			for i := range each {
				m, err := seg.Attach(&sysv.AttachOptions{ReadOnly: i%3 == 0})
				if err != nil {
					t.Error(err)
					return
				}
				if g%2 == 0 { // half of them leave a reserved range behind
					stale = m.Bytes()
				}
				if _, err := m.Load64(0); err != nil {
					t.Error(err)
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
				if stale != nil && !errors.Is(shmkit.Guard(func() { stale[0]++ }), fs.ErrClosed) {
					t.Error("a late use was not caught")
				}
			}
		})
	}
	wg.Wait()
	if n := attachCount(t, seg); n != 0 {
		t.Errorf("%d mappings are attached", n)
	}
	now, _ := shmkit.Quarantined()
	if shmkit.Registered()-registered != now-quarantined {
		t.Errorf("the registry grew by %d, the quarantine by %d", shmkit.Registered()-registered, now-quarantined)
	}
}

// A view whose owner is garbage keeps the memory all the same: what is in use by
// its data must not go with it.
func TestDataOutlivesItsForgottenView(t *testing.T) {
	seg := newSegment(t, 4096)
	m := attach(t, seg, nil)
	data := func() []byte {
		v, err := shmkit.ViewSlice[byte](m, 0, 4096)
		if err != nil {
			t.Fatal(err)
		}
		return v.Data()
	}()
	closeOK(t, m)
	for range 5 {
		runtime.GC()
		for i := range data {
			data[i]++
		}
	}
	if n := attachCount(t, seg); n != 1 {
		t.Errorf("%d mappings are attached, want 1: nobody closed the view", n)
	}
	// Nobody can close it any more, so the test gives the memory back by force.
	forget(t, m)
}
