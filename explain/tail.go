package explain

// tail: where a file ends, and what is behind.
func tail() Experiment {
	return Experiment{
		Number:   7,
		Name:     "tail",
		Title:    "The tail of the file",
		Question: "A file of 4196 bytes is mapped with three pages. What is behind its end, and what if the end moves?",
		Outline: []string{
			"the last page: zeros behind the end, and stores there reach nobody",
			"the page behind it: SIGBUS",
			"the file is cut off under the mapping: what was memory is SIGBUS",
			"the file grows again: what was SIGBUS is memory",
		},
		run: runTail,
	}
}

func runTail(x *lab) {
	st := x.stage(player{name: "A"}, player{name: "B"})
	st.do(note{title: "A file in memory", quiet: true}, "A memfd fd=d0")
	st.do(note{title: "… of 4196 bytes: a page and 100 bytes", quiet: true}, "A truncate fd=d0 size=1p+100")
	st.do(note{title: "A maps three pages", why: "mmap does not ask how long the file is: it might grow."}, "A mmap fd=d0 addr=0 len=3p prot=rw- flags=shared")
	st.do(note{title: "A stores into the last byte of the file", faults: true}, "A store addr=1p+99 val=7")
	st.do(note{title: "A loads behind the end, in the same page", faults: true, why: "Memory comes in pages. The rest of the last one is filled with zeros."}, "A load addr=1p+200")
	st.do(note{title: "A stores there", faults: true, why: "The page is there, so nobody notices."}, "A store addr=1p+200 val=9")
	st.do(note{title: "The file, read through the descriptor", why: "The file ends where it ended. What was stored behind is no content."}, "A read fd=d0 off=1p len=1p")
	st.do(note{title: "The size of the file", why: "A store never makes a file longer."}, "A size fd=d0")
	st.do(note{title: "A loads from the page behind the last one", faults: true,
		why: "The mapping allows it (else it would be SIGSEGV), and there is no page of the file to be had: SIGBUS."}, "A load addr=2p")

	st.do(note{title: "B opens the file", quiet: true}, "B open fd=d0 from=A.d0 flags=r,w")
	st.do(note{title: "B cuts it off after one page",
		why: "The frame behind the new end is taken away from the file and from every page table. The mapping itself stays as long as it was."}, "B truncate fd=d0 size=1p")
	st.do(note{title: "A loads where it had stored before", faults: true,
		why: "No bug of A's: somebody else has cut off the file. Whoever maps files of others has to be ready for this; shmkit makes an error of it."}, "A load addr=1p+99")
	st.do(note{title: "A loads from the first page", faults: true, why: "That is still part of the file."}, "A load addr=0")
	st.do(note{title: "B makes the file three pages long", quiet: true, why: "A longer file, with nothing in it yet."}, "B truncate fd=d0 size=3p")
	st.do(note{title: "A loads again", faults: true, why: "The mapping works again, without being made anew. What was cut off is lost: zeros."}, "A load addr=1p+99")
	st.do(note{title: "A stores to the page that was SIGBUS at first", faults: true, why: "It is part of the file now."}, "A store addr=2p val=5")
	st.do(note{title: "B reads it through its descriptor", why: "And so it is content."}, "B read fd=d0 off=2p len=1")
	x.conclude("Behind the end, up to the end of the page, are zeros that nobody keeps. Behind that page is SIGBUS.",
		"What counts is the length of the file at the moment of the access: cutting it off takes memory away from those who have it mapped, growing gives it back, empty.")
}
