package explain

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/live"
)

// Without a disk the experiment says so, and shows the rest.
func TestBackingWithoutADisk(t *testing.T) {
	r := agreesIn(t, backing(), "/dev/shm")
	if got := shown(t, r, "A file on a disk: here is none", "pages written back"); !strings.Contains(got, "no device behind it") {
		t.Error(got)
	}
	if got := shown(t, r, "A brings the POSIX object to its device", factWritten); got != "0" && !strings.Contains(got, "does not count") {
		t.Errorf("msync of memory has written %s bytes", got)
	}
}

// What the experiment says of each kind it has seen: a kernel that is otherwise does not
// agree.
func TestAnotherBackingIsADisagreement(t *testing.T) {
	for name, c := range map[string]struct{ of, other, want string }{
		"another object": {
			"B mmap fd=d1 addr=7p len=1p prot=rw- flags=shared", "B mmap fd=d0 addr=7p len=1p prot=rw- flags=shared",
			"B loads from the memfd: " + factIdentity,
		},
		"a copy": {
			"B mmap fd=d0 addr=4p len=1p prot=rw- flags=shared", "B mmap fd=d0 addr=4p len=1p prot=rw- flags=private",
			"It becomes a page long, B opens it, and both map it: areas of B",
		},
		"not stored": {
			"A store addr=3p val=9", "A load addr=3p",
			"What can be found of it: first byte of the POSIX object",
		},
		"lost": {
			"A load", "A load addr=1",
			"It loads what the dead had stored: value",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := lyingIn(t, backing(), instead(c.of, c.other))
			if !slices.Contains(got, c.want) {
				t.Errorf("%q", got)
			}
		})
	}
}

// Memory that somebody still has is found.
func TestHoldersAreFound(t *testing.T) {
	e := backing()
	e.run = func(x *lab) {
		st := x.stage(player{name: "A"}, player{name: "B"})
		k := &backed{what: "the memfd", fd: "d0"}
		st.do(note{title: "one", why: "…"}, "A memfd fd=d0")
		mapBoth(st, k)
		var v live.View
		x.step(plan{who: "A", title: "looks"}, func(s *step) {
			var err error
			v, err = st.cast.Look("A")
			x.check(err)
		})
		id := identityIn(v, 0)
		if n := st.holders(id); n != 2 {
			t.Errorf("%d processes have %v, want 2", n, id)
		}
		st.do(note{title: "A unmaps", why: "…"}, "A munmap addr=0 len=1p")
		if n := st.holders(id); n != 2 {
			t.Errorf("%d processes have it, of which one has it open only, want 2", n)
		}
		st.do(note{title: "A closes", why: "…"}, "A close fd=d0")
		if n := st.holders(id); n != 1 {
			t.Errorf("%d processes have it, want 1", n)
		}
		if opens(os.Getpid(), id) || id == (identity{}) {
			t.Errorf("%v is open here", id)
		}
	}
	if _, err := Run(t.Context(), e, nil); err != nil {
		t.Error(err)
	}
	nothingLeft(t)
}
