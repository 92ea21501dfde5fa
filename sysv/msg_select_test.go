package sysv_test

import (
	"cmp"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"github.com/shmkit/shmkit/sysv"
)

// fill sends messages whose text is their number in order, from 0.
func fill(t testing.TB, q *sysv.MessageQueue, types ...int64) {
	t.Helper()
	for i, typ := range types {
		succeeds(t, q.TrySend(typ, fmt.Append(nil, i)))
	}
}

// takes receives without waiting, and fails the test unless it is the message
// with this type and text.
func takes(t testing.TB, q *sysv.MessageQueue, sel sysv.Selector, wantType int64, wantText string) {
	t.Helper()
	buf := make([]byte, 100)
	typ, n, err := q.TryReceive(sel, buf)
	succeeds(t, err)
	if typ != wantType || string(buf[:n]) != wantText {
		t.Fatalf("received type %d %q, expected type %d %q", typ, buf[:n], wantType, wantText)
	}
}

// takesNothing fails the test unless no message is selected.
func takesNothing(t testing.TB, q *sysv.MessageQueue, sel sysv.Selector) {
	t.Helper()
	_, n, err := q.TryReceive(sel, make([]byte, 100))
	failsWith(t, err, syscall.ENOMSG, sysv.ErrWouldBlock)
	if n != 0 {
		t.Errorf("%d bytes of no message", n)
	}
}

func TestAnyTakesTheOldest(t *testing.T) {
	q := newQueue(t)
	fill(t, q, 3, 1, 2)
	takes(t, q, sysv.Any(), 3, "0")
	takes(t, q, sysv.Selector{}, 1, "1") // the zero value means the same
	takes(t, q, sysv.Any(), 2, "2")
	takesNothing(t, q, sysv.Any())
}

func TestTypeTakesTheOldestOfItsType(t *testing.T) {
	q := newQueue(t)
	fill(t, q, 3, 1, 2, 1)
	takes(t, q, sysv.Type(1), 1, "1")
	takes(t, q, sysv.Type(1), 1, "3")
	takesNothing(t, q, sysv.Type(1))
	takes(t, q, sysv.Type(2), 2, "2")
	takes(t, q, sysv.Type(3), 3, "0")
}

func TestUpToTakesTheLowestTypeFirst(t *testing.T) {
	q := newQueue(t)
	fill(t, q, 5, 3, 4, 3, 1)
	takes(t, q, sysv.UpTo(4), 1, "4")
	takes(t, q, sysv.UpTo(4), 3, "1")
	takes(t, q, sysv.UpTo(4), 3, "3")
	takes(t, q, sysv.UpTo(4), 4, "2")
	takesNothing(t, q, sysv.UpTo(4))
	takes(t, q, sysv.UpTo(math.MaxInt64), 5, "0")
}

func TestExceptTakesTheOldestOfOtherTypes(t *testing.T) {
	q := newQueue(t)
	fill(t, q, 2, 2, 1, 3, 2)
	takes(t, q, sysv.Except(2), 1, "2")
	takes(t, q, sysv.Except(2), 3, "3")
	takesNothing(t, q, sysv.Except(2))
	takes(t, q, sysv.Except(1), 2, "0")
}

func TestTypesHaveSixtyThreeBits(t *testing.T) {
	q := newQueue(t)
	for _, typ := range []int64{1, math.MaxInt32, 1 << 32, 1<<32 + 1, math.MaxInt64} {
		fill(t, q, typ)
		if low := typ & math.MaxUint32; low != typ && low != 0 {
			takesNothing(t, q, sysv.Type(low)) // nothing is cut to 32 bits
		}
		takes(t, q, sysv.Type(typ), typ, "0")
	}
}

func TestTypesBelowOneAreRefused(t *testing.T) {
	q := newQueue(t)
	fill(t, q, 1)
	for _, typ := range []int64{0, -1, math.MinInt64} {
		err := q.TrySend(typ, []byte("x"))
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, fmt.Sprintf("type %d is below 1", typ))
		failsWith(t, q.Send(background, typ, nil), syscall.EINVAL)
		for _, sel := range []sysv.Selector{sysv.Type(typ), sysv.UpTo(typ), sysv.Except(typ)} {
			_, _, err := q.TryReceive(sel, make([]byte, 8))
			failsWith(t, err, syscall.EINVAL)
			isNot(t, err, fs.ErrNotExist)
			_, _, err = q.Receive(background, sel.Truncate(), make([]byte, 8))
			failsWith(t, err, syscall.EINVAL)
			says(t, err, fmt.Sprintf("type %d is below 1", typ))
		}
	}
	takes(t, q, sysv.Any(), 1, "0")
	takesNothing(t, q, sysv.Any())
}

func TestPeekCopiesByPositionAndTakesNothing(t *testing.T) {
	q := newQueue(t)
	fill(t, q, 3, 1, 2)
	buf := make([]byte, 100)
	for range 2 {
		for position, want := range []int64{3, 1, 2} {
			typ, n, err := q.Peek(position, false, buf)
			succeeds(t, err)
			if typ != want || string(buf[:n]) != fmt.Sprint(position) {
				t.Errorf("position %d: type %d %q, expected type %d", position, typ, buf[:n], want)
			}
		}
	}
	for _, position := range []int{3, 1000, math.MaxInt} {
		_, _, err := q.Peek(position, false, buf)
		failsWith(t, err, syscall.ENOMSG, sysv.ErrWouldBlock)
	}
	for _, position := range []int{-1, math.MinInt} {
		_, _, err := q.Peek(position, false, buf)
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, "is negative")
	}
	info, err := q.Stat()
	succeeds(t, err)
	if info.Messages != 3 || info.LastReceivePID != 0 || !info.ReceiveTime.IsZero() {
		t.Errorf("peeking changed the queue: %+v", info)
	}
}

// Random sends and receives do what a slice of messages does.
func TestReceiveTakesWhatTheModelTakes(t *testing.T) {
	type message struct {
		typ  int64
		text string
	}
	rapid.Check(t, func(r *rapid.T) {
		q, err := sysv.CreateQueue(sysv.Private, 0o600)
		succeeds(t, err)
		defer func() { succeeds(t, q.Remove()) }()
		var model []message
		types := rapid.Int64Range(1, 5)
		for step := range rapid.IntRange(1, 60).Draw(r, "steps") {
			if rapid.Bool().Draw(r, "send") {
				m := message{types.Draw(r, "type"), fmt.Sprint(step)}
				succeeds(t, q.TrySend(m.typ, []byte(m.text)))
				model = append(model, m)
				continue
			}
			typ, at := types.Draw(r, "type"), -1
			var sel sysv.Selector
			switch rapid.IntRange(0, 3).Draw(r, "selector") {
			case 0:
				sel, at = sysv.Any(), slices.IndexFunc(model, func(message) bool { return true })
			case 1:
				sel, at = sysv.Type(typ), slices.IndexFunc(model, func(m message) bool { return m.typ == typ })
			case 2:
				sel, at = sysv.Except(typ), slices.IndexFunc(model, func(m message) bool { return m.typ != typ })
			case 3:
				sel = sysv.UpTo(typ)
				low := slices.DeleteFunc(slices.Clone(model), func(m message) bool { return m.typ > typ })
				if len(low) > 0 {
					at = slices.Index(model, slices.MinFunc(low, func(a, b message) int { return cmp.Compare(a.typ, b.typ) }))
				}
			}
			if at < 0 {
				takesNothing(t, q, sel)
				continue
			}
			takes(t, q, sel, model[at].typ, model[at].text)
			model = slices.Delete(model, at, at+1)
		}
	})
}
