package stream

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The explorer is a model of docs/abi/stream.md as step machines: explore_world_test.go
// has what they share, explore_steps_test.go and explore_members_test.go what they do,
// explore_run_test.go visits every state and says what is wrong with one.

// Roles, at the smallest size at which they wait, wake, wrap and overlap.
var (
	joins        = role{}
	failsFirst   = role{failsFirst: true}
	failsLast    = role{failsLast: true}
	writesOne    = role{program: []action{appendOne}}
	writesTwo    = role{program: []action{appendTwo}}
	writesThree  = role{program: []action{appendOne, appendTwo}}
	writesSlowly = role{program: []action{appendOne, untilRead, appendOne, untilRead}}
	reads        = role{reader: true}
	readsOne     = role{reader: true, most: 1}
	sends        = role{program: []action{appendFile}}
	sendsTwo     = role{program: []action{appendFile, appendFile}}
	receives     = role{reader: true, file: true}
	writesSeen   = role{program: []action{untilReader, appendOne, settle}}
	writesTwice  = role{program: []action{untilReader, appendOne, settle, appendOne, settle}}
	writesLate   = role{program: []action{appendOne, untilReader, appendOne, settle}}
	writesBoth   = role{program: []action{untilReader, appendTwo, settle}}
	sendsSeen    = role{program: []action{untilReader, appendSeen}}
	takes        = role{reader: true, file: true, once: true}
)

// scenarios without kills have no ticks either: what they show is also that nobody
// ever needs one to go on.
var scenarios = []struct {
	name  string
	large bool
	x     explorer
}{
	{"three come and go", false, explorer{ring: 2, roles: []role{joins, joins, joins}}},
	{"three come and go, two killed", false, explorer{ring: 2, roles: []role{joins, joins, joins}, kills: 2, ticks: always}},
	{"three come to a blank segment, two killed", false, explorer{ring: 2, blank: true, roles: []role{joins, joins, joins}, kills: 2, ticks: always}},
	{"one does not wait for lock, two killed", false, explorer{ring: 2, roles: []role{joins, failsFirst, joins}, kills: 2, ticks: always}},
	{"one fails under lock, two killed", false, explorer{ring: 2, roles: []role{joins, failsLast, joins}, kills: 2, ticks: always}},
	{"two fail, two killed", false, explorer{ring: 2, roles: []role{joins, failsLast, failsFirst}, kills: 2, ticks: always}},
	{"a reader sees writers come and go", false, explorer{ring: 2, roles: []role{joins, joins, reads}}},
	{"a reader sees writers come and go, two killed", false, explorer{ring: 2, roles: []role{joins, joins, reads}, kills: 2, ticks: always}},

	{"a writer waits until its line was read", false, explorer{ring: 2, roles: []role{writesSlowly, reads}}},
	{"a writer and a reader, ring of one", false, explorer{ring: 1, roles: []role{writesThree, reads}}},
	{"a writer and a reader, ring of two", false, explorer{ring: 2, roles: []role{writesThree, reads}}},
	{"a writer and a reader, two killed", false, explorer{ring: 2, roles: []role{writesThree, reads}, kills: 2, ticks: always}},
	{"an eager writer and a reader", false, explorer{ring: 2, eager: 1, roles: []role{writesThree, reads}}},
	{"an eager writer and a reader, two killed", false, explorer{ring: 2, eager: 1, roles: []role{writesThree, reads}, kills: 2, ticks: always}},
	{"a reader leaves early", false, explorer{ring: 1, roles: []role{writesThree, readsOne}}},
	{"a reader leaves early, two killed", false, explorer{ring: 1, roles: []role{writesThree, readsOne}, kills: 2, ticks: always}},
	{"two writers and a reader", false, explorer{ring: 2, roles: []role{writesOne, writesOne, reads}}},
	{"two writers and a reader, one killed", false, explorer{ring: 2, roles: []role{writesOne, writesOne, reads}, kills: 1, ticks: atLast}},
	{"two writers and a reader, two killed", true, explorer{ring: 2, roles: []role{writesOne, writesOne, reads}, kills: 2, ticks: always}},
	{"a writer and two readers", true, explorer{ring: 1, roles: []role{writesTwo, readsOne, readsOne}}},
	{"a writer and two readers, one killed", true, explorer{ring: 1, roles: []role{writesTwo, readsOne, readsOne}, kills: 1, ticks: atLast}},

	{"a writer comes while a reader ends", false, explorer{ring: 2, roles: []role{joins, writesSeen, reads}}},
	{"a writer comes while a reader ends, one killed", false, explorer{ring: 2, roles: []role{joins, writesSeen, reads}, kills: 1, ticks: always}},
	{"a writer comes while a reader ends, two killed", true, explorer{ring: 2, roles: []role{writesOne, writesSeen, reads}, kills: 2, ticks: always}},
	{"nobody reads some lines", false, explorer{ring: 2, roles: []role{writesBoth, readsOne, readsOne}}},
	{"nobody reads some lines, one killed", true, explorer{ring: 2, roles: []role{writesTwice, readsOne, readsOne}, kills: 1, ticks: atLast}},

	{"a sender of two files and a receiver", false, explorer{ring: 2, roles: []role{sendsTwo, receives}}},
	{"two senders and one that takes one file", false, explorer{ring: 2, roles: []role{sendsSeen, sendsSeen, takes}}},
	{"a sender and two that take one file, one killed", true, explorer{ring: 2, roles: []role{sendsSeen, takes, takes}, kills: 1, ticks: atLast}},
	{"a sender and a receiver, two killed", false, explorer{ring: 2, roles: []role{sends, receives}, kills: 2, ticks: always}},
	{"two senders and a receiver", false, explorer{ring: 2, roles: []role{sends, sends, receives}}},
	{"two senders and a receiver, one killed", true, explorer{ring: 2, roles: []role{sends, sends, receives}, kills: 1, ticks: atLast}},
	{"a sender and two receivers", true, explorer{ring: 2, roles: []role{sends, receives, receives}}},
}

