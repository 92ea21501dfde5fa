package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/stream"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/topic"
)

// soon is a context that ends only if something is stuck.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func TestANameWithoutAKindIsATopic(t *testing.T) {
	s := aTopic(t)
	r := start(t, nil, "read", s.topic)
	s.await(t, 0, 1)
	w := runProcess(t, strings.NewReader("x\n"), nil, "write", "topic:"+s.topic, "--json")
	r.succeeds()
	if r.out.String() != "x\n" || !strings.Contains(w.out, `"address": "topic:a/b c"`) || w.code != 0 {
		t.Errorf("%q, %+v", r.out.String(), w)
	}
	s.isEmpty(t)
}

// What a program publishes is a line, and what is written is a message to it.
func TestProgramsPublishAndReceiveLines(t *testing.T) {
	s := aTopic(t)
	sub, err := topic.NewBytesSubscriber(s.topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := runProcess(t, strings.NewReader("one\n\nthree"), nil, "write", s.addr)
	if w.code != 0 || w.err != "" {
		t.Errorf("%+v", w)
	}
	for _, want := range []string{"one", "", "three"} {
		m, err := sub.TryReceive()
		if err != nil || string(m.Data()) != want || m.Release() != nil {
			t.Fatalf("%q, want %q: %v", m.Data(), want, err)
		}
	}
	pub, err := topic.NewBytesPublisher(s.topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, nil, "read", s.addr)
	testenv.Eventually(t, "it reads", func() bool {
		_, all, err := pub.Listeners()
		return err == nil && len(all) == 2 && all[1].Ready
	})
	_, err = pub.SendBatch(soon(t), [][]byte{[]byte("from"), []byte("a\nprogram")})
	if err := errors.Join(err, pub.Close()); err != nil {
		t.Fatal(err)
	}
	r.succeeds()
	if r.out.String() != "from\na\nprogram\n" {
		t.Errorf("%q", r.out.String())
	}
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
	s.isEmpty(t)
}

func TestLateReadersGetTheHistoryOfATopic(t *testing.T) {
	s := aTopic(t)
	first := start(t, nil, "read", s.addr, "--history", "2", "--follow")
	s.await(t, 0, 1)
	w := start(t, strings.NewReader("a\nb\nc\n"), "write", s.addr)
	w.succeeds()
	late := start(t, nil, "read", s.addr) // ends: it has seen the lines of a writer that has
	late.succeeds()
	if late.out.String() != "b\nc\n" {
		t.Errorf("%q", late.out.String())
	}
	first.signal(syscall.SIGINT)
	first.wait()
	if first.out.String() != "a\nb\nc\n" {
		t.Errorf("%q", first.out.String())
	}
	s.isEmpty(t)
}

func TestALineThatIsTooLongForATopicSaysWhichOption(t *testing.T) {
	s := aTopic(t)
	r := start(t, nil, "read", s.addr, "--max-message", "10")
	s.await(t, 0, 1)
	w := runProcess(t, strings.NewReader("0123456789\n0123456789x\nnever\n"), nil, "write", s.addr)
	refused(t, w, exitFailed, "topic:a/b c", "too long", "line 2 has more than 10 bytes", "--max-message")
	r.succeeds()
	if r.out.String() != "0123456789\n" {
		t.Errorf("%q", r.out.String())
	}
	long := strings.Repeat("x", 1<<20) + "\n"
	r = start(t, nil, "read", s.addr, "--max-message", "1M", "--publishers", "1", "--subscribers", "1")
	s.await(t, 0, 1)
	start(t, strings.NewReader(long), "write", s.addr).succeeds()
	r.succeeds()
	if r.out.String() != long {
		t.Errorf("%d bytes of %d", len(r.out.String()), len(long))
	}
	s.isEmpty(t)
}

func TestATopicThatIsFullSaysWhichOption(t *testing.T) {
	s := aTopic(t)
	gate := make(chan struct{})
	w := start(t, &gated{gate, strings.NewReader("")}, "write", s.addr, "--publishers", "1", "--subscribers", "2")
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	s.await(t, 1, 0)
	refused(t, runProcess(t, strings.NewReader("x\n"), nil, "write", s.addr), exitFailed, "no room for another writer", "--publishers")
	refused(t, runProcess(t, strings.NewReader("x\n"), nil, "write", s.addr, "--publishers", "5"), exitFailed, "no room for another writer")
	r := []*background{start(t, nil, "read", s.addr), start(t, nil, "read", s.addr)}
	s.await(t, 1, 2)
	refused(t, runProcess(t, nil, nil, "read", s.addr), exitFailed, "no room for another reader", "--subscribers")
	open()
	for _, b := range append(r, w) {
		b.succeeds()
	}
	s.isEmpty(t)
	w = start(t, nil, "write", s.addr, "--readers", "40")
	if code := w.wait(); code != exitFailed || !strings.Contains(w.errs.String(), "it was made for 32, there cannot be 40") {
		t.Errorf("exit code %d: %s", code, w.errs.String())
	}
	s.isEmpty(t)
}

// A reader that does not read any more keeps a writer waiting only as long as it lives.
func TestAStoppedReaderOfATopicHoldsTheWriterUpUntilItIsKilled(t *testing.T) {
	s := aTopic(t)
	const lines = 5000
	stopped, reads := start(t, nil, "read", s.addr, "--size", "16K"), start(t, nil, "read", s.addr)
	s.await(t, 0, 2)
	stopped.signal(syscall.SIGSTOP)
	testenv.Eventually(t, "it has stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", stopped.cmd.Process.Pid))
		return err == nil && bytes.Contains(stat, []byte(") T "))
	})
	in := linesOf(0, lines)
	w := start(t, strings.NewReader(in), "write", s.addr)
	testenv.Eventually(t, "the writer waits", func() bool {
		v, err := topic.Look(s.topic, s.path)
		return err == nil && len(v.Lanes) == 1 && v.Lanes[0].Sent > 0 && v.Lanes[0].Free == 0
	})
	stopped.signal(syscall.SIGKILL)
	w.succeeds()
	reads.succeeds()
	if reads.out.String() != in {
		t.Errorf("%d bytes of %d", len(reads.out.String()), len(in))
	}
	s.isEmpty(t)
}

