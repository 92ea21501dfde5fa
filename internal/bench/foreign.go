package bench

import (
	"fmt"
	"slices"
	"strconv"
)

// A Foreign is a way of another system: a program that is started twice, and is A and B.
//
// Its arguments are the name of the way, the suite, the group, how to wait, the size of messages, 1 if they are touched,
// 0 for A and 1 for B, a CPU or -1, and a folder in shared memory for names. Descriptor 3 is the common memory, whose first page is laid
// out as a meeting. It is told orders as JSON, a line each, and answers each with a reply, the first when it is ready; an order of 0
// operations is the end. Samples of a reply are the times of single operations, if Record was asked for.
type Foreign struct {
	Name    string
	About   string
	Program string
	Suite   string   // latency, throughput or sync
	Waits   []Wait   // of messages
	Most    int      // bytes of the longest message, 0: any
	Groups  []string // of sync
	// Clean removes what it may have left elsewhere, under names that begin with that of the folder. nil: nothing.
	Clean func(folder string) error
}

// trials are the rows of a foreign way in a suite.
func (f Foreign) trials(o *Options) (all []Trial) {
	if f.Suite == "sync" {
		for _, group := range f.Groups {
			all = append(all, Trial{Suite: f.Suite, Way: f.Name, Group: group, Wait: Block, About: f.About, Foreign: true})
		}
		return all
	}
	for _, size := range o.Sizes {
		for _, touched := range []bool{false, true} {
			for _, wait := range f.Waits {
				if f.Most == 0 || size <= f.Most {
					all = append(all, Trial{Suite: f.Suite, Way: f.Name, Wait: wait, Size: size, Touched: touched, About: f.About, Foreign: true})
				}
			}
		}
	}
	return all
}

// withForeign adds foreign rows to those that they are compared with.
func (o *Options) withForeign(suite string, all []Trial) []Trial {
	for _, f := range o.Foreign {
		if f.Suite != suite {
			continue
		}
		for _, t := range f.trials(o) {
			last := -1
			for i, other := range all {
				if other.contest() == t.contest() {
					last = i
				}
			}
			if last >= 0 {
				all = slices.Insert(all, last+1, t)
			}
		}
	}
	return all
}

// foreign finds what starts a trial, nil if this program does.
func (o *Options) foreign(t Trial) *Foreign {
	if !t.Foreign {
		return nil
	}
	for i := range o.Foreign {
		if f := &o.Foreign[i]; f.Name == t.Way && f.Suite == t.Suite {
			return f
		}
	}
	return nil
}

// args are what the program is told.
func (f *Foreign) args(s setup) []string {
	touched, who := "0", "1"
	if s.Trial.Touched {
		touched = "1"
	}
	if s.First {
		who = "0"
	}
	return []string{
		s.Trial.Way, s.Trial.Suite, s.Trial.Group, string(s.Trial.Wait), strconv.Itoa(max(s.Trial.Size, smallest)), touched, who,
		fmt.Sprint(s.CPU), s.Dir,
	}
}
