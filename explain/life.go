package explain

// life: System V segments, from shmget to the last detach.
func life() Experiment {
	return Experiment{
		Number:   3,
		Name:     "life",
		Title:    "The life of a System V segment",
		Question: "When does a System V segment begin to exist, who holds it, and when is it gone?",
		Outline: []string{
			"A makes a segment with a key, B finds it by the key: one id",
			"both attach; the kernel counts",
			"A is killed, B detaches: the segment stays",
			"B removes it while it is attached: the key is gone, the memory is not",
			"with the last detach it is",
		},
		run: runLife,
	}
}

func runLife(x *lab) {
	st := x.stage(player{name: "A"}, player{name: "B"})
	made := st.do(note{
		title: "A makes a segment with a key",
		why:   "The key is how others find it, the id is what the kernel calls it. IPC_EXCL: it must not have been there.",
	}, "A shmget id=s0 key=1 size=2p mode=600 flags=creat,excl")
	st.do(note{
		title: "B asks for the key", quiet: true,
		why:    "The same key leads to the same segment: B gets the id that A got.",
		expect: []expectation{expect("id", is, made.ID)},
		look: func(s *step, _ views) {
			s.show("id", st.cast.ID("s1"), "what the call returned")
		},
	}, "B shmget id=s1 key=1 size=2p mode=600")
	st.do(note{title: "A attaches", why: "An attachment is a mapping: a line in the list of mappings. The kernel counts it: nattch=1."}, "A shmat id=s0 addr=0")
	st.do(note{title: "B attaches", why: "nattch=2. lpid is the process that attached or detached last."}, "B shmat id=s1 addr=4p")
	st.do(note{title: "A attaches once more, elsewhere", why: "What is counted are mappings, not processes: nattch=3."}, "A shmat id=s0 addr=8p")
	st.do(note{title: "A stores through one of its addresses", faults: true, why: "The first touch takes a frame: pages=1."}, "A store addr=0 val=7")
	st.do(note{title: "A loads through the other one", faults: true, why: "One segment, one frame, at whatever address."}, "A load addr=8p")
	st.end(note{title: "A is killed", why: "The kernel detaches what a process had attached, however it ends: nattch=1. Who has made the segment does not matter for its life."}, "A")
	st.do(note{title: "B detaches", why: "nattch=0, and the segment stays, with its page: nobody has removed it. This is how segments leak."}, "B shmdt addr=4p")
	st.do(note{title: "B attaches again", why: "It is all there."}, "B shmat id=s1 addr=4p")
	st.do(note{title: "B loads what A had stored", faults: true, why: "A is dead, its byte is not."}, "B load addr=4p")
	st.do(note{title: "B removes the segment while it is attached", why: "It is marked (dest), and its key is gone: nobody will find it any more. Those who have it attached keep it."}, "B rmid id=s1")
	st.do(note{title: "Another process A looks for the key", quiet: true, why: "There is no segment with this key any more. With IPC_CREAT there would be another one now."}, "A shmget id=s2 key=1 size=2p mode=600")
	st.do(note{title: "It attaches by the id", why: "Linux allows that as long as the segment is there; other systems don't. nattch=2."}, "A shmat id=s0 addr=0")
	st.do(note{title: "It loads", faults: true, why: "What was removed is the name, not the memory."}, "A load addr=0")
	st.do(note{title: "It detaches", why: "One mapping less, one attachment less."}, "A shmdt addr=0")
	st.do(note{title: "B detaches, the last one", why: "Nobody has the segment attached, and it is marked: the kernel frees it."}, "B shmdt addr=4p")
	st.do(note{title: "B asks for it by its id", quiet: true, why: "There is no segment with this id any more."}, "B stat id=s1")
	x.conclude("It begins with shmget and needs nobody to exist: it stays when the processes that used it have ended, until it is removed.",
		"Removing takes away the key at once, and the memory with the last detach. Detaching alone removes nothing: that is how segments are leaked.")
}