func TestLinesThatNobodyReadAreToldOverATopic(t *testing.T) {
	s := aTopic(t)
	alone := runProcess(t, strings.NewReader("a\nb"), nil, "write", s.addr, "--readers", "0")
	if alone.code != 0 || alone.err != "shmkit write: 2 of 2 lines may not have been read: there was no reader left for them\n" {
		t.Errorf("%+v", alone)
	}
	r := start(t, nil, "read", s.addr, "--lines", "2")
	s.await(t, 0, 1)
	gate := make(chan struct{})
	w := start(t, io.MultiReader(strings.NewReader("a\nb\nc\n"), &gated{gate, strings.NewReader("d\n")}), "write", s.addr)
	r.succeeds()
	close(gate)
	w.succeeds()
	if r.out.String() != "a\nb\n" || !strings.Contains(w.errs.String(), "2 of 4 lines may not have been read") {
		t.Errorf("%q, %s", r.out.String(), w.errs.String())
	}
	s.isEmpty(t)
}

func TestAnEmptyInputEndsTheReadersOfATopic(t *testing.T) {
	s := aTopic(t)
	for range 5 {
		w := start(t, strings.NewReader(""), "write", s.addr)
		r := start(t, nil, "read", s.addr)
		w.succeeds()
		r.succeeds()
		s.isEmpty(t)
	}
}

