package bench

import (
	"fmt"
	"slices"
	"strings"
)

// A suite is trials of one kind.
type suite struct {
	name  string
	about string
	// trials are the rows, such that those which are compared with each other stand together.
	trials func(o *Options) []Trial
	// prepare makes, in the command, what both sides inherit; nil if there is nothing.
	prepare func(Trial, *props) error
	// open opens one side, in its process.
	open func(*room) (side, error)
	// slow: one operation takes milliseconds, and is enough to verify.
	slow bool
}

// suites are all of them, in the order in which they run.
func suites() []suite {
	return []suite{latencySuite(), throughputSuite(), syncSuite(), fanoutSuite(), fileSuite()}
}

// Suites are the names of all suites.
func Suites() (names []string) {
	for _, s := range suites() {
		names = append(names, s.name)
	}
	return names
}

// About says what a suite measures.
func About(name string) string {
	s, err := findSuite(name)
	if err != nil {
		return ""
	}
	return s.about
}

func findSuite(name string) (suite, error) {
	for _, s := range suites() {
		if s.name == name {
			return s, nil
		}
	}
	return suite{}, fmt.Errorf("there is no suite %q; there are: %s", name, strings.Join(Suites(), ", "))
}

// openSide opens the side of a process.
func openSide(r *room) (side, error) {
	s, err := findSuite(r.Suite)
	if err != nil {
		return nil, err
	}
	return s.open(r)
}

// latencySuite is round trips.
func latencySuite() suite {
	return suite{
		name: "latency", about: "a message to another process and the answer back",
		trials: func(o *Options) []Trial { return messageTrials(o, "latency") }, prepare: prepareWay,
		open: func(r *room) (side, error) {
			e, err := openEnd(r)
			if err != nil {
				return nil, err
			}
			return &trip{end: e, first: r.first}, nil
		},
	}
}

// throughputSuite is streams.
func throughputSuite() suite {
	return suite{
		name: "throughput", about: "messages one way, as fast as they go",
		trials: func(o *Options) []Trial { return messageTrials(o, "throughput") }, prepare: prepareWay,
		open: func(r *room) (side, error) {
			e, err := openEnd(r)
			if err != nil {
				return nil, err
			}
			return &stream{end: e, r: r}, nil
		},
	}
}

// messageTrials are all ways, with all sizes, touched and not, spinning and not.
func messageTrials(o *Options, suite string) (all []Trial) {
	for _, size := range o.Sizes {
		for _, touched := range []bool{false, true} {
			for _, w := range slices.Concat(yardsticks(), allWays(), moreWays) {
				for _, wait := range []Wait{Spin, Block} {
					if w.yardstick && wait == Block || w.trips && suite != "latency" {
						continue
					}
					all = append(all, Trial{Suite: suite, Way: w.name, Wait: wait, Size: size, Touched: touched, About: w.about, Yardstick: w.yardstick, Ours: w.ours})
				}
			}
		}
	}
	return all
}

func prepareWay(t Trial, p *props) error {
	w, err := findWay(t.Way)
	if err != nil {
		return err
	}
	if w.most != nil {
		most, err := w.most()
		if err != nil {
			return &impossible{err.Error()}
		}
		if t.Size > most {
			return &impossible{fmt.Sprintf("messages have at most %d bytes", most)}
		}
	}
	if w.prepare == nil {
		return nil
	}
	return w.prepare(p)
}

// impossible is why a trial cannot be done here.
type impossible struct{ why string }

func (i *impossible) Error() string { return i.why }

func openEnd(r *room) (end, error) {
	w, err := findWay(r.Way)
	if err != nil {
		return nil, err
	}
	return w.open(r)
}
