package main

import (
	"fmt"
	"slices"
	"strings"
)

// works are all rows, in the order in which they are shown; a base stands before who has it.
func works() []work {
	return slices.Concat(
		[]work{bounce(), copies(), rawFutex(), queueTrip(), queueStream()},
		bareSlots(), topicTrips(), topicStreams(), topicLoans(), topicFan().works(), []work{topicWake()},
		ringFan().works(),
	)
}

// find returns the work of a name.
func find(all []work, name string) (work, error) {
	i := slices.IndexFunc(all, func(w work) bool { return w.name == name })
	if i < 0 {
		return work{}, fmt.Errorf("there is no work %q; there are: %s", name, names(all))
	}
	return all[i], nil
}

// choose returns the works that a list with commas names, all for "".
func choose(all []work, list string) ([]work, error) {
	if list == "" {
		return all, nil
	}
	var chosen []work
	for name := range strings.SplitSeq(list, ",") {
		w, err := find(all, strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, w)
	}
	return chosen, nil
}

func names(all []work) string {
	var n []string
	for _, w := range all {
		n = append(n, w.name)
	}
	return strings.Join(n, ", ")
}
