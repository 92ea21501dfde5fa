package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

// queueDir gives the test's commands a directory of their own for what has a name.
func queueDir(t *testing.T) {
	t.Helper()
	t.Setenv("SHMKIT_DIR", shmtest.Dir(t))
	t.Cleanup(func() { runKinds(t, "rm", "queue:jobs") })
}

// pushText pushes lines.
func pushText(t *testing.T, text string, flags ...string) {
	t.Helper()
	if r := runApp(t, &app{kinds: allKinds(), in: strings.NewReader(text)}, append([]string{"push", "jobs"}, flags...)...); r.code != exitDone || r.out+r.err != "" {
		t.Fatalf("%+v", r)
	}
}

// popKinds runs pop, which must do well.
func popped(t *testing.T, flags ...string) string {
	t.Helper()
	r := runKinds(t, append([]string{"pop", "jobs"}, flags...)...)
	if r.code != exitDone || r.err != "" {
		t.Fatalf("%+v", r)
	}
	return r.out
}

// Whatever the bytes, and however they come, messages are read as they were written.
func TestMessagesComeBackAsTheyWere(t *testing.T) {
	messages := [][]byte{[]byte("one"), {}, {0, 1, 255}, bytes.Repeat([]byte("x"), 70<<10), []byte("\r"), []byte("last")}
	for _, framed := range []bool{false, true} {
		f := messageFormat{framed}
		var stream []byte
		for _, m := range messages {
			var err error
			if stream, err = f.appendMessage(stream, "", m); err != nil {
				t.Fatal(err)
			}
		}
		whole := stream
		if !framed { // the last newline may be missing
			stream = stream[:len(stream)-1]
		}
		for name, r := range map[string]io.Reader{"at once": bytes.NewReader(stream), "by bytes": iotest.OneByteReader(bytes.NewReader(stream)), "by halves": iotest.HalfReader(bytes.NewReader(whole))} {
			in := newMessageReader(r, f, 70<<10)
			for i, want := range messages {
				if got, err := in.next(); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("framed %v, %s: message %d: %d bytes, %v", framed, name, i, len(got), err)
				}
			}
			if _, err := in.next(); err != io.EOF || in.part {
				t.Errorf("framed %v, %s: the end: %v, %v", framed, name, err, in.part)
			}
		}
		in := newMessageReader(bytes.NewReader(whole), f, 70<<10-1)
		for i := range messages {
			_, err := in.next()
			if tooLong := err != nil; tooLong != (i == 3) {
				t.Fatalf("message %d: %v", i, err)
			} else if tooLong {
				break
			}
		}
		// A stream that ends, or fails, in the middle.
		in = newMessageReader(io.MultiReader(bytes.NewReader(whole[:2]), iotest.ErrReader(context.Canceled)), f, 10)
		if _, err := in.next(); err != context.Canceled || !in.part {
			t.Errorf("framed %v: in the middle: %v, %v", framed, err, in.part)
		}
	}
	if _, err := (messageFormat{}).appendMessage(nil, "", []byte("a\nb")); err != errNewline {
		t.Errorf("a newline within a line: %v", err)
	}
	huge := binary.LittleEndian.AppendUint32(nil, 1<<30)
	if _, err := newMessageReader(bytes.NewReader(huge), messageFormat{true}, 1<<30).next(); err == nil || !strings.Contains(err.Error(), "ends in the middle of message 1") {
		t.Errorf("a frame that ends: %v", err)
	}
}

// A pop that is killed before its item is written out loses nothing.
func TestAKilledPopLeavesItsItem(t *testing.T) {
	queueDir(t)
	pushText(t, strings.Repeat("x", 100<<10)+"\nsecond\n", "--max-item", "200K")
	r, w, err := os.Pipe() // which holds 64 KiB, and nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := startTo(t, w, "pop", "jobs")
	w.Close()
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	b.signal(syscall.SIGKILL)
	b.wait()
	out := popped(t, "--drain", "--marked")
	if want := "2\t" + strings.Repeat("x", 100<<10) + "\n1\tsecond\n"; out != want {
		t.Errorf("%d bytes are left: %.20q… …%.20q", len(out), out, out[max(0, len(out)-20):])
	}
}

