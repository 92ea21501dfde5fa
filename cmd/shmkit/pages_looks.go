package main

import "github.com/shmkit/shmkit/inspect"

// A pageLook is how a page is drawn: a letter, a colour, and what it means.
type pageLook struct {
	letter byte
	name   string // of its class in a picture
	colour string // SGR parameters of a terminal
	text   string // for the legend
}

// pageLooks are all there are. Those of the object come first; what is in no state of interest is drawn
// where nothing else is in the cell.
var pageLooks = []pageLook{
	{'.', "empty", "2", "not in its page table: it has not touched it yet, or not lately"},
	{'-', "outside", "2", "not mapped by it"},
	{'?', "unknown", "2", "could not be looked at"},
	{'.', "hole", "2", "a hole: nothing was stored, it reads as zeros"},
	{'d', "device", "30;47", "on the device only, not in memory"},
	{'w', "swapped", "30;41", "in swap"},
	{'r', "reserved", "30;43", "reserved: takes memory, nothing was stored yet"},
	{'m', "memory", "30;44", "in memory"},
	{'M', "memory-dirty", "1;37;44", "in memory, and not written to the device yet"},
	{'g', "guard", "30;43", "guard page: a touch is a fault"},
	{'z', "zero", "30;47", "the page of zeros that all share until they store"},
	{'s', "shared", "30;42", "shared: others have the same frame, or it has it twice"},
	{'S', "shared-dirty", "1;37;42", "shared, and stored to"},
	{'a', "alone", "30;46", "alone: no other process has the frame"},
	{'A', "alone-dirty", "1;37;46", "alone, and stored to"},
	{'f', "inherited", "30;45", "a private page that is still shared with who was forked"},
	{'c', "copy", "1;37;45", "a private page of its own, such as a copy made by a store"},
}

// lookNamed is the index of a look.
func lookNamed(name string) int {
	for i, l := range pageLooks {
		if l.name == name {
			return i
		}
	}
	panic("no look is called " + name)
}

var (
	lookEmpty, lookOutside, lookUnknown, lookHole = lookNamed("empty"), lookNamed("outside"), lookNamed("unknown"), lookNamed("hole")
	lookDevice, lookSwapped, lookReserved         = lookNamed("device"), lookNamed("swapped"), lookNamed("reserved")
	lookMemory, lookMemoryDirty                   = lookNamed("memory"), lookNamed("memory-dirty")
	lookGuard, lookZero                           = lookNamed("guard"), lookNamed("zero")
	lookShared, lookSharedDirty                   = lookNamed("shared"), lookNamed("shared-dirty")
	lookAlone, lookAloneDirty                     = lookNamed("alone"), lookNamed("alone-dirty")
	lookInherited, lookCopy                       = lookNamed("inherited"), lookNamed("copy")
)

// nothingThere reports whether a look is of a page that is not in memory or swap.
func nothingThere(look int) bool { return look <= lookHole }

// lookOf is how a page of a view is drawn.
func lookOf(v *inspect.PageView, s inspect.PageState) int {
	has := func(bits inspect.PageState) bool { return s&bits != 0 }
	switch {
	case has(inspect.PageUnknown):
		return lookUnknown
	case has(inspect.PageOutside):
		return lookOutside
	case has(inspect.PageGuard):
		return lookGuard
	case has(inspect.PageSwapped):
		return lookSwapped
	}
	if v.PID == 0 {
		switch {
		case has(inspect.PageReserved):
			return lookReserved
		case has(inspect.PagePresent) && has(inspect.PageDirty|inspect.PageWriteback):
			return lookMemoryDirty
		case has(inspect.PagePresent):
			return lookMemory
		case has(inspect.PageHole):
			return lookHole
		}
		return lookDevice
	}
	switch {
	case !has(inspect.PagePresent):
		return lookEmpty
	case has(inspect.PageZero):
		return lookZero
	case has(inspect.PageCopy) && has(inspect.PageExclusive):
		return lookCopy
	case has(inspect.PageCopy):
		return lookInherited
	case has(inspect.PageExclusive) && has(inspect.PageDirty):
		return lookAloneDirty
	case has(inspect.PageExclusive):
		return lookAlone
	case has(inspect.PageDirty):
		return lookSharedDirty
	}
	return lookShared
}
