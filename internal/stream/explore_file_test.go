package stream

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The same explorer as in explore_test.go, on files: named ones, and one that nobody
// can remove. There the actors begin with a file that somebody made.

var (
	awaits  = role{program: []action{untilReader, appendOne}}
	removes = role{removes: true}
)

var fileScenarios = []struct {
	name  string
	large bool
	x     explorer
}{
	{"three come and go", false, explorer{on: onName, ring: 2, roles: []role{joins, joins, joins}}},
	{"three come and go, two killed", false, explorer{on: onName, ring: 2, roles: []role{joins, joins, joins}, kills: 2, ticks: always}},
	{"three come to a blank file, two killed", false, explorer{on: onName, ring: 2, blank: true, roles: []role{joins, joins, joins}, kills: 2, ticks: always}},
	{"three come to a descriptor, two killed", false, explorer{on: onMemfd, ring: 2, roles: []role{joins, joins, joins}, kills: 2, ticks: always}},
	{"one does not wait for lock, two killed", false, explorer{on: onName, ring: 2, roles: []role{joins, failsFirst, joins}, kills: 2, ticks: always}},
	{"one fails under lock, two killed", false, explorer{on: onName, ring: 2, roles: []role{joins, failsLast, joins}, kills: 2, ticks: always}},
	{"two fail on a descriptor, two killed", false, explorer{on: onMemfd, ring: 2, roles: []role{joins, failsLast, failsFirst}, kills: 2, ticks: always}},
	{"the name is removed by hand, two killed", false, explorer{on: onName, ring: 2, roles: []role{joins, joins, removes}, kills: 2, ticks: always}},
	{"a reader sees writers come and go", false, explorer{on: onName, ring: 2, roles: []role{joins, joins, reads}}},
	{"a reader sees writers come and go, one killed", false, explorer{on: onName, ring: 2, roles: []role{joins, joins, reads}, kills: 1, ticks: always}},
	{"a reader on a descriptor, two killed", false, explorer{on: onMemfd, ring: 2, roles: []role{writesOne, reads}, kills: 2, ticks: always}},

	{"a writer waits for its reader", false, explorer{on: onName, ring: 2, roles: []role{awaits, reads}}},
	{"a writer waits for one of two readers", true, explorer{on: onName, ring: 2, roles: []role{awaits, reads, readsOne}}},
	{"a writer waits until its line was read", false, explorer{on: onName, ring: 2, roles: []role{writesSlowly, reads}}},
	{"a writer and a reader, ring of one", false, explorer{on: onName, ring: 1, roles: []role{writesThree, reads}}},
	{"a writer and a reader, ring of two", false, explorer{on: onName, ring: 2, roles: []role{writesThree, reads}}},
	{"a writer and a reader, two killed", false, explorer{on: onName, ring: 2, roles: []role{writesThree, reads}, kills: 2, ticks: always}},
	{"a reader leaves early, two killed", false, explorer{on: onName, ring: 1, roles: []role{writesThree, readsOne}, kills: 2, ticks: always}},
	{"two writers", false, explorer{on: onName, ring: 2, roles: []role{writesOne, writesOne, joins}}},
	{"three writers, one killed", false, explorer{on: onName, ring: 2, roles: []role{writesOne, writesOne, writesOne}, kills: 1, ticks: atLast}},
	{"two writers and a reader", true, explorer{on: onName, ring: 2, roles: []role{writesOne, writesOne, reads}}},
	{"two writers and a reader, one killed", true, explorer{on: onName, ring: 2, roles: []role{writesOne, writesOne, reads}, kills: 1, ticks: atLast}},

	{"a writer comes while a reader ends", false, explorer{on: onName, ring: 2, roles: []role{joins, writesSeen, reads}}},
	{"a writer comes while a reader ends, one killed", true, explorer{on: onName, ring: 2, roles: []role{joins, writesSeen, reads}, kills: 1, ticks: atLast}},
	{"nobody reads some lines", false, explorer{on: onName, ring: 2, roles: []role{writesBoth, readsOne}}},
	{"nobody reads some lines, of two", true, explorer{on: onName, ring: 2, roles: []role{writesBoth, readsOne, readsOne}}},
	{"nobody reads some lines, one killed", true, explorer{on: onName, ring: 2, roles: []role{writesTwice, readsOne, readsOne}, kills: 1, ticks: atLast}},

	{"two senders and one that takes one file", false, explorer{on: onName, ring: 2, roles: []role{sendsSeen, sendsSeen, takes}}},
	{"a sender of two files and a receiver", false, explorer{on: onName, ring: 2, roles: []role{sendsTwo, receives}}},
	{"a sender and a receiver, two killed", false, explorer{on: onName, ring: 2, roles: []role{sends, receives}, kills: 2, ticks: always}},
}

func TestNoInterleavingBreaksTheProtocolOnFiles(t *testing.T) {
	var states atomic.Int64
	t.Cleanup(func() { t.Logf("%d states", states.Load()) })
	for _, s := range fileScenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if s.large {
				testenv.RequireSoak(t) // millions of states
			}
			f := s.x.asItIs()
			if f.wrong != "" {
				t.Fatal(f)
			}
			t.Log(f)
			states.Add(int64(f.states))
		})
	}
}

