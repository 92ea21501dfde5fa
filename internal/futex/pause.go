package futex

import (
	"sync"

	"github.com/shmkit/shmkit/internal/words"
)

// Pause tells the processor that this is a waiting loop: PAUSE on amd64, ISB on arm64,
// some 10 to 50 ns.
//
//go:noescape
func Pause()

// await looks at a word until it is above v, by the sign of the difference, so many times at most and with
// so many pauses in between, and returns how many times it need not have looked: 0 if it never was.
//
//go:noescape
func await(w *words.Uint64, v uint64, looks, pauses int) (left int)

// lookEvery is about how long, in nanoseconds, is best between two looks at a word that another
// processor is about to write. Who looks again at once fetches the cache line while the other is
// writing to it, which then has to fetch it back, and the word comes later than for who is patient.
const lookEvery = 40

// pausesPerLook is how many pauses take so long here. A PAUSE takes from 10 to 200 cycles.
var pausesPerLook = sync.OnceValue(func() int {
	const many = 32
	least := int64(1 << 62)
	for range 3 { // who is interrupted takes longer
		begin := now()
		for range many {
			Pause()
		}
		least = min(least, now()-begin)
	}
	return int(min(max((lookEvery*many+least/2)/max(least, 1), 1), 16))
})
