package futex

import (
	"strings"
	"testing"
)

// Waiters of the scenarios, all at word 0 unless they say.
var (
	direct       = wish{}
	quits        = wish{cancel: true}
	handed       = wish{polled: true}
	handedQuits  = wish{polled: true, cancel: true}
	other        = wish{process: 1}
	elsewhere    = wish{polled: true, word: 1}
	watches      = wish{sees: 2}
	watchesOne   = wish{sees: 1}
	watchesHand  = wish{sees: 2, polled: true}
	watchesQuits = wish{sees: 2, cancel: true}
)

func posts(n int) (all []change) {
	for range n {
		all = append(all, change{0, 1, 1})
	}
	return all
}

var (
	broadcast = []change{{0, 3, All}}
	twoWords  = []change{{0, 1, 1}, {1, 1, 1}}
	sequence  = []change{{0, 1, All}, {0, 1, All}}
)

var scenarios = []struct {
	name  string
	large bool
	x     explorer
}{
	{"three take turns", false, explorer{wishes: []wish{direct, direct, direct}, wakers: [][]change{posts(3)}}},
	{"three take turns, two wakers", true, explorer{wishes: []wish{direct, direct, direct}, wakers: [][]change{posts(2), posts(1)}}},
	{"one post too few", false, explorer{wishes: []wish{direct, direct, direct}, wakers: [][]change{posts(2)}}},
	{"a broadcast", false, explorer{wishes: []wish{direct, direct, direct}, wakers: [][]change{broadcast}}},
	{"the front quits", false, explorer{wishes: []wish{quits, direct, direct}, wakers: [][]change{posts(2)}}},
	{"two quit", true, explorer{wishes: []wish{quits, quits, direct}, wakers: [][]change{posts(1)}}},
	{"one quits, another process sleeps", false, explorer{wishes: []wish{quits, other}, wakers: [][]change{posts(1)}}},
	{"one quits in one process, another sleeps in another", true, explorer{wishes: []wish{quits, direct, other}, wakers: [][]change{posts(2)}}},

	{"two polled", false, explorer{wishes: []wish{handed, handed}, wakers: [][]change{posts(2)}}},
	{"two words polled", false, explorer{wishes: []wish{handed, elsewhere}, wakers: [][]change{twoWords}}},
	{"two words polled, two wakers", false, explorer{wishes: []wish{handed, elsewhere}, wakers: [][]change{posts(1), {{1, 1, 1}}}}},
	{"a polled one quits", false, explorer{wishes: []wish{handedQuits, handed}, wakers: [][]change{posts(1)}}},
	{"a polled one quits, another process sleeps", false, explorer{wishes: []wish{handedQuits, other}, wakers: [][]change{posts(1)}}},
	{"a polled one quits, another one is at another word", true, explorer{wishes: []wish{handedQuits, elsewhere}, wakers: [][]change{twoWords}}},
	{"polled and direct", true, explorer{wishes: []wish{handed, direct, elsewhere}, wakers: [][]change{{{0, 1, 1}, {1, 1, 1}, {0, 1, 1}}}}},

	{"three are recalled", false, explorer{recall: true, wishes: []wish{direct, direct, direct}, wakers: [][]change{posts(1)}}},
	{"one of three recalled quits", true, explorer{recall: true, wishes: []wish{direct, quits, direct}}},
	{"a polled one is recalled", false, explorer{recall: true, wishes: []wish{handed, elsewhere}, wakers: [][]change{{{1, 1, 1}}}}},
	{"a recall beside another process", false, explorer{recall: true, wishes: []wish{direct, direct, other}, wakers: [][]change{posts(2)}}},
	{"those who watch are recalled", false, explorer{recall: true, waits: true, wishes: []wish{watches, watches}, wakers: [][]change{sequence}}},

	{"two watch a sequence", false, explorer{waits: true, wishes: []wish{watches, watches}, wakers: [][]change{sequence}}},
	{"two watch for different ends", false, explorer{waits: true, wishes: []wish{watches, watchesOne}, wakers: [][]change{sequence[:1]}}},
	{"three watch a sequence", true, explorer{waits: true, wishes: []wish{watches, watchesOne, watchesQuits}, wakers: [][]change{sequence}}},
	{"polled ones watch a sequence", false, explorer{waits: true, wishes: []wish{watchesHand, watches}, wakers: [][]change{sequence}}},

	{"a process is killed", false, explorer{wishes: []wish{direct, direct, other}, wakers: [][]change{posts(2)}, kills: 1, ticks: true}},
	{"a process is killed, one is polled", false, explorer{wishes: []wish{handed, other}, wakers: [][]change{posts(1)}, kills: 1, ticks: true}},
	{"a waker is killed, then a process", false, explorer{wishes: []wish{direct, other}, wakers: [][]change{posts(1), posts(1)}, kills: 2, ticks: true}},
	{"killed and quit", true, explorer{wishes: []wish{quits, direct, other}, wakers: [][]change{posts(2)}, kills: 1, ticks: true}},
}