// Every step that only a file has is there for a reason.
func TestEveryStepOfTheProtocolOnFilesIsNeeded(t *testing.T) {
	const (
		split = "split: "
		stuck = "nobody can go on"
		left  = "left behind"
	)
	three := explorer{on: onName, ring: 2, roles: []role{joins, joins, joins}}
	threeKilled := explorer{on: onName, ring: 2, roles: []role{joins, joins, joins}, kills: 2, ticks: atLast}
	byHand := explorer{on: onName, ring: 2, roles: []role{joins, joins, removes}}
	fixed := explorer{on: onMemfd, ring: 2, roles: []role{joins, joins, joins}, kills: 2, ticks: atLast}
	pair := explorer{on: onName, ring: 2, roles: []role{writesOne, reads}}
	slow := explorer{on: onName, ring: 2, roles: []role{writesSlowly, reads}}
	narrow := explorer{on: onName, ring: 1, roles: []role{writesThree, reads}}
	leaver := explorer{on: onName, ring: 2, eager: 1, roles: []role{writesThree, readsOne}}
	killed := explorer{on: onName, ring: 2, roles: []role{writesThree, reads}, kills: 2, ticks: atLast}
	writers := explorer{on: onName, ring: 2, roles: []role{writesOne, writesOne}}
	await := explorer{on: onName, ring: 2, roles: []role{awaits, reads}}
	files := explorer{on: onName, ring: 2, roles: []role{sendsTwo, receives}}
	ending := explorer{on: onName, ring: 2, roles: []role{joins, writesSeen, reads}}
	endingKilled := explorer{on: onName, ring: 2, roles: []role{joins, writesSeen, reads}, kills: 1, ticks: atLast}
	early := explorer{on: onName, ring: 2, roles: []role{writesBoth, readsOne}}
	takeOne := explorer{on: onName, ring: 2, roles: []role{sendsSeen, sendsSeen, takes}}

	for _, c := range []struct {
		name  string
		omit  omission
		x     explorer
		wrong string
	}{
		{"the name is looked at again under lock", omitNameCheck, three, split},
		{"a file is born locked", omitBornLocked, three, split},
		{"leaving under lock", omitLeaveLock, three, split},
		{"a leaver looks once more after giving lock back", omitSecondLook, threeKilled, left},
		{"a leaver removes the name of its file only", omitUnlinkCheck, byHand, split},
		{"magic first", omitMagicFirst, fixed, "somebody else's"},
		{"magic last, at the end", omitMagicLastWiped, fixed, "somebody else's"},
		{"a stream of the dead is made anew", omitStaleRemoval, fixed, "no whole header"},

		{"a reader becomes a member under lock", omitEnterLock, narrow, "no reader can be"},
		{"measuring under lock", omitGrantLock, narrow, "no reader can be"},
		{"one writer at a time", omitTurn, writers, "two writers append"},
		{"who gives its turn back wakes the next", omitAnnounceTurn, writers, stuck},
		{"who waits for its turn tries again when marked", omitSecondTry, writers, stuck},
		{"a reader that joined wakes who waits for it", omitAnnounceArrival, await, stuck},
		{"a writer that waits for a reader looks under lock", omitLookLock, await, "by itself"},
		{"who sleeps looks at its word", omitLookAtWord, slow, stuck},
		{"sleeps end by themselves", omitTick, killed, stuck},

		{"a reader looks at tail again when marked asleep", omitLookAgain, slow, stuck},
		{"a reader looks for the end when marked asleep", omitEndAsleep, pair, stuck},
		{"a reader looks at writers before tail", omitWritersBeforeTail, pair, "ends before it has read"},
		{"a reader counts writers that came and went", omitJoined, pair, stuck},
		{"a reader looks at joined before writers", omitJoinedFirst, await, "no writer has"},
		{"a writer wakes at the end of its turn", omitWakeAtEnd, slow, stuck},
		{"a writer measures again when marked as waiting", omitSecondGrant, narrow, stuck},
		{"a reader wakes the writer that waits", omitWakeWriter, narrow, stuck},
		{"a leaver wakes the readers", omitWakeAtLeave, pair, stuck},
		{"a leaver wakes the writer that waits", omitWakeWriterAtLeave, leaver, stuck},
		{"a sender measures under lock", omitAwaitLock, files, stuck},
		{"a reader decides to end and leaves in one", omitEndLock, ending, "before a line that was written for it"},
		{"a reader looks for writers once more under lock", omitEndWriters, ending, "before a line that was written for it"},
		{"a reader looks at tail once more under lock", omitEndTail, endingKilled, "before a line that was written for it"},
		{"a writer looks at the slots under lock", omitSettleLock, early, "is not reported"},
		{"a sender looks for receivers in its turn", omitLookInTurn, takeOne, "by itself"},
		{"who takes one file leaves instead of passing its end", omitLeaveWithFile, takeOne, "by itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if f := c.x.asItIs(); f.wrong != "" {
				t.Fatalf("it is wrong with the step as well: %v", f)
			}
			c.x.omit = c.omit
			f := c.x.explore()
			if !strings.Contains(f.wrong, c.wrong) || f.wrong == "" {
				t.Errorf("without it: %v; want %q", f, c.wrong)
			}
		})
	}
}
