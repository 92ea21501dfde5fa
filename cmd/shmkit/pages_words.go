package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/inspect"
)

// What is said of a picture in words.

// scale says what a cell stands for.
func (c *pagePicture) scale() string {
	if c.pages.Count == 0 {
		return "it has no bytes there, and so no pages"
	}
	page := formatSize(uint64(c.pages.PageSize))
	text := fmt.Sprintf("%s of %s", plural(int(c.pages.Count), "page", "pages"), page)
	if c.perCell == 1 {
		return text + "; a cell is one page"
	}
	return fmt.Sprintf("%s; a cell is %d pages (%s), and shows what most have of those that are there", text, c.perCell,
		formatSize(uint64(c.perCell)*uint64(c.pages.PageSize)))
}

// legend is the looks that occur, in their order, of the object or of processes.
func (c *pagePicture) legend(object bool) (looks []int) {
	for look := range pageLooks {
		if slices.ContainsFunc(c.views, func(w *viewPages) bool { return w.looks[look] > 0 && (w.view.PID == 0) == object }) {
			looks = append(looks, look)
		}
	}
	return looks
}

// summaryStates are what is counted of a view besides its looks.
var summaryStates = []struct {
	state         inspect.PageState
	text          string
	object, other bool // of whom it is told
}{
	{inspect.PageDirty, "dirty", true, true},
	{inspect.PageWriteback, "being written back", true, true},
	{inspect.PageReferenced, "referenced", false, true},
	{inspect.PageActive, "active", false, true},
	{inspect.PageLocked, "locked", false, true},
	{inspect.PageHuge, "in huge pages", false, true},
	{inspect.PageSoftDirty, "soft-dirty", false, true},
}

// summary counts the pages of a view.
func (w *viewPages) summary() string {
	var parts []string
	say := func(n int64, text string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, text))
		}
	}
	object := w.view.PID == 0
	there := w.count(inspect.PagePresent)
	if w.looks[lookUnknown] == w.looks.pages() {
		return "not told"
	}
	if object {
		parts = append(parts, fmt.Sprintf("%d in memory", there))
		say(w.count(inspect.PageReserved), "of them reserved")
		say(w.looks[lookHole], "hole")
		say(w.looks[lookDevice], "on the device only")
	} else {
		parts = append(parts, fmt.Sprintf("%d in its page table", there))
		say(w.looks[lookShared]+w.looks[lookSharedDirty], "shared")
		say(w.looks[lookAlone]+w.looks[lookAloneDirty], "alone")
		say(w.looks[lookCopy]+w.looks[lookInherited], "private")
		say(w.looks[lookZero], "of zeros")
		say(w.looks[lookGuard], "guard")
	}
	say(w.looks[lookSwapped], "in swap")
	for _, s := range summaryStates {
		if object && s.object || !object && s.other {
			say(w.count(s.state), s.text)
		}
	}
	switch m := w.mapped; {
	case m.most == 0:
	case m.least == m.most:
		parts = append(parts, "each mapped "+times(m.most))
	default:
		parts = append(parts, fmt.Sprintf("mapped %d to %s", m.least, times(m.most)))
	}
	say(w.looks[lookOutside], "not mapped by it")
	say(w.looks[lookUnknown], "not looked at")
	return strings.Join(parts, ", ")
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// sentences say which processes have which frame.
func (c *pagePicture) sentences() (lines []string) {
	for _, e := range c.examples.same {
		lines = append(lines, c.sentence(e, "one piece of memory"))
	}
	if more := c.same - int64(len(c.examples.same)); more > 0 {
		lines = append(lines, fmt.Sprintf("and so %s more: one frame in each process that has it", plural(int(more), "page", "pages")))
	}
	for _, e := range c.examples.apart {
		lines = append(lines, c.sentence(e, "not the same memory"))
	}
	if more := c.apart - int64(len(c.examples.apart)); more > 0 {
		lines = append(lines, fmt.Sprintf("and so %s more: different frames", plural(int(more), "page", "pages")))
	}
	if len(lines) == 0 {
		for _, e := range c.examples.single {
			lines = append(lines, c.sentence(e, ""))
		}
	}
	return lines
}

// sentence says who has a page in which frame.
func (c *pagePicture) sentence(e samePage, meaning string) string {
	var frames []uint64
	who := map[uint64][]int{}
	copies := []int{}
	for i, r := range e.runs {
		v := c.views[i].view
		if v.PID == 0 || r.Frame == 0 || r.State&inspect.PageZero != 0 {
			continue
		}
		if who[r.Frame] == nil {
			frames = append(frames, r.Frame)
		}
		who[r.Frame] = append(who[r.Frame], v.PID)
		if r.State&inspect.PageCopy != 0 && r.State&inspect.PageExclusive != 0 {
			copies = append(copies, v.PID)
		}
	}
	var parts []string
	for _, f := range frames {
		parts = append(parts, fmt.Sprintf("frame %#x in %s", f, listed(few(eachOnce(who[f])), "and")))
	}
	text := fmt.Sprintf("page %d: %s", e.number, strings.Join(parts, ", "))
	if meaning != "" {
		text += ": " + meaning
	}
	if len(frames) > 1 && len(copies) > 0 {
		text += " (private to " + listed(few(eachOnce(copies)), "and") + ")"
	}
	return text
}

// eachOnce names processes, of which one may map a page more than once.
func eachOnce(pids []int) (names []string) {
	count := map[int]int{}
	for _, pid := range pids {
		count[pid]++
	}
	for _, pid := range pids {
		switch n := count[pid]; {
		case n == 1:
			names = append(names, fmt.Sprint(pid))
		case n > 1:
			names = append(names, fmt.Sprintf("%d (%s)", pid, times(n)))
		}
		delete(count, pid)
	}
	return names
}

// few are the first of some words, and how many there are more.
func few(words []string) []string {
	const most = 4
	if len(words) <= most+1 {
		return words
	}
	return append(slices.Clone(words[:most]), fmt.Sprintf("%d more", len(words)-most))
}

// remarks say what is not told, and of whom.
func (c *pagePicture) remarks() (lines []string) {
	var order []string
	who := map[string][]string{}
	add := func(why, name string) {
		if who[why] == nil {
			order = append(order, why)
		}
		who[why] = append(who[why], name)
	}
	for _, w := range c.views {
		for _, b := range w.view.Blind {
			add("not told: "+b, w.name+w.again)
		}
		if w.view.Err != nil {
			add(fmt.Sprintf("seen up to a point: %v", w.view.Err), w.name+w.again)
		}
	}
	for _, why := range order {
		if len(c.views) > 1 && len(who[why]) < len(c.views)-1 || strings.HasPrefix(why, "seen") {
			why = listed(few(who[why]), "and") + ": " + why
		}
		lines = append(lines, why)
	}
	if c.more > 0 {
		lines = append(lines, fmt.Sprintf("%s more map it: --pid says which are shown", plural(c.more, "process", "processes")))
	}
	if n := c.pages.Hidden; n > 0 {
		lines = append(lines, fmt.Sprintf("%s could not be looked at, and may map it too", plural(n, "process", "processes")))
	}
	if c.pages.Attached {
		lines = append(lines, "the segment was attached to look at it: its times and last process are those of this look now")
	}
	return lines
}
