package futex

import (
	"fmt"
	"slices"
	"strings"
)

// found is the result of an exploration.
type found struct {
	states int
	wrong  string
	trace  []string
}

func (f found) String() string {
	if f.wrong == "" {
		return fmt.Sprintf("%d states", f.states)
	}
	return fmt.Sprintf("%s\n  %s", f.wrong, strings.Join(f.trace, "\n  "))
}

// A node is a visited world and how it was come to.
type node struct {
	from int
	by   move
	back []int // where it can come from
}

// explore visits all states in breadth, up to the first that is wrong.
func (x *explorer) explore() found {
	known := map[world]int{}
	var nodes []node
	var worlds []world
	visit := func(w world, from int, by move) {
		id, old := known[w]
		if !old {
			id = len(nodes)
			known[w] = id
			nodes = append(nodes, node{from: from, by: by})
			worlds = append(worlds, w)
		}
		if from >= 0 {
			nodes[id].back = append(nodes[id].back, from)
		}
	}
	report := func(id int, wrong string) found {
		f := found{states: len(nodes), wrong: wrong}
		f.trace = []string{fmt.Sprintf("in the end: %+v", worlds[id])}
		for ; nodes[id].from >= 0; id = nodes[id].from {
			f.trace = append(f.trace, nodes[id].by.String())
		}
		slices.Reverse(f.trace)
		return f
	}
	var ends []int
	var all []successor
	visit(x.first(), -1, move{})
	for id := 0; id < len(nodes); id++ {
		w := worlds[id]
		if w.twice {
			return report(id, "called twice")
		}
		all = x.next(w, all[:0])
		quiet := true // nothing but a kill can happen
		for _, s := range all {
			quiet = quiet && s.isKill()
		}
		if quiet {
			if bad := x.atRest(w); bad == "" {
				ends = append(ends, id)
			} else {
				if !x.ticks {
					return report(id, bad)
				}
				ticks := x.tickable(w)
				if len(ticks) == 0 {
					return report(id, bad+", and nobody has a bound")
				}
				all = append(all, ticks...)
			}
		}
		for _, s := range all {
			visit(s.w, id, s.move)
		}
	}
	if id := trapped(nodes, ends); id >= 0 {
		return report(id, "from here on it never comes to rest")
	}
	return found{states: len(nodes)}
}

// trapped is a state from which no good end can be reached, -1 if there is none.
func trapped(nodes []node, ends []int) int {
	good := make([]bool, len(nodes))
	for _, id := range ends {
		good[id] = true
	}
	for len(ends) > 0 {
		id := ends[len(ends)-1]
		ends = ends[:len(ends)-1]
		for _, from := range nodes[id].back {
			if !good[from] {
				good[from] = true
				ends = append(ends, from)
			}
		}
	}
	return slices.Index(good, false)
}

// atRest says what is wrong with a world in which nothing happens any more.
func (x *explorer) atRest(w world) string {
	waiting := 0
	for i := range x.wishes {
		switch s := w.waiters[i]; {
		case s.at >= finished:
			if s.called && s.at == finished {
				return "a call is left over"
			}
		case s.due:
			return "it sleeps though it was recalled"
		case s.over:
			return "it waits though its context has ended"
		case x.content(&w, i):
			return "it sleeps beside what it waits for"
		default:
			waiting++
		}
	}
	for i := range x.wishes {
		if w.waiters[i].at >= finished && (w.waiters[i].given || slices.Contains(w.order[:], int8(i))) {
			return "somebody left is still in a queue"
		}
	}
	return ""
}
