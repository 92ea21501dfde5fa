package explain

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/live"
)

// frame: the proof that memory is shared.
func frame() Experiment {
	return Experiment{
		Number:   2,
		Name:     "frame",
		Title:    "One frame, two processes",
		Question: "Two processes map the same memory at different addresses. What makes a store in one a load in the other?",
		Outline: []string{
			"A makes memory and maps it; B opens the same and maps it elsewhere",
			"A stores, B loads: the page tables of both lead to one frame",
			"B stores, A loads: no page fault, no system call",
			"both have private memory, too: there the frames differ",
		},
		run: runFrame,
	}
}

func runFrame(x *lab) {
	st := x.stage(player{name: "A"}, player{name: "B"})
	one, other := place{"A", 0}, place{"B", 4}
	st.do(note{title: "A makes memory that has a descriptor and no name", quiet: true}, "A memfd fd=d0")
	st.do(note{title: "… of two pages", quiet: true}, "A truncate fd=d0 size=2p")
	st.do(note{title: "A maps it"}, "A mmap fd=d0 addr=0 len=2p prot=rw- flags=shared")
	st.do(note{title: "B opens what A's descriptor refers to", quiet: true}, "B open fd=d0 from=A.d0 flags=r,w")
	st.do(note{title: "B maps it at another address"}, "B mmap fd=d0 addr=4p len=2p prot=rw- flags=shared")
	st.do(note{
		title: "A stores 7", faults: true,
		why: "The first touch takes a frame. It belongs to the memory object, in the page cache, and not to A.",
	}, "A store addr=0 val=7")
	st.do(note{
		title: "B loads, at its own address", faults: true,
		why: "B's page table had no entry yet: one fault, in which the kernel found the frame in the page cache. Nothing was copied.",
	}, "B load addr=4p")
	st.look(note{
		title:  "The page tables of both",
		why:    "Different addresses, one frame. That is all that sharing memory is.",
		expect: []expectation{sameFrame(one, other), exclusive(one, "no"), exclusive(other, "no")},
		look: func(s *step, all views) {
			s.compareFrames(all, one, other)
			s.showExclusive(all, one)
			s.showExclusive(all, other)
		},
	})
	st.do(note{title: "B stores 8", faults: true, why: "The page table has the frame: the processor stores without the kernel."}, "B store addr=4p val=8")
	st.do(note{
		title: "A loads", faults: true,
		why: "The same frame, so the same bytes. No system call, no fault, no copy: that is why shared memory is fast, and why it needs locks.",
	}, "A load addr=0")
	mine, yours := place{"A", 8}, place{"B", 8}
	st.do(note{title: "For comparison: A maps private memory", quiet: true}, "A mmap addr=8p len=1p prot=rw- flags=private,anonymous")
	st.do(note{title: "B too, and at the same address", quiet: true}, "B mmap addr=8p len=1p prot=rw- flags=private,anonymous")
	st.do(note{title: "A stores there", faults: true, quiet: true}, "A store addr=8p val=1")
	st.do(note{
		title: "B stores there", faults: true,
		why:    "The same address, and different frames: an address means something in one process only. Memory is shared by frames, never by addresses.",
		expect: []expectation{otherFrame(mine, yours), exclusive(mine, "yes"), exclusive(yours, "yes")},
		look: func(s *step, all views) {
			s.compareFrames(all, mine, yours)
			s.showExclusive(all, mine)
			s.showExclusive(all, yours)
		},
	}, "B store addr=8p val=2")
	st.do(note{title: "A still has its own", why: "A's frame has A's byte."}, "A load addr=8p")
	x.conclude("The page tables of both processes lead to the same frame of physical memory.",
		"The addresses may differ. A store is a load elsewhere without any call of the kernel, which has only filled in the page tables.")
}

// A place is a page of a process.
type place struct {
	proc string
	page int64
}

func (p place) String() string { return fmt.Sprintf("%#x of %s", live.Address(p.page), p.proc) }

func (p place) in(all views) live.PageEntry { return all[p.proc].Entry(p.page) }

// factFrames is what two frames are called.
func factFrames(a, b place) string { return fmt.Sprintf("frames of %s and %s", a.proc, b.proc) }

func sameFrame(a, b place) expectation  { return expect(factFrames(a, b), is, "the same") }
func otherFrame(a, b place) expectation { return expect(factFrames(a, b), is, "different") }

// needsRoot says why there are no frame numbers.
const needsRoot = "only root may see frame numbers (CAP_SYS_ADMIN)"

// compareFrames shows the frames of two places, and whether they are one.
func (s *step) compareFrames(all views, a, b place) {
	one, other := a.in(all).Frame(), b.in(all).Frame()
	if one == 0 && other == 0 {
		s.unseen(factFrames(a, b), needsRoot, "/proc/PID/pagemap, bits 0–54")
		return
	}
	answer := "different"
	if one == other {
		answer = "the same"
	}
	s.show(factFrames(a, b), answer, "/proc/PID/pagemap, bits 0–54")
	s.show("frame of "+a.String(), frameText(one), "/proc/PID/pagemap")
	s.show("frame of "+b.String(), frameText(other), "/proc/PID/pagemap")
}

// frameText is the number of a frame, as it is shown.
func frameText(n uint64) string { return fmt.Sprintf("%#x", n) }

// showFrame shows the frame of an entry.
func (s *step) showFrame(what string, e live.PageEntry) {
	if e.Frame() == 0 {
		s.unseen(what, needsRoot, "/proc/PID/pagemap, bits 0–54")
		return
	}
	s.show(what, frameText(e.Frame()), "/proc/PID/pagemap, bits 0–54")
}

// exclusive predicts whether only one page table leads to the frame; everybody may see
// that of his own processes.
func exclusive(p place, want string) expectation {
	return expect(factExclusive(p), is, want)
}

func factExclusive(p place) string { return fmt.Sprintf("page of %s mapped only once", p.proc) }

func (s *step) showExclusive(all views, p place) {
	s.show(factExclusive(p), p.in(all).Exclusive(), "/proc/PID/pagemap, bit 56")
}
