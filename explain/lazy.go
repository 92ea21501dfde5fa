package explain

import "github.com/shmkit/shmkit/internal/live"

// lazy: a mapping is a promise, the page table is what was kept of it.
func lazy() Experiment {
	return Experiment{
		Number:   1,
		Name:     "lazy",
		Title:    "Memory comes when it is touched",
		Question: "A segment of four pages was made and attached. How much memory does it take?",
		Outline: []string{
			"make a System V segment of four pages, and attach it",
			"look at the page table: there is nothing in it",
			"store to one page, and again: one fault and one frame, then none",
			"load from another page",
			"touch the rest, and count",
		},
		run: runLazy,
	}
}

func runLazy(x *lab) {
	st := x.stage(player{name: "A"})
	st.do(note{
		title: "A segment of four pages is made",
		why:   "shmget writes down a size and an owner. There is an object now, and no memory in it: pages=0.",
	}, "A shmget id=s0 size=4p mode=600")
	st.do(note{
		title:  "A attaches it",
		why:    "shmat adds one line to the list of mappings. The page table stays empty: a mapping is a promise.",
		expect: []expectation{expect(factPresent, is, 0)},
		look:   func(s *step, all views) { s.showPresent(all["A"]) },
	}, "A shmat id=s0 addr=0")
	st.do(note{
		title: "It is marked for removal, so that nothing is left whatever happens",
		why:   "A segment that is removed stays as long as somebody has it attached.",
	}, "A rmid id=s0")
	st.do(note{
		title: "The first store to page 1", faults: true,
		why:    "The page table had no entry, so the processor raised a page fault. The kernel took a free frame, filled it with zeros, wrote it into the page table, and let the store go on.",
		expect: []expectation{expect(factPresent, is, 1)},
		look: func(s *step, all views) {
			s.showPresent(all["A"])
			s.showFrame("frame of page 1", all["A"].Entry(1))
		},
	}, "A store addr=1p val=7")
	st.do(note{
		title: "The second store to page 1", faults: true,
		why:    "The page table leads to the frame. The processor finds it without the kernel: no fault, and no frame more.",
		expect: []expectation{expect(factPresent, is, 1)},
		look:   func(s *step, all views) { s.showPresent(all["A"]) },
	}, "A store addr=1p+1 val=8")
	st.do(note{
		title: "What is in the page", faults: true,
		why: "Two bytes were stored. All others are zeros: nobody gets to see what was in the frame before.",
	}, "A peek addr=1p")
	st.do(note{
		title: "A load from page 3, which nobody has touched", faults: true,
		why: "Loading takes memory, too, when memory is shared: somebody else might store there, and must be seen. The fault brings in neighbours that are in memory already, and no new ones.",
	}, "A load addr=3p")
	st.do(note{title: "A store to page 0", faults: true, why: "One fault and one frame for each page that is touched for the first time."}, "A store addr=0 val=1")
	st.do(note{
		title: "A store to page 2", faults: true, why: "Now all four pages have frames: pages=4.",
		expect: []expectation{expect(factPresent, is, 4)},
		look:   func(s *step, all views) { s.showPresent(all["A"]) },
	}, "A store addr=2p val=1")
	st.do(note{
		title: "The last detach",
		why:   "The segment was marked for removal. With its last attachment it is gone, and its frames are free.",
	}, "A shmdt addr=0")
	x.conclude("As much as was touched: none at first, and a frame more with the first touch of each page.",
		"Each first touch is one page fault, in which the kernel finds a frame. All others cost nothing: the processor finds the frame in the page table.")
}

// factPresent is how many pages have an entry, all of them counted.
const factPresent = "pages in the page table"

func (s *step) showPresent(v live.View) {
	n := 0
	for page := range v.Table {
		if v.Entry(int64(page)).Present() {
			n++
		}
	}
	s.show(factPresent, n, "/proc/PID/pagemap, bit 63")
}
