package inspect

import (
	"cmp"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"
)

// A candidate is an object that is told of when its turn comes.
type candidate struct {
	kind string
	key  string // order within the kind
	n    int    // order within the key
	tell func() (Object, error)
	err  error // of a source: there is nothing to tell
}

// Objects ranges over the objects that there are now, with users as they were when the snapshot was
// taken, by kind in the order of Kinds and then by name or number. An error belongs to one object or one
// source of objects, and the walk goes on; Object.Kind says of what.
func (s *Snapshot) Objects() iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for _, c := range s.candidates() {
			if c.err != nil {
				if !yield(Object{Kind: c.kind}, c.err) {
					return
				}
				continue
			}
			o, err := c.tell()
			if errors.Is(err, fs.ErrNotExist) { // it went meanwhile
				continue
			}
			if s.options.Deep && err == nil {
				s.deepen(&o)
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// candidates returns the objects that are wanted, in order.
func (s *Snapshot) candidates() []candidate {
	all := slices.Concat(s.segmentCandidates(), s.setCandidates(), s.queueCandidates())
	files, owned := s.fileCandidates()
	all = append(all, files...)
	all = append(all, s.memoryCandidates(owned)...)
	all = slices.DeleteFunc(all, func(c candidate) bool { return !s.options.wants(c.kind) })
	place := map[string]int{}
	for i, k := range Kinds() {
		place[k] = i
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(place[a.kind], place[b.kind]), strings.Compare(a.key, b.key), cmp.Compare(a.n, b.n))
	})
	return all
}
