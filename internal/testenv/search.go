package testenv

import "fmt"

// A Search visits every state that can come of a first one. States are small values: what
// is shared, and where each member is. The explorers of shared protocols say what a step can
// lead to, and what is wrong with a state; what they have in common is here.
type Search[W comparable] struct {
	// Next returns what can come of a state in one step of anybody, deaths included, and
	// whether everybody who lives has got to the end. It calls Fail if something is wrong.
	Next func(w W) (to []W, ended bool)

	ids   map[W]int32
	Order []W       // all that were found
	from  []int32   // by whom each was found first: the shortest way
	back  [][]int32 // edges, reversed
	ends  []int32
	Fault string // what is wrong, "" if nothing is
	at    int32  // the state that Fault is about
}

// Fail notes what is wrong: the first thing counts.
func (s *Search[W]) Fail(format string, args ...any) {
	if s.Fault == "" {
		s.Fault = fmt.Sprintf(format, args...)
	}
}

// number returns a state's number, a new one if it is found for the first time.
func (s *Search[W]) number(w W, from int32) int32 {
	id, known := s.ids[w]
	if !known {
		id = int32(len(s.Order))
		s.ids[w] = id
		s.Order = append(s.Order, w)
		s.from = append(s.from, from)
		s.back = append(s.back, nil)
	}
	return id
}

// Run explores all that can come of begin, and returns what is wrong, "" if nothing is:
// what Next said, or that from some state not everybody who lives gets to the end.
func (s *Search[W]) Run(begin W) (fault string, states int) {
	s.ids = map[W]int32{}
	s.number(begin, -1)
	for id := int32(0); int(id) < len(s.Order); id++ {
		to, ended := s.Next(s.Order[id])
		if s.Fault != "" {
			s.at = id
			return s.Fault, len(s.Order)
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
		s.Fail("%d of %d states are stuck", n, len(s.Order))
	}
	return s.Fault, len(s.Order)
}

// stuck counts the states from which not everybody who lives gets to the end.
func (s *Search[W]) stuck() (n int) {
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

// Way returns the states that lead to what Fault is about, the shortest way.
func (s *Search[W]) Way() (states []W) {
	for id := s.at; id >= 0; id = s.from[id] {
		states = append([]W{s.Order[id]}, states...)
	}
	return states
}
