package explain

import (
	"fmt"
	"os"
	"path/filepath"
)

// file: a mapped file, from the store to the device.
func file() Experiment {
	return Experiment{
		Number:   5,
		Name:     "file",
		Title:    "A mapped file: when is it written?",
		Question: "A store to a mapped file makes no system call. When do others see it, when does the device have it, and what if the process dies before?",
		Outline: []string{
			"A stores to a mapping of a file; B reads the file: it is there at once",
			"the page is dirty: the device does not have it",
			"msync: the device has it, the page is clean",
			"A is killed before it could write back: nothing is lost",
			"what a loss of power takes, and what not",
		},
		run: runFile,
	}
}

func runFile(x *lab) {
	fs := x.diskFolder()
	st := x.stage(player{name: "A", dir: fs.dir}, player{name: "B", dir: fs.dir})
	b := ledger{st, "d0", place{"B", 4}, fs.counts || !fs.disk}
	a := b
	a.place = place{"A", 0}
	makeFile(st, fs)
	st.do(note{title: "… of one page", quiet: true, why: "A size, and nothing in it yet."}, "A truncate fd=d0 size=1p")
	st.do(note{title: "A maps it"}, "A mmap fd=d0 addr=0 len=1p prot=rw- flags=shared")
	a.dirties(note{
		title: "A stores 7", expect: []expectation{expect(factFaults, is, 1)},
		why: dirtyWhy(fs),
	}, "A store addr=0 val=7")
	st.do(note{title: "B opens the file", quiet: true}, "B open fd=d0 from=A.d0 flags=r,w")
	st.do(note{
		title: "B reads it with read(2)",
		why:   "It is there at once: read copies from the same page of the page cache that A's mapping leads to. The device was not asked.",
	}, "B read fd=d0 len=1")
	st.do(note{title: "B writes 8 into the second byte with write(2)", quiet: true, why: "write copies into the same page."}, "B write fd=d0 off=1 len=1 val=8")
	st.do(note{title: "A loads that byte", why: "Mapping and file are not kept in step with each other: they are one memory."}, "A load addr=1")
	syncFile(st, a, fs)
	again := expect(factFaults, is, 1)
	why := "While the page is clean the entry does not allow stores, so that the kernel learns of the first one: a fault, and the page is dirty again. That is what writing back costs a process, beside the wait."
	if !fs.disk {
		again, why = expect(factFaults, is, 0), "The entry still allows stores: nobody has to know of them, since nothing is written back."
	}
	a.dirties(note{title: "A stores 9", why: why, expect: []expectation{again}}, "A store addr=0 val=9")
	st.end(note{
		title: "A is killed, without having written back",
		why:   "The kernel unmaps the file and closes it. The page is not A's: it belongs to the file, in the page cache.",
		look:  func(s *step, _ views) { b.showCache(s) },
	}, "A")
	st.do(note{
		title: "B reads the file",
		why:   "A crash of a process loses nothing that it has stored. (It may lose what it had not stored yet: the rest of what belongs together.)",
	}, "B read fd=d0 len=1")
	st.do(note{title: "B maps it", quiet: true}, "B mmap fd=d0 addr=4p len=1p prot=rw- flags=shared")
	st.do(note{title: "B loads", why: "B's page table leads to the page that A's had led to."}, "B load addr=4p")
	st.do(note{
		title: "B brings the file to the device", foretell: b.cache,
		why:  "fsync goes by the file: all of its dirty pages, whoever has stored there, also the dead.",
		look: func(s *step, _ views) { b.showCache(s) },
	}, "B fsync fd=d0")
	runPower(x, fs)
	x.conclude("Others see it at once: the mapping is the page cache of the file. The device gets it later, when the kernel thinks it is time, or now with msync or fsync.",
		"When the process dies nothing is lost, since the pages are the kernel's. When the machine loses power, all is lost that was not written back.")
}

// makeFile makes the file: on a disk, or in memory if there is none.
func makeFile(st *stage, fs fileSystem) {
	show := func(s *step, _ views) { s.show("file system", fs.String(), "fdinfo and mountinfo of /proc/self") }
	if fs.disk {
		st.cast.Name("A.d0", filepath.Join(fs.dir, "file"))
		st.do(note{
			title: "A makes a file on a disk", quiet: true, look: show,
			why: "Its pages in memory are copies of blocks on a device.",
		}, "A tmpfile fd=d0")
		return
	}
	st.do(note{
		title: "A makes a file in memory: here is no disk to make one on", quiet: true, look: show,
		why: "What belongs to the device cannot be seen here. Set TMPDIR to a folder on a disk.",
	}, "A memfd fd=d0")
}

func dirtyWhy(fs fileSystem) string {
	if fs.disk {
		return "One fault, in which the kernel learned that the page is about to differ from the device: it is dirty. The store itself went to memory, and nothing to the device."
	}
	return "The frame is marked dirty, as always; but no page waits for a device, since there is none."
}

func syncFile(st *stage, l ledger, fs fileSystem) {
	n := note{
		title: "A asks for the device to have it: msync", foretell: l.cache, look: l.show,
		why: "msync(2): MS_SYNC “Requests an update and waits for it to complete.” Now the page is the same on both sides: clean.",
	}
	n.expect = l.marks(0)
	if !fs.disk {
		n.expect = l.marks(4)
		n.why = "msync has nothing to do: memory is all there is of this file. The marks stay."
	}
	st.do(n, "A msync addr=0 len=1p flags=sync")
}

// runPower tells what cannot be shown.
func runPower(x *lab, fs fileSystem) {
	const (
		device   = "a device behind the file"
		synced   = "stored, and brought to the device"
		unsynced = "stored, and not brought there"
		told     = "told, and not shown: nobody cuts the power here"
	)
	want := []expectation{expect(device, is, fs.disk), expect(synced, is, "is there"), expect(unsynced, is, "perhaps there, page by page, in any order")}
	if !fs.disk {
		want[1], want[2] = expect(synced, is, "is lost: there is nothing to bring it to"), expect(unsynced, is, "is lost")
	}
	x.step(plan{
		who: "the machine", title: "What a loss of power would leave", call: "(the power goes)", expect: want,
		why: "What is in memory only is lost with the power, with all page caches. The kernel writes dirty pages back by itself after half a minute or so, in an order that is nobody's: without msync or fsync in between, a later store may arrive and an earlier one not.",
	}, func(s *step) {
		f, err := os.Open(fs.dir)
		x.check(err)
		defer f.Close()
		source, err := mountSource(f)
		x.check(err)
		has := filepath.IsAbs(source) || fs.kind == "overlay" // which has its files on another file system
		s.show(device, has, fmt.Sprintf("/proc/self/mountinfo: %s on %s", fs.kind, source))
		s.unseen(synced, told, "")
		s.unseen(unsynced, told, "")
	})
}
