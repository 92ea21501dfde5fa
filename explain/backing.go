package explain

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/shmkit/shmkit/internal/live"
)

// backing: what shared memory of all kinds has in common, and what not.
func backing() Experiment {
	return Experiment{
		Number:   9,
		Name:     "backing",
		Title:    "System V or file: what is behind it",
		Question: "A System V segment, a POSIX object, a memfd, anonymous memory and a file: what is the same when they are shared, and what is not?",
		Outline: []string{
			"each is mapped by two processes: the same evidence in maps, the same faults, one frame",
			"each is written back: what msync costs, and what it does",
			"both processes are killed: what is still there",
			"it is removed; and what a restart of the machine would leave",
		},
		run:   runBacking,
		roles: map[string]role{"second": secondRole},
	}
}

// A backed is one way to have shared memory: mapped by A at a page, by B at the next.
type backed struct {
	what string // "the POSIX object"
	page int64
	disk bool
	fd   string // of A and B; empty: none
	path string
	id   identity // as it was in maps
}

func runBacking(x *lab) {
	fs := x.diskFolder()
	name, path := x.posixName(pageBytes) // first of all: it may be that there is none to be had
	st := x.stage(player{name: "A", dir: fs.dir}, player{name: "B", dir: fs.dir})
	written := writeBytes(st.pid("A"))

	segment := &backed{what: "the segment", page: 0}
	st.do(note{title: "A System V segment: A makes it", why: "An object in memory, with a number, and with a key if one is wanted."}, "A shmget id=s0 size=1p mode=600")
	st.several(note{title: "Both attach it", why: "shmat is an mmap of the whole segment."}, "A shmat id=s0 addr=0", "B shmat id=s0 addr=1p")
	runKind(st, segment, written)

	posix := &backed{what: "the POSIX object", page: 3, fd: "d0", path: path}
	st.cast.Name("A.d0", path)
	st.do(note{title: "A POSIX object: A makes it", why: fmt.Sprintf("A file of a file system in memory. shm_open(%q) is open(%q).", name, path)}, "A memfd fd=d0")
	mapBoth(st, posix)
	runKind(st, posix, written)

	memfd := &backed{what: "the memfd", page: 6, fd: "d1"}
	st.do(note{title: "A memfd: A makes it", why: "The same without a name: it is found through a descriptor, which is handed over, inherited or opened in /proc."}, "A memfd fd=d1")
	mapBoth(st, memfd)
	runKind(st, memfd, written)

	anonymous := &backed{what: "the anonymous memory", page: 9}
	runAnonymous(x, st, anonymous, written)

	onDisk := &backed{what: "the file", page: 12, fd: "d2", path: filepath.Join(fs.dir, "file"), disk: true}
	if fs.disk {
		st.cast.Name("A.d2", onDisk.path)
		st.do(note{title: "A file on a disk: A makes it", why: "Its pages in memory are copies of blocks on a device."}, "A tmpfile fd=d2")
		mapBoth(st, onDisk)
		runKind(st, onDisk, written)
	} else {
		x.step(plan{who: "the experiment", title: "A file on a disk: here is none", call: "open(…)",
			why: "Set TMPDIR to a folder on a disk.", expect: []expectation{expect("pages written back", is, 1)},
		}, func(s *step) { s.unseen("pages written back", fs.String()+" has no device behind it", "statfs") })
		onDisk = nil
	}
	runSurvivors(x, st, segment, posix, memfd, anonymous, onDisk)
	runRestart(x, fs, segment, posix, memfd, anonymous, onDisk)
	x.conclude("Shared is the same thing in all of them: pages of an object in the page cache, which page tables lead to. Neither maps nor faults nor frames tell a System V segment from a file.",
		"What differs is what is behind the pages. Behind a file is a device, to which they are written back; it survives a restart. Behind the others is nothing: msync costs and does nothing, and a restart leaves nothing.",
		"And what holds them: a segment stays until it is removed, a name until it is unlinked, what has neither until the last process has let go of it.")
}

// mapBoth makes an object one page long, and lets both map it.
func mapBoth(st *stage, k *backed) {
	st.several(note{title: "It becomes a page long, B opens it, and both map it", why: "From here on nobody asks any more what it is."},
		fmt.Sprintf("A truncate fd=%s size=1p", k.fd), fmt.Sprintf("B open fd=%s from=A.%[1]s flags=r,w", k.fd),
		fmt.Sprintf("A mmap fd=%s addr=%dp len=1p prot=rw- flags=shared", k.fd, k.page),
		fmt.Sprintf("B mmap fd=%s addr=%dp len=1p prot=rw- flags=shared", k.fd, k.page+1))
}

// runKind does with each kind the same: store here, load there, write back, store again.
func runKind(st *stage, k *backed, written int64) {
	a, b := place{"A", k.page}, place{"B", k.page + 1}
	storeFirst(st, k)
	st.do(note{
		title: "B loads from " + k.what, faults: true,
		why:    "One fault, which found the frame in the page cache of the object. Both lines of maps name the same device and inode: that is the object.",
		expect: append(oneFault(k), expect(factIdentity, is, "the same"), sameFrame(a, b), exclusive(b, "no")),
		look: func(s *step, all views) {
			k.id = s.compareIdentity(all, a, b)
			s.compareFrames(all, a, b)
			s.showExclusive(all, b)
		},
	}, fmt.Sprintf("B load addr=%dp", b.page))
	writeBack(st, k, written)
}

