package explain

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
)

// private: copy on write, and what a program that is started inherits.
func private() Experiment {
	return Experiment{
		Number:   6,
		Name:     "private",
		Title:    "A private mapping, and what a child inherits",
		Question: "Who sees a store to a private mapping? And what of its parent's memory does a new program have?",
		Outline: []string{
			"A maps a file privately, B maps it shared: one frame",
			"A stores: it gets a frame of its own, the file and B keep theirs",
			"A gives its copy back, and sees the file again",
			"a parent starts a program: that inherits the descriptor and not the mapping",
		},
		run:   runPrivate,
		roles: map[string]role{"parent": parentRole, "heir": heirRole},
	}
}

func runPrivate(x *lab) {
	st := x.stage(player{name: "A"}, player{name: "B"})
	st.do(note{title: "A file in memory", quiet: true}, "A memfd fd=d0")
	st.do(note{title: "… of one page, with a 1 in its first byte", quiet: true}, "A write fd=d0 len=1 val=1")
	st.do(note{title: "… and a whole page long", quiet: true}, "A truncate fd=d0 size=1p")
	st.do(note{title: "A maps it privately"}, "A mmap fd=d0 addr=0 len=1p prot=rw- flags=private")
	st.do(note{title: "B opens the file", quiet: true}, "B open fd=d0 from=A.d0 flags=r,w")
	st.do(note{title: "B maps it shared"}, "B mmap fd=d0 addr=4p len=1p prot=rw- flags=shared")
	a, b := place{"A", 0}, place{"B", 4}
	var shared uint64 // the frame that both have at first
	st.do(note{title: "B loads", faults: true}, "B load addr=4p")
	st.do(note{
		title: "A loads", faults: true,
		why:    "Private or shared makes no difference to reading: both lead to the page of the file.",
		expect: []expectation{sameFrame(a, b)},
		look: func(s *step, all views) {
			s.compareFrames(all, a, b)
			shared = a.in(all).Frame()
		},
	}, "A load addr=0")
	st.do(note{
		title: "A stores 2", faults: true,
		why:    "The entry did not allow stores: a fault. The kernel copied the page into a new frame, which is A's alone, and let the store go there: copy on write.",
		expect: []expectation{otherFrame(a, b), exclusive(a, "yes"), expect("frame of A", isNot, frameText(shared))},
		look: func(s *step, all views) {
			s.compareFrames(all, a, b)
			s.showFrame("frame of A", a.in(all))
			s.showExclusive(all, a)
		},
	}, "A store addr=0 val=2")
	st.do(note{title: "A loads what it has stored", faults: true}, "A load addr=0")
	st.do(note{title: "B loads", faults: true, why: "B's frame is that of the file, which nobody has changed."}, "B load addr=4p")
	st.do(note{title: "The file, read through the descriptor", why: "The file has what it had."}, "A read fd=d0 len=1")
	st.do(note{title: "B stores 3: a change to the file", faults: true}, "B store addr=4p val=3")
	st.do(note{title: "A loads", faults: true, why: "A has its copy now, and sees nothing of the file any more. Before its first store it would have."}, "A load addr=0")
	st.do(note{title: "A gives the copy back", why: "The entry goes, and with it the frame, and what A has stored."}, "A madvise addr=0 len=1p flags=dontneed")
	st.do(note{title: "A loads", faults: true, why: "The next touch looks into the file again."}, "A load addr=0")

	runInherit(x)
	x.conclude("Nobody else sees it: the first store to each page makes a copy in a frame of the process's own, and the file stays as it is.",
		"A program that is started inherits descriptors and no mappings: exec begins with an empty address space. It maps the memory again through the descriptor, and shares it from then on.")
}

// runInherit shows what survives fork and exec.
func runInherit(x *lab) {
	p := x.start("parent", "parent", nil)
	var file string
	x.step(plan{
		who: "parent", pids: []int{p.Pid()}, title: "A parent maps memory and stores 5",
		call:   fmt.Sprintf("fd = memfd_create(\"heritage\", 0); ftruncate(fd, %d); p = mmap(%#x, %[1]d, …, MAP_SHARED, fd, 0); *p = 5", model.PageSize, live.Address(0)),
		why:    "So far nothing is new.",
		expect: []expectation{expect("mapped", is, "yes")},
	}, func(s *step) {
		answer, err := p.ask("map")
		x.check(err)
		file = answer
		s.show("mapped", mapsHave(x, p.Pid()), fmt.Sprintf("/proc/%d/maps", p.Pid()))
		s.show("descriptor", answer, fmt.Sprintf("/proc/%d/fd", p.Pid()))
	})
	var heir int
	x.step(plan{
		who: "parent", pids: []int{p.Pid()}, title: "It starts a program, which gets the descriptor as its number 3",
		call:   "if (fork() == 0) { dup2(fd, 3); execve(…); }",
		why:    "fork copies the list of mappings and the descriptors. exec throws the mappings away and keeps the descriptors that are not close-on-exec.",
		expect: []expectation{expect("mapped in the child", is, "no"), expect("descriptor 3 of the child", is, file)},
	}, func(s *step) {
		answer, err := p.ask("start")
		x.check(err)
		heir, err = strconv.Atoi(answer)
		x.check(err)
		x.remember("pid", heir)
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/3", heir))
		x.check(err)
		s.show("mapped in the child", mapsHave(x, heir), fmt.Sprintf("/proc/%d/maps", heir))
		s.show("descriptor 3 of the child", link, fmt.Sprintf("/proc/%d/fd/3", heir))
	})
	ask := func(title, call, line, why, what string, want any) {
		x.step(plan{who: "child", pids: []int{heir}, title: title, call: call, why: why, expect: []expectation{expect(what, is, want)}}, func(s *step) {
			answer, err := p.ask(line)
			x.check(err)
			s.show(what, answer, "what the process answered")
		})
	}
	ask("The child touches the address where its parent has the memory", fmt.Sprintf("x = *(char *)%#x", live.Address(0)), "tell load",
		"Nothing is mapped there: addresses are not inherited, so a pointer that a parent hands over leads nowhere.", "access", "a fault at "+fmt.Sprintf("%#x", live.Address(0)))
	ask("The child maps the descriptor, and loads", "p = mmap(NULL, 4096, …, MAP_SHARED, 3, 0); x = *p", "tell map",
		"The descriptor leads to the same memory, and that has what the parent stored.", "value", "5")
	ask("The child stores 6", "*p = 6", "tell store", "It is the same frame.", "result", "ok")
	x.step(plan{who: "parent", pids: []int{p.Pid()}, title: "The parent loads", call: "x = *p", why: "And so the parent has it.",
		expect: []expectation{expect("value", is, "6")}}, func(s *step) {
		answer, err := p.ask("load")
		x.check(err)
		s.show("value", answer, "what the process answered")
	})
}

// mapsHave reports whether something is mapped at the first page of the arena.
func mapsHave(x *lab, pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	x.check(err)
	if strings.Contains("\n"+string(text), fmt.Sprintf("\n%x-", live.Address(0))) {
		return "yes"
	}
	return "no"
}
