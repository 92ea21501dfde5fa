package explain

import (
	"testing"

	"github.com/shmkit/shmkit/sysv"
)

// The kernel lists segments by their indexes, which begin again at 0 after a while: a newer
// segment may stand before an older one.
func TestOrderOfSegmentsDoesNotMatter(t *testing.T) {
	if testing.Short() {
		t.Skip("makes and removes a hundred segments")
	}
	e := lazy()
	orders := map[bool]int{} // whether the second has the lower index
	e.run = func(x *lab) {
		st := x.stage(player{name: "A"})
		pass := func(until func(index int) bool) {
			for {
				seg, err := sysv.Create(sysv.Private, 4096, 0o600)
				x.check(err)
				x.check(seg.Remove())
				if until(seg.ID() % (1 << 15)) {
					return
				}
			}
		}
		pass(func(index int) bool { return index == 30 })
		st.do(note{title: "one", quiet: true}, "A shmget id=s0 size=1p mode=600")
		for range 100 {
			two := st.do(note{title: "two", quiet: true}, "A shmget id=s1 size=1p mode=600")
			orders[two.ID%(1<<15) < st.cast.ID("s0")%(1<<15)]++
			st.do(note{title: "remove", quiet: true}, "A rmid id=s1")
			pass(func(int) bool { return true })
		}
		st.do(note{title: "remove", quiet: true}, "A rmid id=s0")
		x.conclude("That is all.")
	}
	r, err := Run(t.Context(), e, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Agree {
		t.Errorf("%q", disagreements(r))
	}
	if orders[true] == 0 || orders[false] == 0 {
		t.Errorf("only one order came: %v", orders)
	}
}