// An interrupt ends pop by that signal, while it waits and while its output takes nothing.
func TestAnInterruptedPopGivesItsItemBack(t *testing.T) {
	queueDir(t)
	b := start(t, nil, "pop", "jobs", "--max-item", "200K")
	testenv.Eventually(t, "it waits", func() bool { return strings.Contains(runKinds(t, "stat", "queue:jobs").out, "waiting            1\n") })
	pushText(t, "one\n")
	<-b.out.reaches(4)
	testenv.Eventually(t, "it is done with", func() bool { // until then the interrupt would give it back
		out := runKinds(t, "stat", "queue:jobs").out
		return strings.Contains(out, "ready              0\n") && strings.Contains(out, "claimed            0\n")
	})
	b.signal(syscall.SIGINT)
	b.wait()
	if ws := b.cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGINT || b.errs.Len() > 0 || b.out.String() != "one\n" {
		t.Errorf("%v, %q, %q", b.cmd.ProcessState, b.out.String(), b.errs.String())
	}
	pushText(t, strings.Repeat("x", 100<<10)+"\n", "--max-item", "200K")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b = startTo(t, w, "pop", "jobs")
	w.Close()
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	b.signal(syscall.SIGTERM)
	b.wait()
	if out := popped(t, "--drain", "--marked"); !strings.HasPrefix(out, "2\tx") || len(out) != 2+100<<10+1 {
		t.Errorf("%d bytes are left: %.20q", len(out), out)
	}
}

// Pushes and pops are killed: each line is printed, or in the queue, or was never pushed, and
// twice only if a pop was killed.
func TestQueuesOfLinesSurviveKills(t *testing.T) {
	const lines = 400
	rounds := max(kills()/10, 3)
	for round := range rounds {
		queueDir(t)
		input := linesOf(round, lines)
		keeper, err := queue.OpenBytes("jobs", nil) // so that it is one queue throughout
		if err != nil {
			t.Fatal(err)
		}
		victim, living := start(t, nil, "pop", "jobs"), start(t, nil, "pop", "jobs")
		pusher := start(t, strings.NewReader(input), "push", "jobs")
		select {
		case <-victim.out.reaches(1 + round*97%2000):
		case <-pusher.done:
		}
		victim.signal(syscall.SIGKILL)
		killPusher := round%2 == 1
		if killPusher {
			pusher.signal(syscall.SIGKILL)
		}
		if code := pusher.wait(); code != 0 && !killPusher {
			t.Errorf("push: exit code %d: %s", code, pusher.errs.String())
		}
		victim.wait()
		testenv.Eventually(t, "all is done with", func() bool {
			s, err := keeper.Stat()
			return err == nil && s.Ready+s.Claimed+s.Writing == 0
		})
		living.signal(syscall.SIGTERM)
		living.wait()
		s, err := keeper.Stat()
		if err != nil || s.Pushed > lines || !killPusher && s.Pushed != lines {
			t.Errorf("%+v, %v", s, err)
		}
		if err := keeper.Close(); err != nil {
			t.Error(err)
		}
		count := map[string]int{}
		cut := victim.out.String() // its last line may be torn
		cut = cut[:strings.LastIndexByte(cut, '\n')+1]
		for line := range strings.Lines(cut + living.out.String()) {
			count[line]++
		}
		twice, n := 0, uint64(0)
		for line := range strings.Lines(input) {
			if n++; n > s.Pushed {
				if count[line] > 0 {
					t.Errorf("%q was printed, and was not pushed", line)
				}
				continue
			}
			if count[line] == 0 {
				t.Errorf("%q is lost", line)
			}
			twice += max(count[line]-1, 0)
			delete(count, line)
		}
		if twice > 1 { // pop holds one item at a time
			t.Errorf("%d lines were printed twice", twice)
		}
		if len(count) > 0 {
			t.Errorf("lines were invented: %v", count)
		}
		if t.Failed() {
			return
		}
	}
}

// Who has to wait and is interrupted says what it did not push.
func TestAnInterruptedPushSaysWhatItPushed(t *testing.T) {
	queueDir(t)
	b := start(t, strings.NewReader("a\nb\nc\n"), "push", "jobs", "--capacity", "2")
	testenv.Eventually(t, "the queue is full", func() bool {
		return strings.Contains(runKinds(t, "stat", "queue:jobs").out, "waiting            1\n")
	})
	b.signal(syscall.SIGINT)
	b.wait()
	if got, want := b.errs.String(), "shmkit push: interrupted: 2 lines were pushed, and nothing of the input after\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if out := popped(t, "--drain"); out != "a\nb\n" {
		t.Errorf("%q", out)
	}
}

