package words_test

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/words"
)

func TestWordsOf32Bits(t *testing.T) {
	for _, v := range []uint32{0, 1, 1 << 31, math.MaxUint32} {
		for _, d := range []uint32{0, 1, 5, math.MaxUint32} {
			x := [3]uint32{77, v, 99}
			p := &x[1]
			if got := words.Load32(p); got != v {
				t.Errorf("loads %#x, want %#x", got, v)
			}
			if got := words.Add32(p, d); got != v+d || *p != v+d {
				t.Errorf("%#x + %#x is %#x, and stands as %#x", v, d, got, *p)
			}
			if words.CompareAndSwap32(p, v+d+1, 3) || *p != v+d {
				t.Errorf("swapped another value: %#x", *p)
			}
			if !words.CompareAndSwap32(p, v+d, v) || *p != v {
				t.Errorf("did not swap: %#x", *p)
			}
			if got := words.Swap32(p, d); got != v || *p != d {
				t.Errorf("swap gave %#x, left %#x", got, *p)
			}
			words.Store32(p, ^v)
			if x != [3]uint32{77, ^v, 99} {
				t.Errorf("after a store: %#x", x)
			}
		}
	}
}

func TestWordsOf64Bits(t *testing.T) {
	for _, v := range []uint64{0, 1, 1 << 31, 1 << 32, 1 << 63, math.MaxUint64} {
		for _, d := range []uint64{0, 1, 1 << 32, math.MaxUint64} {
			x := [3]uint64{77, v, 99}
			p := &x[1]
			if got := words.Load64(p); got != v {
				t.Errorf("loads %#x, want %#x", got, v)
			}
			if got := words.Add64(p, d); got != v+d || *p != v+d {
				t.Errorf("%#x + %#x is %#x, and stands as %#x", v, d, got, *p)
			}
			if words.CompareAndSwap64(p, v+d+1, 3) || *p != v+d {
				t.Errorf("swapped another value: %#x", *p)
			}
			if !words.CompareAndSwap64(p, v+d, v) || *p != v {
				t.Errorf("did not swap: %#x", *p)
			}
			if got := words.Swap64(p, d); got != v || *p != d {
				t.Errorf("swap gave %#x, left %#x", got, *p)
			}
			words.Store64(p, ^v)
			if x != [3]uint64{77, ^v, 99} {
				t.Errorf("after a store: %#x", x)
			}
		}
	}
}

// Additions of many goroutines, some by sync/atomic, are all counted.
func TestWordsAreAtomic(t *testing.T) {
	var a, c uint32
	var b, d uint64
	var wg sync.WaitGroup
	const goroutines, each = 8, 5000
	for range goroutines {
		wg.Go(func() {
			for range each {
				words.Add32(&a, 1)
				atomic.AddUint32(&a, 1)
				words.Add64(&b, 1<<33)
				for v := words.Load32(&c); !words.CompareAndSwap32(&c, v, v+3); v = words.Load32(&c) {
				}
				for v := words.Load64(&d); !words.CompareAndSwap64(&d, v, v+5); v = words.Load64(&d) {
				}
			}
		})
	}
	wg.Wait()
	const n = goroutines * each
	if words.Load32(&a) != 2*n || words.Load64(&b) != n<<33 || words.Load32(&c) != 3*n || words.Load64(&d) != 5*n {
		t.Errorf("%d, %d, %d, %d additions of %d are lost", 2*n-a, n-b>>33, n-c/3, n-d/5, n)
	}
}
