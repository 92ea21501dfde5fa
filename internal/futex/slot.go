package futex

import (
	"context"
	"math/bits"
	"reflect"
	"sync/atomic"
)

// directSleepers is how many goroutines of this process may themselves be asleep in
// the kernel. It is by far the fastest way to be woken, and each holds an OS thread,
// of which Go allows 10,000.
const directSleepers = 64

// slots are the rights to be one of them. The bit of a slot in slotsTaken belongs to
// whoever set it, and the slot with it.
var (
	slots      [directSleepers]slot
	slotsTaken atomic.Uint64
)

// takeSlot returns a free slot, nil if there is none: best the one that watches ctx
// already.
func takeSlot(ctx context.Context) *slot {
	wish := directSleepers - 1
	if done := ctx.Done(); done != nil {
		wish = slotFor(done)
	}
	for {
		taken := slotsTaken.Load()
		n := wish
		if taken&(1<<n) != 0 {
			n = bits.TrailingZeros64(^taken)
		}
		if n == directSleepers {
			return nil
		}
		if tryTake(taken, n) {
			return &slots[n]
		}
	}
}

// tryTake takes slot n if taken is still what is taken.
func tryTake(taken uint64, n int) bool {
	if !slotsTaken.CompareAndSwap(taken, taken|1<<n) {
		return false
	}
	slots[n].number = n
	return true
}

func (s *slot) giveBack() {
	watching := s.watch.done != nil
	slotsTaken.And(^(uint64(1) << s.number))
	if watching {
		sweepLater()
	}
}

// slotFor is the slot that contexts with this channel take if it is free.
func slotFor(done <-chan struct{}) int {
	return int(spread(reflect.ValueOf(done).Pointer()) % directSleepers)
}
