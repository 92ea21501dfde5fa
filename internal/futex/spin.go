package futex

import (
	"cmp"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/internal/words"
)

// A Spinner decides how long to look again and again before going to sleep. Between
// two running processors a word changes hands in less than 100 ns, through the
// kernel in 5 to 50 µs: so it is worth to spin for about as long as a wake-up takes,
// if something comes of it. A Spinner learns that from what came of it lately. The
// zero value is ready, and serves any number of goroutines; one that guards one
// thing knows best.
//
//	for s := spinner.Begin(); s.More(); {
//		if try() {
//			s.Hit()
//			return
//		}
//	}
//	// sleep
//
// With one CPU nobody else can do anything meanwhile, and More is false at once.
type Spinner struct {
	// Longest is how long to look at most, 0 for about one wake-up. Not to be changed once in use.
	Longest time.Duration

	// level says how often in a row spinning was no use: the time is halved for each.
	// Written without care for who else does: it is advice.
	level atomic.Uint32
	// begun counts the turns since the last whole one, at a level that is not 0.
	begun atomic.Uint32
}

const (
	longestSpin = 30 * time.Microsecond // about one wake-up
	lastLevel   = 6                     // 30 µs / 2^6 is less than half a microsecond
	wholeTurn   = 32                    // one in so many turns is whole, to find out whether it is worth it again

	// roundsOfClock is how many rounds pass between two looks at the clock, which
	// costs some 40 ns. The first of them are all that the last levels have.
	roundsOfClock = 16
	// wholeRounds is the same in a whole turn.
	wholeRounds = 64

	// firstLooks is how many looks of Await have one pause in between.
	firstLooks = 8
)

// A Spin is one turn of waiting.
type Spin struct {
	spinner *Spinner
	rounds  int32 // until the clock is looked at
	level   int32 // what this turn goes by
	until   int64 // 0 before the first look at the clock
	waited  bool  // Await was called
}

// Begin begins a turn.
func (p *Spinner) Begin() Spin {
	level := p.level.Load()
	if level == 0 {
		return Spin{spinner: p, rounds: wholeRounds * several()}
	}
	return p.shortened(level)
}

func (p *Spinner) shortened(level uint32) Spin {
	if p.begun.Add(1)%wholeTurn == 0 {
		level = 0
	}
	rounds := int32(roundsOfClock)
	if level >= lastLevel {
		rounds /= 2
	}
	return Spin{spinner: p, rounds: rounds * several(), level: int32(level)}
}

// More pauses for a moment and reports whether to look once more.
func (s *Spin) More() bool { return s.MoreAfter(1) }

// MoreAfter is More with so many pauses, for those whose looks disturb who is looked at.
func (s *Spin) MoreAfter(pauses int) bool {
	if s.rounds <= 0 && !s.goOn() {
		return false
	}
	s.rounds -= int32(pauses)
	for range pauses {
		Pause()
	}
	return true
}

// Await looks at a word, until it is above v by the sign of the difference, or many looks were made or the
// clock is to be looked at. It returns how many times it has looked, and whether the word is above v; if not, More says
// whether to go on. It is for words that another processor is about to write: it looks as often as is best for
// who writes.
func (s *Spin) Await(w *words.Uint64, v uint64, many int) (looks int, above bool) {
	pauses := 1 // what comes at once need not wait
	if !s.waited {
		s.waited = true
		many = min(many, firstLooks)
	} else {
		pauses = pausesPerLook()
	}
	looks = min(many, (int(s.rounds)+pauses-1)/pauses)
	if looks <= 0 {
		return 0, false
	}
	left := await(w, v, looks, pauses)
	s.rounds -= int32((looks - left) * pauses)
	return looks - left, left > 0
}

// goOn reports whether there is time left. If not, the turn was a miss.
func (s *Spin) goOn() bool {
	switch {
	case several() == 0:
		lookAtCPUs()
		return false // and nobody's fault
	case s.level < lastLevel:
		t := now()
		if s.until == 0 {
			s.until = t + int64(cmp.Or(s.spinner.Longest, longestSpin))>>s.level
		}
		if t < s.until {
			if s.rounds = roundsOfClock; s.level == 0 {
				s.rounds = wholeRounds
			}
			return true
		}
	}
	if level := s.spinner.level.Load(); level < lastLevel {
		s.spinner.level.Store(level + 1)
	}
	lookAtCPUs()
	return false
}

// Hit says that spinning was worth it.
func (s *Spin) Hit() {
	level := s.spinner.level.Load()
	switch {
	case level == 0:
	case s.level == 0: // a whole turn: it may have taken all the time there was
		s.spinner.level.Store(0)
	default:
		s.spinner.level.Store(level - 1)
	}
}