func TestNoInterleavingLosesAChange(t *testing.T) {
	states := 0
	defer func() { t.Logf("%d states", states) }()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			if s.large && (testing.Short() || underRace) {
				t.Skip("many states")
			}
			f := s.x.explore()
			if f.wrong != "" {
				t.Fatal(f)
			}
			t.Log(f)
			states += f.states
		})
	}
}

// Every step is there for a reason: without it something goes wrong.
func TestEveryStepOfTheProtocolIsNeeded(t *testing.T) {
	const (
		beside = "sleeps beside"
		late   = "though its context has ended"
		rest   = "never comes to rest"
		passed = "though it was recalled"
	)
	turns := explorer{wishes: []wish{direct, direct}, wakers: [][]change{broadcast}}
	quit := explorer{wishes: []wish{quits, direct}, wakers: [][]change{posts(1)}}
	strangers := explorer{wishes: []wish{quits, other}, wakers: [][]change{posts(1)}}
	alone := explorer{wishes: []wish{quits}}
	polledOne := explorer{wishes: []wish{handed}, wakers: [][]change{posts(1)}}
	words := explorer{wishes: []wish{handed, elsewhere}, wakers: [][]change{twoWords}}
	polledStrangers := explorer{wishes: []wish{handedQuits, other}, wakers: [][]change{posts(1)}}
	ends := explorer{waits: true, wishes: []wish{watches, watchesOne}, wakers: [][]change{sequence[:1]}}
	recalled := explorer{recall: true, wishes: []wish{direct, direct}}
	polledRecalled := explorer{recall: true, wishes: []wish{handed, elsewhere}, wakers: [][]change{{{1, 1, 1}}}}
	killed := explorer{wishes: []wish{direct, other}, wakers: [][]change{posts(1)}, kills: 1}

	for _, c := range []struct {
		name  string
		omit  omission
		x     explorer
		wrong string
	}{
		{"the front calls the next when it leaves", omitCall, turns, beside},
		{"also when it gives up", omitCallOnCancel, quit, beside},
		{"whoever is called compares with what it saw last", omitValueLastSeen, turns, beside},
		{"whoever was woken looks, though its context ended", omitLookWhenWoken, strangers, beside},
		{"the shared word is last in the list", omitSharedWordLast, strangers, beside},
		{"the stop word is noted before the context is looked at", omitNoteBeforeContext, alone, late},
		{"a cancellation counts the stop word up", omitStopWord, alone, late},
		{"the poller looks at all words", omitLookAtAll, words, rest},
		{"who gives itself to the poller recalls it", omitRecall, polledOne, beside},
		{"the poller notes control under its lock", omitNoteUnderLock, polledOne, beside},
		{"a polled front is the poller's until handed back", omitHandBack, polledStrangers, beside},
		{"a change counts for more than a cancellation", omitChangeFirst, polledStrangers, beside},
		{"those who watch have a queue for each value", omitQueuePerValue, ends, beside},
		{"the wake-up comes behind the change", omitWakeBehindChange, explorer{wishes: []wish{direct}, wakers: [][]change{posts(1)}}, beside},
		{"who is recalled knows it is not called to the front", omitRecallMark, recalled, passed},
		{"a recall calls those who are parked", omitRecallCall, recalled, passed},
		{"a recall wakes who sleeps in the kernel", omitRecallWake, recalled, passed},
		{"a poller sees who was recalled", omitRecallSeen, polledRecalled, passed},
		{"sleeps end by themselves", omitNothing, killed, beside},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := c.x
			x.omit = c.omit
			if f := x.explore(); !strings.Contains(f.wrong, c.wrong) {
				t.Errorf("%v; expected %q", f, c.wrong)
			}
		})
	}
}
