package words_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/shmkit/shmkit/internal/words"
)

func TestCopiesAreWholeAndNoLonger(t *testing.T) {
	for n := range 23 {
		src, dst := make([]byte, 8*25), make([]byte, 8*25)
		for i := range src {
			src[i], dst[i] = byte(i+1), 0xee
		}
		for name, copy := range map[string]func(dst, src *byte, n int){"in": words.CopyIn, "out": words.CopyOut} {
			got := bytes.Clone(dst)
			copy(&got[8], &src[8], n)
			want := slices.Concat(dst[:8], src[8:8+8*n], dst[8+8*n:])
			if !bytes.Equal(got, want) {
				t.Errorf("%s, %d words: %x, want %x", name, n, got, want)
			}
		}
	}
}

func TestReleaseStores(t *testing.T) {
	var a [3]words.Uint32
	var b [3]words.Uint64
	words.Release32(&a[1], math.MaxUint32)
	words.Release64(&b[1], math.MaxUint64-1)
	if a[0].Load() != 0 || a[1].Load() != math.MaxUint32 || a[2].Load() != 0 {
		t.Errorf("%x", a[1].Load())
	}
	if b[0].Load() != 0 || b[1].Load() != math.MaxUint64-1 || b[2].Load() != 0 {
		t.Errorf("%x", b[1].Load())
	}
}

// Who reads a word, a copy, and the word once more, and finds it the same, has copied what
// belongs to it: the copies are not reordered with the words around them.
func TestCopiesKeepTheOrder(t *testing.T) {
	var word words.Uint64
	shared := make([]byte, 64)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		var p [64]byte
		for v := uint64(2); ; v += 2 {
			select {
			case <-stop:
				return
			default:
			}
			words.Release64(&word, v)
			for i := range 8 {
				binary.NativeEndian.PutUint64(p[8*i:], v)
			}
			words.CopyIn(&shared[0], &p[0], 8)
			words.Release64(&word, v+1)
		}
	})
	var p [64]byte
	for good, tries := 0, 0; good < 2000 && tries < 50_000_000; tries++ {
		v := word.Load()
		words.CopyOut(&p[0], &shared[0], 8)
		if v&1 == 0 || word.Load() != v {
			continue
		}
		good++
		for i := range 8 {
			if x := binary.NativeEndian.Uint64(p[8*i:]); x != v-1 {
				t.Fatalf("word %d has copied %x", v, p)
			}
		}
	}
	close(stop)
	wg.Wait()
}

func TestPrefetchChangesNothing(t *testing.T) {
	b := []byte("a line that is fetched, and another one behind it, which is fetched just as well as the first")
	want := bytes.Clone(b)
	words.Prefetch(&b[0], len(b))
	words.PrefetchWrite(&b[0], len(b))
	if !bytes.Equal(b, want) {
		t.Errorf("%q", b)
	}
}

func TestPutMessageWritesAllOfIt(t *testing.T) {
	for n := range 14 {
		slot, src := make([]byte, 160), make([]byte, 8*14)
		for i := range src {
			src[i] = byte(i + 1)
		}
		words.PutMessage(&slot[8], &src[0], 7, 1<<40, 24, n)
		want := make([]byte, 160)
		binary.NativeEndian.PutUint64(want[8:], 7)
		binary.NativeEndian.PutUint64(want[16:], 1<<40)
		copy(want[32:], src[:8*n])
		if !bytes.Equal(slot, want) {
			t.Errorf("%d words: %x, want %x", n, slot, want)
		}
	}
}