func TestWhoMissesLinesOfATopicSaysSo(t *testing.T) {
	s := aTopic(t)
	keep, err := topic.OpenOrCreateBytes(s.topic, &topic.Options{BestEffort: true, Depth: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := keep.Close(); err != nil {
			t.Error(err)
		}
		s.isEmpty(t)
	}()
	r := start(t, nil, "read", s.addr)
	testenv.Eventually(t, "it reads", func() bool { st, err := keep.Stat(); return err == nil && st.Subscribers == 1 })
	r.signal(syscall.SIGSTOP)
	w := start(t, strings.NewReader(strings.Repeat("x\n", 100)), "write", s.addr)
	w.succeeds()
	r.signal(syscall.SIGCONT)
	if code := r.wait(); code != exitFailed || !strings.Contains(r.errs.String(), "lines were missed") || len(r.out.String()) == 200 {
		t.Errorf("exit code %d, %q: %s", code, r.out.String(), r.errs.String())
	}
}

func TestATopicInUseIsNotRemoved(t *testing.T) {
	s := aTopic(t)
	r := start(t, nil, "read", s.addr)
	s.await(t, 0, 1)
	refused(t, runKinds(t, "rm", s.addr), exitFailed, s.addr)
	start(t, strings.NewReader("x\n"), "write", s.addr).succeeds()
	r.succeeds()
	s.isEmpty(t)
}

func TestAStreamLeavesForeignTopicsAlone(t *testing.T) {
	s := aTopic(t)
	keep, err := topic.Create[[3]uint64](s.topic, &topic.Options{Persistent: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := keep.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"write"}, {"read"}, {"recv"}, {"send", "/proc/self/exe"}} {
		refused(t, runProcess(t, strings.NewReader("x\n"), nil, append(args, s.addr)...), exitFailed, "carries something else", "[3]uint64", s.addr)
	}
	if err := topic.Remove(s.topic, s.path); err != nil {
		t.Error(err)
	}
	s.isEmpty(t)
}

// Senders take turns: each receiver gets one file, whole.
func TestSeveralSendersOverATopicTakeTurns(t *testing.T) {
	s := aTopic(t)
	const n = 3
	var senders, receivers []*background
	want := map[string]bool{}
	for i := range n {
		text := strings.Repeat(fmt.Sprint(i), 1<<20)
		want[text] = true
		senders = append(senders, start(t, strings.NewReader(text), "send", "-", s.addr))
		receivers = append(receivers, start(t, nil, "recv", s.addr))
	}
	got := 0
	for len(receivers) > 0 {
		for _, r := range receivers {
			r.succeeds()
			if text := r.out.String(); len(text) != 1<<20 || strings.Trim(text, text[:1]) != "" {
				t.Errorf("%d bytes", len(text))
			}
			got++
		}
		receivers = nil
		// Two may have got the same file: those who wait yet get another one.
		for _, w := range senders {
			select {
			case <-w.done:
				continue
			case <-time.After(time.Second): // sleep-ok: it is only a hint that one more is needed
			}
			if len(receivers) == 0 && got < 100 {
				receivers = append(receivers, start(t, nil, "recv", s.addr))
			}
		}
	}
	for _, w := range senders {
		w.succeeds()
	}
	s.isEmpty(t)
}

func TestAReceiverThatFailsIsNotCountedOverATopic(t *testing.T) {
	s := aTopic(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("no /dev/full: %v", err)
	}
	defer full.Close()
	w := start(t, nil, "send", "/proc/self/exe", s.addr)
	s.await(t, 1, 0)
	refused(t, runProcess(t, nil, full, "recv", s.addr), exitFailed, "no space left on device")
	if code := w.wait(); code != exitFailed || !strings.Contains(w.errs.String(), "no receiver") {
		t.Errorf("sender: %d, %s", code, w.errs.String())
	}
	s.isEmpty(t)

	good := filepath.Join(t.TempDir(), "good")
	w = start(t, nil, "send", "/proc/self/exe", s.addr, "--receivers", "2")
	s.await(t, 1, 0)
	r := start(t, nil, "recv", s.addr, good)
	s.await(t, 1, 1)
	refused(t, runProcess(t, nil, full, "recv", s.addr), exitFailed, "no space left on device")
	r.succeeds()
	if code := w.wait(); code != 0 || !strings.Contains(w.errs.String(), "to 1 receiver, all verified") {
		t.Errorf("sender: %d, %s", code, w.errs.String())
	}
	s.isEmpty(t)
}

// A sender that dies in the middle, or is told to end, leaves its receivers with an error, and nothing half-made.
func TestASenderOverATopicThatEndsInTheMiddle(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		s := aTopic(t)
		dir := t.TempDir()
		gate := make(chan struct{})
		half := pattern(1 << 20)
		w := start(t, io.MultiReader(bytes.NewReader(half), &gated{gate, bytes.NewReader(half)}), "send", "-", s.addr, "--receivers", "2")
		r, out := start(t, nil, "recv", s.addr, filepath.Join(dir, "file")), start(t, nil, "recv", s.addr)
		open := sync.OnceFunc(func() { close(gate) })
		t.Cleanup(open)
		<-out.out.reaches(1)
		w.signal(sig)
		for _, b := range []*background{r, out} {
			if code := b.wait(); code != exitFailed || !strings.Contains(b.errs.String(), "the file is incomplete") {
				t.Errorf("%v: exit code %d: %s", sig, code, b.errs.String())
			}
		}
		open()
		w.wait()
		if left := folder(t, dir); len(left) > 0 {
			t.Errorf("%v: left %v", sig, left)
		}
		s.sweep(t)
	}
}

// Who is killed after the last receiver has gone leaves the answers' topic, which the next sender takes.
func TestWhatASenderLeavesIsCleanedUp(t *testing.T) {
	s := aTopic(t)
	gate := make(chan struct{})
	w := start(t, io.MultiReader(strings.NewReader("x"), &gated{gate, strings.NewReader("x")}), "send", "-", s.addr)
	r := start(t, nil, "recv", s.addr)
	testenv.Eventually(t, "it sends", func() bool {
		_, err := topic.Look(stream.AnswersOf(s.topic), s.path)
		return err == nil
	})
	for _, b := range []*background{w, r} {
		b.signal(syscall.SIGKILL)
	}
	close(gate)
	w.wait()
	r.wait()
	again := start(t, nil, "recv", s.addr)
	start(t, strings.NewReader("whole"), "send", "-", s.addr).succeeds()
	again.succeeds()
	if again.out.String() != "whole" {
		t.Errorf("%q", again.out.String())
	}
	s.isEmpty(t)
}
