package bench

import (
	"fmt"
	"slices"
)

// Groups of the suite sync.
const (
	GroupAlone    = "nobody else wants it"
	GroupBoth     = "both processes want it all the time"
	GroupTurns    = "by turns"
	GroupSleeping = "waking one who sleeps"
)

// syncSuite is locks and signals.
func syncSuite() suite {
	return suite{
		name: "sync", about: "a lock taken and given back, and telling the other process",
		trials: syncTrials,
		prepare: func(t Trial, p *props) error {
			if t.Group == GroupAlone || t.Group == GroupBoth {
				return prepareLock(t, p)
			}
			p.size = smallest
			w, err := findSignal(t.Way)
			if err != nil || w.prepare == nil {
				return err
			}
			return w.prepare(p)
		},
		open: openSync,
	}
}

func syncTrials(*Options) (all []Trial) {
	for _, group := range []string{GroupAlone, GroupBoth} {
		for _, l := range allLocks() {
			if group == GroupBoth && l.here {
				continue
			}
			all = append(all, Trial{Suite: "sync", Way: l.name, Group: group, About: l.about, Yardstick: l.yardstick(group), Ours: l.ours, Shared: l.shared})
		}
	}
	for _, group := range []string{GroupTurns, GroupSleeping} {
		for _, w := range allSignals() {
			if w.trips && group == GroupSleeping { // it never sleeps
				continue
			}
			t := Trial{Suite: "sync", Way: w.name, Wait: Block, Group: group, About: w.about, Ours: w.ours}
			t.Yardstick = w.trips && group == GroupTurns || w.name == "futex" && group == GroupSleeping
			if w.trips {
				t.Wait = Spin
			}
			all = append(all, t)
		}
	}
	return all
}

// allSignals are ways to tell the other process: those that carry nothing, and those of messages.
func allSignals() []way {
	line := yardsticks()[0]
	return slices.Concat([]way{line}, signalWays(), []way{pipeWay(), streamWay(), queueWay(false), topicWay(false)}, moreSignals)
}

// moreSignals are those of tests.
var moreSignals []way

func findSignal(name string) (way, error) {
	for _, w := range allSignals() {
		if w.name == name {
			return w, nil
		}
	}
	return way{}, fmt.Errorf("there is no way %q", name)
}

func openSync(r *room) (side, error) {
	if r.Group == GroupAlone || r.Group == GroupBoth {
		return openLocking(r)
	}
	r.Size = smallest // of what carries messages
	w, err := findSignal(r.Way)
	if err != nil {
		return nil, err
	}
	e, err := w.open(r)
	if err != nil {
		return nil, err
	}
	if r.Group == GroupTurns {
		return &trip{end: e, first: r.first}, nil
	}
	return &waking{end: e, r: r}, nil
}
