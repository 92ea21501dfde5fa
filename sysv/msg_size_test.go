package sysv_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// pattern is n bytes that differ from their neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

func TestMessagesOfEverySizeArriveWhole(t *testing.T) {
	limits, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	q := newQueue(t)
	// The kernel keeps a message in pieces of a page.
	for _, n := range []int{0, 1, 7, 8, 9, 4047, 4048, 4049, 4096, 4097, limits.MaxMessage - 1, limits.MaxMessage} {
		want := pattern(n)
		succeeds(t, q.TrySend(1, want))
		buf := bytes.Repeat([]byte{0xee}, n+3)
		typ, got, err := q.TryReceive(sysv.Any(), buf)
		succeeds(t, err)
		if typ != 1 || got != n || !bytes.Equal(buf[:n], want) {
			t.Errorf("%d bytes: type %d, %d bytes, whole: %v", n, typ, got, bytes.Equal(buf[:min(n, got)], want))
		}
		if !bytes.Equal(buf[n:], []byte{0xee, 0xee, 0xee}) {
			t.Errorf("%d bytes: the buffer behind the message changed: %v", n, buf[n:])
		}
	}
}

func TestMessageLongerThanTheLimit(t *testing.T) {
	limits, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	q := newQueue(t)
	for _, send := range []func([]byte) error{
		func(b []byte) error { return q.TrySend(1, b) },
		func(b []byte) error { return q.Send(background, 1, b) },
	} {
		err := send(make([]byte, limits.MaxMessage+1))
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, fmt.Sprintf("%d bytes", limits.MaxMessage+1), fmt.Sprintf("kernel.msgmax = %d", limits.MaxMessage))
	}
}

func TestMessageLongerThanTheBufferStays(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.TrySend(1, []byte("12345")))
	for _, size := range []int{0, 1, 4} {
		buf := bytes.Repeat([]byte{0xee}, size)
		for _, receive := range []func() (int64, int, error){
			func() (int64, int, error) { return q.TryReceive(sysv.Any(), buf) },
			func() (int64, int, error) { return q.Receive(background, sysv.Any(), buf) },
			func() (int64, int, error) { return q.Peek(0, false, buf) },
		} {
			_, n, err := receive()
			failsWith(t, err, syscall.E2BIG)
			says(t, err, fmt.Sprintf("buffer of %d bytes", size), "stays in the queue")
			if n != 0 || !bytes.Equal(buf, bytes.Repeat([]byte{0xee}, size)) {
				t.Errorf("%d bytes, and the buffer is now %v", n, buf)
			}
		}
	}
	takes(t, q, sysv.Any(), 1, "12345")
}

func TestTruncateCutsAMessageAndTakesIt(t *testing.T) {
	q := newQueue(t)
	for size := range 7 {
		succeeds(t, q.TrySend(4, []byte("12345")))
		buf := make([]byte, size)
		typ, n, err := q.TryReceive(sysv.Type(4).Truncate(), buf)
		succeeds(t, err)
		if want := "12345"[:min(size, 5)]; typ != 4 || string(buf[:n]) != want {
			t.Errorf("buffer of %d bytes: type %d %q, expected %q", size, typ, buf[:n], want)
		}
	}
	takesNothing(t, q, sysv.Any())
}

func TestTruncateMakesACopyOfTheSelector(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.TrySend(1, []byte("12345")))
	any := sysv.Any()
	_ = any.Truncate()
	_, _, err := q.TryReceive(any, nil)
	failsWith(t, err, syscall.E2BIG)
}

// The kernel cannot cut a copy: it says EINVAL, as for a queue that is gone.
func TestPeekCutsAMessageIfAsked(t *testing.T) {
	limits, err := sysv.ReadQueueLimits()
	succeeds(t, err)
	q := newQueue(t)
	want := pattern(limits.MaxMessage)
	succeeds(t, q.TrySend(4, want))
	for _, size := range []int{0, 1, 4000, limits.MaxMessage - 1, limits.MaxMessage, limits.MaxMessage + 1} {
		buf := make([]byte, size)
		typ, n, err := q.Peek(0, true, buf)
		succeeds(t, err)
		if typ != 4 || n != min(size, len(want)) || !bytes.Equal(buf[:n], want[:n]) {
			t.Errorf("buffer of %d bytes: type %d, %d bytes", size, typ, n)
		}
	}
	_, _, err = q.Peek(1, true, nil)
	failsWith(t, err, syscall.ENOMSG)
}

func TestPeekAtAMessageLongerThanTheLimitBecame(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	q := newQueue(t)
	succeeds(t, q.TrySend(1, pattern(1000)))
	testenv.SetSysctl(t, "kernel/msgmax", "100")
	buf := make([]byte, 2000)
	for _, truncate := range []bool{false, true} {
		_, _, err := q.Peek(0, truncate, buf)
		failsWith(t, err, syscall.EINVAL)
		isNot(t, err, fs.ErrNotExist)
		says(t, err, "kernel.msgmax")
	}
	_, n, err := q.TryReceive(sysv.Any(), buf)
	succeeds(t, err)
	if !bytes.Equal(buf[:n], pattern(1000)) {
		t.Errorf("received %d bytes", n)
	}
}

func TestEmptyMessages(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.TrySend(7, nil))
	succeeds(t, q.TrySend(8, []byte{}))
	info, err := q.Stat()
	succeeds(t, err)
	if info.Messages != 2 || info.Bytes != 0 {
		t.Errorf("%d messages of %d bytes", info.Messages, info.Bytes)
	}
	typ, n, err := q.Peek(0, false, nil)
	if typ != 7 || n != 0 || err != nil {
		t.Errorf("peek: type %d, %d bytes, %v", typ, n, err)
	}
	for _, want := range []int64{7, 8} {
		typ, n, err := q.TryReceive(sysv.Any(), nil)
		if typ != want || n != 0 || err != nil {
			t.Errorf("type %d, %d bytes, %v; expected type %d", typ, n, err, want)
		}
	}
}

func TestMessagesAreCountedAndMeasured(t *testing.T) {
	q := newQueue(t)
	fill := func(messages int, bytes uint64) {
		t.Helper()
		info, err := q.Stat()
		succeeds(t, err)
		if info.Messages != messages || info.Bytes != bytes {
			t.Errorf("%d messages of %d bytes, expected %d of %d", info.Messages, info.Bytes, messages, bytes)
		}
	}
	succeeds(t, q.TrySend(1, make([]byte, 10)))
	fill(1, 10)
	succeeds(t, q.TrySend(1, make([]byte, 300)))
	fill(2, 310)
	_, _, err := q.TryReceive(sysv.Any().Truncate(), nil) // the whole message goes
	succeeds(t, err)
	fill(1, 300)
}

// A received buffer is the caller's: the next message does not write to it.
func TestBuffersAreNotShared(t *testing.T) {
	q := newQueue(t)
	data := []byte("first")
	succeeds(t, q.TrySend(1, data))
	copy(data, "xxxxx")
	succeeds(t, q.TrySend(1, []byte("other")))
	one, two := make([]byte, 5), make([]byte, 5)
	_, _, err := q.TryReceive(sysv.Any(), one)
	succeeds(t, err)
	_, _, err = q.TryReceive(sysv.Any(), two)
	succeeds(t, err)
	if string(one) != "first" || string(two) != "other" {
		t.Errorf("%q and %q", one, two)
	}
}
