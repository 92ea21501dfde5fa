package bench

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/pshared"
)

// badLocks do not exclude.
func badLocks() []lock {
	nothing := func() error { return nil }
	return []lock{{name: "no lock", about: "nothing", open: func(*room) (locker, error) {
		return locker{lock: nothing, unlock: nothing}, nil
	}}, {name: "no read lock", about: "a lock that only writers have", shared: true, open: func(r *room) (locker, error) {
		mu, err := pshared.OpenMutex("lock", lockOptions(r))
		if err != nil {
			return locker{}, err
		}
		return locker{lock: nothing, unlock: nothing, write: func() error { return mu.Lock(r.ctx) }, written: mu.Unlock, Closer: mu}, nil
	}}}
}

// badSignals tell something else.
func badSignals() []way {
	w := eventWay()
	open := w.open
	w.name = "early"
	w.open = func(r *room) (end, error) {
		e, err := open(r)
		if err != nil {
			return nil, err
		}
		s := e.(*signal)
		tell := s.tell
		s.tell = func(seq uint64) error {
			if seq == 150 {
				s.word(s.r.first).Store(149)
			}
			return tell(seq)
		}
		return s, nil
	}
	return []way{w}
}

// badFans forget one receiver, once.
func badFans() []fan {
	f := pipeFan()
	open := f.sender
	f.name = "forgets"
	f.sender = func(r *room) (fanSender, error) {
		s, err := open(r)
		return &forgetful{s.(wireSender)}, err
	}
	return []fan{f}
}

type forgetful struct{ wireSender }

func (f *forgetful) send(seq uint64) error {
	if seq == 150 {
		return nil
	}
	return f.wireSender.send(seq)
}

// badFileWays see one byte that is not in the file.
func badFileWays() []fileWay {
	spoil := func(w fileWay) fileWay {
		open := w.open
		w.name = "spoiled " + w.name
		w.open = func(path string) (fileReader, error) {
			r, err := open(path)
			return &spoiled{r}, err
		}
		return w
	}
	var all []fileWay
	for _, w := range allFileWays() {
		if w.name == "read" || w.name == "ReadAt" {
			all = append(all, spoil(w))
		}
	}
	return all
}

type spoiled struct{ fileReader }

func (s *spoiled) read(look func([]byte)) error {
	pieces := 0
	return s.fileReader.read(func(p []byte) {
		if pieces++; pieces == 7 {
			p = append([]byte{}, p...)
			p[33] ^= 0x80
		}
		look(p)
	})
}

// TestBrokenOnesOfAllSuites: each suite finds what is wrong with it.
func TestBrokenOnesOfAllSuites(t *testing.T) {
	for _, c := range []struct {
		trial Trial
		want  string
	}{
		{Trial{Suite: "sync", Way: "no lock", Group: GroupBoth}, "it does not exclude"},
		{Trial{Suite: "sync", Way: "no read lock", Group: GroupBoth}, "does not keep writers out"},
		{Trial{Suite: "sync", Way: "early", Group: GroupTurns, Wait: Block}, "woken for 150 at 149"},
		{Trial{Suite: "sync", Way: "early", Group: GroupSleeping, Wait: Block}, "woken for 150 at 149"},
		{Trial{Suite: "fanout", Way: "forgets", Size: fanSize, Receivers: 3}, "message 151 came for 150"},
		{Trial{Suite: "file", Way: "spoiled read", Group: GroupScan}, "the sum of what was read"},
		{Trial{Suite: "file", Way: "spoiled ReadAt", Group: GroupRandom}, "the sum of what was read"},
	} {
		t.Run(c.trial.String(), func(t *testing.T) {
			err := runOne(t, c.trial)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			gone(t)
		})
	}
}

// runOne runs a trial long enough that what is wrong with it shows.
func runOne(t *testing.T, tr Trial) error {
	t.Helper()
	s, err := findSuite(tr.Suite)
	if err != nil {
		t.Fatal(err)
	}
	at, err := findPlace(true)
	if err != nil {
		t.Skip(err)
	}
	kept := map[string]*os.File{}
	defer func() {
		for _, f := range kept {
			f.Close()
		}
	}()
	p, err := startPair(t.Context(), s, tr, at, &Options{}, kept)
	if err != nil {
		t.Fatal(err)
	}
	n := 1000
	if tr.Suite == "sync" && tr.Group == GroupBoth {
		n = 1_000_000
	}
	if s.slow {
		n = 1
	}
	if _, err = p.run(order{N: n, Check: true}); err != nil {
		return errors.Join(err, p.kill())
	}
	return p.close()
}

// TestAllSuites runs each as short as can be.
func TestAllSuites(t *testing.T) {
	for _, name := range []string{"sync", "fanout", "file"} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() {
				t.Skip("takes half a minute")
			}
			leave := withoutBadOnes()
			defer leave()
			res, err := Run(t.Context(), short(name))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range res.Rows {
				if r.Impossible != "" {
					t.Errorf("%v: %s", r.Trial, r.Impossible)
				}
				if r.Operations < 2 || r.Nanoseconds.Median <= 0 || r.PerSecond <= 0 {
					t.Errorf("%v: %+v", r.Trial, r)
				}
				if (name == "fanout") != (r.Sender > 0) {
					t.Errorf("%v: the sender takes %v ns", r.Trial, r.Sender)
				}
				if (r.Group == GroupSleeping || r.Group == GroupTurns) != (r.Times != nil) {
					t.Errorf("%v: percentiles: %v", r.Trial, r.Times)
				}
			}
			gone(t)
		})
	}
}

// withoutBadOnes lets trials be those of users.
func withoutBadOnes() (undo func()) {
	locks, signals, fans, files := moreLocks, moreSignals, moreFans, moreFileWays
	moreLocks, moreSignals, moreFans, moreFileWays = nil, nil, nil, nil
	return func() { moreLocks, moreSignals, moreFans, moreFileWays = locks, signals, fans, files }
}
