package explain

// split: areas are ranges of pages that are alike.
func split() Experiment {
	return Experiment{
		Number:   8,
		Name:     "split",
		Title:    "One area becomes three",
		Question: "One mmap makes one line in /proc/self/maps. What if the middle of it is protected, or unmapped?",
		Outline: []string{
			"map six pages: one area",
			"protect two in the middle: three areas, the same frames",
			"take the protection back: one area",
			"unmap the middle: two areas and a hole; map it again: one area",
		},
		run: runSplit,
	}
}

func runSplit(x *lab) {
	st := x.stage(player{name: "A"})
	st.do(note{title: "A file in memory", quiet: true}, "A memfd fd=d0")
	st.do(note{title: "… of six pages", quiet: true}, "A truncate fd=d0 size=6p")
	st.do(note{title: "A maps all of it", why: "An area is a range of pages that are alike: one line."}, "A mmap fd=d0 addr=0 len=6p prot=rw- flags=shared")
	st.do(note{title: "A stores to page 0", faults: true}, "A store addr=0 val=1")
	st.do(note{title: "A stores to page 2", faults: true}, "A store addr=2p val=3")
	st.do(note{title: "A stores to page 5", faults: true}, "A store addr=5p val=6")
	st.do(note{title: "A makes pages 2 and 3 read-only",
		why: "An area has one protection. So the kernel splits it at both ends of the range: three areas of one mapping. The third begins at page 4 of the file."}, "A mprotect addr=2p len=2p prot=r--")
	st.do(note{title: "A loads from page 2", faults: true, why: "Splitting touched no memory: the frames stay, the entries too."}, "A load addr=2p")
	st.do(note{title: "A stores to page 2", faults: true, why: "SIGSEGV: the access is not allowed. (SIGBUS would be: allowed, and no memory to be had.)"}, "A store addr=2p val=4")
	st.do(note{title: "A makes them writable again",
		why: "Neighbours that are alike again, with offsets that go on from each other, merge: one area."}, "A mprotect addr=2p len=2p prot=rw-")
	st.do(note{title: "A unmaps pages 2 and 3", why: "munmap takes any range of pages, not only what mmap has made: two areas and a hole."}, "A munmap addr=2p len=2p")
	st.do(note{title: "A loads from the hole", faults: true, why: "Nothing is mapped there: SIGSEGV."}, "A load addr=2p")
	st.do(note{title: "A maps the middle again, at the same place", why: "The same file at the offset that fits between its neighbours: all three merge."}, "A mmap fd=d0 addr=2p off=2p len=2p prot=rw- flags=shared")
	st.do(note{title: "A loads from page 2", faults: true, why: "The entry was gone, the frame was not: it belongs to the file. One fault finds it again."}, "A load addr=2p")
	st.do(note{title: "A maps page 3 of the file at page 2", why: "Alike in everything, but its offset does not go on from its neighbour's: three areas again."}, "A mmap fd=d0 addr=2p off=3p len=1p prot=rw- flags=shared")
	st.do(note{title: "A unmaps all of it", why: "One call, all areas in the range."}, "A munmap addr=0 len=6p")
	x.conclude("The kernel splits areas wherever pages are not alike any more, and merges neighbours that are.",
		"Areas are only descriptions: splitting and merging touches no memory, and unmapping takes away entries, never what is in the file.")
}
