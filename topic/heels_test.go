package topic

import "testing"

// A subscriber on the heels of a publisher lets messages come; of two who answer each other neither is kept waiting, but
// now and then, to find out.
func TestOnTheHeelsItLetsMessagesCome(t *testing.T) {
	var h heels
	next := func(looks, streak int) bool {
		h.outcome(streak)
		if h.close() {
			return true
		}
		h.came(looks)
		return false
	}
	waits := func(n, looks, streak int) (waited int) {
		for range n {
			if next(looks, streak) {
				waited++
			}
		}
		return waited
	}
	if n := waits(leastHeels, 1, 1); n != 0 {
		t.Errorf("waited %d times at first", n)
	}
	if n := waits(100, 1, 2); n != 100 {
		t.Errorf("on the heels it waited %d times of 100", n)
	}
	if n := waits(20_000, 1, 1); n > 20 {
		t.Errorf("where it was no use it waited %d times", n)
	}
	if n := waits(2*mostHeels, 1, 1); n == 0 {
		t.Error("it never tries again")
	}
	h = heels{}
	if n := waits(1000, atOnce+1, 5); n != 0 {
		t.Errorf("of what comes late it let pass %d", n)
	}
}