// Items of a type are its program's, and are told of.
func TestQueuesOfATypeAreShownAndNotTakenFrom(t *testing.T) {
	queueDir(t)
	q, err := queue.Open[[4]int32]("jobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Push(t.Context(), &[4]int32{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"pop jobs --drain", "push jobs", "dead jobs"} {
		refused(t, runKinds(t, strings.Fields(line)...), exitFailed, "[4]int32", "[]uint8", "items of bytes")
	}
	if r := runKinds(t, "stat", "queue:jobs", "--json"); r.code != exitDone || !strings.Contains(r.out, `"type": "[4]int32"`) || !strings.Contains(r.out, `"ready": 1`) {
		t.Errorf("%+v", r)
	}
	refused(t, runKinds(t, "rm", "queue:jobs"), exitFailed, "queue:jobs")
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if r := runKinds(t, "rm", "queue:jobs", "--verbose"); r.code != exitDone || !strings.Contains(r.out, "queue:jobs") {
		t.Errorf("%+v", r)
	}
}

// An item that is no line is refused and goes back.
func TestAnItemWithANewlineIsNotPrintedAsTwo(t *testing.T) {
	queueDir(t)
	q, err := queue.OpenBytes("jobs", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Push(t.Context(), []byte("a\nb")); err != nil {
		t.Fatal(err)
	}
	refused(t, runKinds(t, "pop", "jobs", "--drain"), exitFailed, "item 1: it has a newline within", "goes back")
	if out := popped(t, "--drain", "--json"); out != `{"sequence":1,"deliveries":2,"bytes":3,"text":"a\nb","base64":null}`+"\n" {
		t.Error(out)
	}
	if err := q.Push(t.Context(), []byte{0xff, '\n'}); err != nil {
		t.Fatal(err)
	}
	if out := popped(t, "--count", "1", "--framed"); out != "\x02\x00\x00\x00\xff\n" {
		t.Errorf("%q", out)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

// A letter that is not chosen stays, in its place.
func TestDeadLettersAreChosenBySequence(t *testing.T) {
	queueDir(t)
	q, err := queue.OpenBytes("jobs", &queue.Options{Deliveries: 1, Capacity: 2})
	if err != nil {
		t.Fatal(err)
	}
	bury := func(item string) {
		t.Helper()
		if err := q.Push(t.Context(), []byte(item)); err != nil {
			t.Fatal(err)
		}
		it, err := q.TryPop()
		if err != nil {
			t.Fatal(err)
		}
		if err := it.Retry(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		bury(fmt.Sprint("letter ", i+1))
	}
	if r := runKinds(t, "dead", "jobs", "--drop", "--sequence", "3"); r.code != exitDone || !strings.Contains(r.out, "letter 3") || strings.Contains(r.out, "letter 1") {
		t.Errorf("%+v", r)
	}
	// More than the queue has room for.
	r := runKinds(t, "dead", "jobs", "--retry")
	if r.code != exitFailed || !strings.Contains(r.err, "queue is full: 2 of 3 put back") || !strings.Contains(r.out, "letter 2") || strings.Contains(r.out, "letter 4") {
		t.Errorf("%+v", r)
	}
	if r := runKinds(t, "dead", "jobs"); r.code != exitDone || !strings.Contains(r.out, "letter 4") || strings.Contains(r.out, "letter 2") {
		t.Errorf("%+v", r)
	}
	if out := popped(t, "--drain"); out != "letter 1\nletter 2\n" {
		t.Errorf("%q", out)
	}
	if r := runKinds(t, "dead", "jobs", "--drop"); r.code != exitDone {
		t.Errorf("%+v", r)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
}

// A queue has members that die; recover does not say otherwise, and is not needed.
func TestRecoverSaysThatAQueueDoesNotNeedIt(t *testing.T) {
	queueDir(t)
	pushText(t, "one\n")
	r := runKinds(t, "recover", "queue:jobs")
	refused(t, r, exitUsage, "queue:jobs has no need to be put in order", "lock:")
	if popped(t, "--drain") != "one\n" {
		t.Error("the item is gone")
	}
}