// oneFault says what the model does not know: faults of files on disk.
func oneFault(k *backed) []expectation {
	if k.disk {
		return []expectation{expect(factFaults, is, 1)}
	}
	return nil
}

func storeFirst(st *stage, k *backed) {
	st.do(note{title: "A stores 7 to " + k.what, faults: true, why: "The first touch: one fault, and one frame in the page cache.", expect: oneFault(k)},
		fmt.Sprintf("A store addr=%dp val=7", k.page))
}

const factWritten = "write_bytes of A since it began"

// writeBack lets A ask for its page to be brought to the device, and store again.
func writeBack(st *stage, k *backed, before int64) {
	l := ledger{st, k.fd, place{"A", k.page}, true}
	bytes, marks, why := expect(factWritten, is, 0), 4, "There is none: nothing was written, and the page is as dirty as before. For memory msync only looks whether all of the range is mapped."
	if k.disk {
		bytes, marks, why = expect(factWritten, atLeast, pageBytes), 0, "The device got the page, and A has waited for it. The kernel counts a page as A's when A makes it dirty: 4096 bytes, and what the file system writes about the file."
	}
	n := note{title: "A brings " + k.what + " to its device: msync", why: why, expect: append(l.marks(marks), bytes)}
	if k.fd != "" && !k.disk || k.disk && fsCounts(st) {
		n.foretell = l.cache
	}
	n.look = func(s *step, all views) {
		if n.foretell != nil {
			l.showCache(s)
		}
		l.showMapping(s)
		l.showFrame(s, all)
		showWritten(s, st.pid("A"), before)
	}
	st.do(n, fmt.Sprintf("A msync addr=%dp len=1p flags=sync", k.page))
	again := note{title: "A stores 9 to " + k.what, faults: true, why: "No fault: nobody has to know of this store, since nobody writes it back.", expect: oneFault(k)}
	if k.disk {
		again.why = "A fault: the kernel had to learn that the page is dirty again. So a file costs a fault and a write of the page each time it was written back, however few bytes have changed."
	}
	st.do(again, fmt.Sprintf("A store addr=%dp val=9", k.page))
}

// fsCounts: cachestat knows the dirty pages of files in the folder of the stage.
func fsCounts(st *stage) bool {
	fs, err := fileSystemAt(st.players[0].dir)
	return err == nil && fs.counts
}

// writeBytes reads how many bytes a process has caused to be written to devices; -1: the
// kernel doesn't count them.
func writeBytes(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return -1
	}
	n := int64(-1)
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "write_bytes: %d", &n); err == nil {
			return n
		}
	}
	return n
}

func showWritten(s *step, pid int, before int64) {
	from := fmt.Sprintf("/proc/%d/io", pid)
	now := writeBytes(pid)
	if now < 0 || before < 0 {
		s.unseen(factWritten, "this kernel does not count it, or does not tell", from)
		return
	}
	s.show(factWritten, now-before, from)
}

// runAnonymous: only fork hands on anonymous memory, and a Go program does not fork
// without exec. Root gets at it through /proc.
func runAnonymous(x *lab, st *stage, k *backed, written int64) {
	st.do(note{
		title: "Anonymous memory, shared: A maps it",
		why:   "maps shows a file that nobody can open: the kernel made an object like the others, without a name and without a descriptor. It is for children that fork.",
	}, fmt.Sprintf("A mmap addr=%dp len=1p prot=rw- flags=shared,anonymous", k.page))
	storeFirst(st, k)
	start := live.Address(k.page)
	path := fmt.Sprintf("/proc/%d/map_files/%x-%x", st.pid("A"), start, start+pageBytes)
	c := x.start("C", "second", nil)
	one := place{"A", k.page}
	x.step(plan{
		who: "C", pids: []int{c.Pid()}, title: "A third process maps it", call: fmt.Sprintf("fd = open(%q, O_RDWR); p = mmap(%#x, …, MAP_SHARED, fd, 0); x = *p", path, start),
		why:    "A child that A had forked would have it: fork copies the list of mappings. C is none, and takes a door for root: /proc/PID/map_files.",
		expect: []expectation{expect("value", is, "7"), expect("frames of A and C", is, "the same")},
	}, func(s *step) {
		answer, err := c.ask(path)
		x.check(err)
		v, err := st.cast.Look("A")
		x.check(err)
		k.id = identityIn(v, k.page)
		s.show("line of A", strings.Join(strings.Fields(lineOf(v, k.page)), " "), fmt.Sprintf("/proc/%d/maps", st.pid("A")))
		if reason, ok := strings.CutPrefix(answer, refused); ok {
			s.unseen("value", "only root may open that (CAP_CHECKPOINT_RESTORE): "+reason, path)
			s.unseen("frames of A and C", needsRoot, "/proc/PID/pagemap")
			return
		}
		value, frame, _ := strings.Cut(answer, " ")
		s.show("value", value, "what was loaded")
		mine := one.in(views{"A": v}).Frame()
		if mine == 0 {
			s.unseen("frames of A and C", needsRoot, "/proc/PID/pagemap")
			return
		}
		same := "different"
		if frame == fmt.Sprint(mine) {
			same = "the same"
		}
		s.show("frames of A and C", same, "/proc/PID/pagemap, bits 0–54")
	})
	c.kill() // so that it does not keep the memory
	_, err := c.wait(x.ctx)
	x.check(err)
	writeBack(st, k, written)
}
