package queue

import "fmt"

// A search visits every state that can come of a first one. States are small values: what
// is shared, and where each member is. As in package pshared.
type search[W comparable] struct {
	// next returns what can come of a state in one step of anybody, deaths included, and
	// whether everybody who lives has got to the end. It calls fail if something is wrong.
	next func(w W) (to []W, ended bool)

	ids   map[W]int32
	order []W
	from  []int32   // by whom each was found first: the shortest way
	back  [][]int32 // edges, reversed
	ends  []int32
	fault string
	at    int32 // the state that fault is about
}

// fail notes what is wrong: the first thing counts.
func (s *search[W]) fail(format string, args ...any) {
	if s.fault == "" {
		s.fault = fmt.Sprintf(format, args...)
	}
}

// number returns a state's number, a new one if it is found for the first time.
func (s *search[W]) number(w W, from int32) int32 {
	id, known := s.ids[w]
	if !known {
		id = int32(len(s.order))
		s.ids[w] = id
		s.order = append(s.order, w)
		s.from = append(s.from, from)
		s.back = append(s.back, nil)
	}
	return id
}

// run explores all that can come of begin, and returns what is wrong, "" if nothing is:
// what next said, or that from some state not everybody who lives gets to the end.
func (s *search[W]) run(begin W) (fault string, states int) {
	s.ids = map[W]int32{}
	s.number(begin, -1)
	for id := int32(0); int(id) < len(s.order); id++ {
		to, ended := s.next(s.order[id])
		if s.fault != "" {
			s.at = id
			return s.fault, len(s.order)
		}
		if ended {
			s.ends = append(s.ends, id)
		}
		for _, w := range to {
			t := s.number(w, id)
			s.back[t] = append(s.back[t], id)
		}
	}
	if n := s.stuck(); n > 0 {
		s.fail("%d of %d states are stuck", n, len(s.order))
	}
	return s.fault, len(s.order)
}

// stuck counts the states from which not everybody who lives gets to the end.
func (s *search[W]) stuck() (n int) {
	reaches := make([]bool, len(s.back))
	queue := append([]int32(nil), s.ends...)
	for _, id := range queue {
		reaches[id] = true
	}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		for _, from := range s.back[id] {
			if !reaches[from] {
				reaches[from] = true
				queue = append(queue, from)
			}
		}
	}
	for id, r := range reaches {
		if !r {
			if n == 0 {
				s.at = int32(id)
			}
			n++
		}
	}
	return n
}