func TestNoInterleavingBreaksTheProtocol(t *testing.T) {
	var states atomic.Int64
	t.Cleanup(func() { t.Logf("%d states", states.Load()) })
	for _, s := range scenarios {
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

// Every step is there for a reason: without it something goes wrong.
func TestEveryStepOfTheProtocolIsNeeded(t *testing.T) {
	const (
		split     = "split: "
		stuck     = "nobody can go on" // or only by a tick
		trap      = "not all can end"
		overwrite = "overwrit"
		left      = "left behind"
	)
	three := explorer{ring: 2, roles: []role{joins, joins, joins}}
	threeKilled := explorer{ring: 2, roles: []role{joins, joins, joins}, kills: 2, ticks: atLast}
	pair := explorer{ring: 2, roles: []role{writesOne, reads}}
	slow := explorer{ring: 2, roles: []role{writesSlowly, reads}}
	narrow := explorer{ring: 1, roles: []role{writesThree, reads}}
	leaver := explorer{ring: 2, eager: 1, roles: []role{writesThree, readsOne}}
	killed := explorer{ring: 2, roles: []role{writesThree, reads}, kills: 2, ticks: atLast}
	killedTwo := explorer{ring: 2, roles: []role{writesOne, writesOne, reads}, kills: 1, ticks: atLast}
	files := explorer{ring: 2, roles: []role{sendsTwo, receives}}
	ending := explorer{ring: 2, roles: []role{joins, writesSeen, reads}}
	endingKilled := explorer{ring: 2, roles: []role{joins, writesSeen, reads}, kills: 1, ticks: atLast}
	leavesEarly := explorer{ring: 2, roles: []role{writesBoth, readsOne}}
	early := explorer{ring: 2, roles: []role{writesTwice, readsOne, readsOne}}
	earlyKilled := explorer{ring: 2, roles: []role{writesTwice, readsOne, readsOne}, kills: 1, ticks: atLast}
	late := explorer{ring: 2, roles: []role{writesLate, readsOne, readsOne}}
	takeOne := explorer{ring: 2, roles: []role{sendsSeen, sendsSeen, takes}}

	for _, c := range []struct {
		name  string
		omit  omission
		x     explorer
		wrong string
	}{
		{"the set is made before the segment", omitSetFirst, three, "another segment came between"},
		{"the set is looked for again when it went away", omitRecheckGone, three, split},
		{"joining under lock", omitJoinLock, three, "a blank segment is in use"},
		{"a reader becomes a member under lock", omitEnterLock, pair, split},
		{"leaving under lock", omitLeaveLock, three, "gone under its users"},
		{"a leaver gives lock back only to members", omitReleaseCheck, threeKilled, left},
		{"magic last", omitMagicLast, three, "no whole header"},
		{"a segment of the dead is replaced", omitStaleRemoval, explorer{ring: 2, roles: []role{joins, failsFirst, joins}, kills: 2, ticks: atLast}, "do not belong together"},

		{"measuring under lock", omitGrantLock, killed, overwrite},
		{"measuring before writing", omitCheckLimit, narrow, overwrite},
		{"one writer at a time", omitTurn, explorer{ring: 2, roles: []role{writesOne, writesOne, reads}}, "two writers append"},
		{"tail last", omitTailLast, pair, "another record than was committed"},
		{"highest slot", omitHighest, pair, stuck},

		{"lock is undone", omitUndoLock, killed, stuck},
		{"turn is undone", omitUndoTurn, killedTwo, trap},
		{"writers is undone", omitUndoWriters, killed, left},
		{"readers is undone", omitUndoReaders, killed, left},
		{"alive is undone", omitUndoAlive, killed, trap},
		{"sleeps end by themselves", omitTick, killed, stuck},

		{"a reader looks at tail again when marked asleep", omitLookAgain, slow, stuck},
		{"a reader looks for the end when marked asleep", omitEndAsleep, pair, stuck},
		{"a reader looks at writers before tail", omitWritersBeforeTail, pair, "ends before it has read"},
		{"a reader counts writers that came and went", omitJoined, pair, stuck},
		{"a reader looks at joined before writers", omitJoinedFirst, pair, "no writer has"},
		{"a writer wakes at the end of its turn", omitWakeAtEnd, slow, stuck},
		{"a writer wakes before it waits for space", omitWakeBeforeSleep, narrow, stuck},
		{"a writer measures again when marked as waiting", omitSecondGrant, narrow, stuck},
		{"a reader wakes the writer that waits", omitWakeWriter, narrow, stuck},
		{"a leaver wakes the readers", omitWakeAtLeave, pair, stuck},
		{"a leaver wakes the writer that waits", omitWakeWriterAtLeave, leaver, stuck},

		{"a sender measures under lock", omitAwaitLock, files, "did not wait for a receiver"},
		{"a reader decides to end and leaves in one", omitEndLock, ending, "before a line that was written for it"},
		{"a reader looks for writers once more under lock", omitEndWriters, ending, "before a line that was written for it"},
		{"a reader looks at tail once more under lock", omitEndTail, endingKilled, "before a line that was written for it"},
		{"a writer looks at the slots under lock", omitSettleLock, leavesEarly, "is not reported"},
		{"a reader keeps what the one before it read", omitKeep, early, "reports a line that was read"},
		{"a gap is not kept", omitKeepGap, late, "is not reported"},
		{"start before cursor", omitStartFirst, earlyKilled, "is not reported"},

		{"a sender looks for receivers in its turn", omitLookInTurn, takeOne, "by itself"},
		{"who takes one file leaves instead of passing its end", omitLeaveWithFile, takeOne, "by itself"},
		{"a receiver verifies before it advances", omitVerifyBeforeCursor, files, "overlooks a receiver"},
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
