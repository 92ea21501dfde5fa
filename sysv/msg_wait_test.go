package sysv_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// receiving starts a Receive and waits until it blocks. The answer is the text.
func receiving(t testing.TB, q *sysv.MessageQueue, sel sysv.Selector, size int) (<-chan error, *[]byte) {
	t.Helper()
	before := threadsIn(t, syscall.SYS_MSGRCV, q.ID())
	text := new([]byte)
	done := start(func() error {
		buf := make([]byte, size)
		_, n, err := q.Receive(background, sel, buf)
		*text = buf[:n]
		return err
	})
	eventuallyIn(t, syscall.SYS_MSGRCV, q.ID(), before+1)
	return done, text
}

// sending starts a Send and waits until it blocks.
func sending(t testing.TB, q *sysv.MessageQueue, typ int64, data []byte) <-chan error {
	t.Helper()
	before := threadsIn(t, syscall.SYS_MSGSND, q.ID())
	done := start(func() error { return q.Send(background, typ, data) })
	eventuallyIn(t, syscall.SYS_MSGSND, q.ID(), before+1)
	return done
}

func TestReceiveWaitsForItsMessage(t *testing.T) {
	q := newQueue(t)
	done, text := receiving(t, q, sysv.Type(2), 10)
	succeeds(t, q.TrySend(1, []byte("other")))
	unfinished(t, done)
	succeeds(t, q.TrySend(2, []byte("mine")))
	succeeds(t, result(t, done))
	if string(*text) != "mine" {
		t.Errorf("received %q", *text)
	}
	takes(t, q, sysv.Any(), 1, "other")
}

func TestEveryKindOfReceiverIsWokenByItsMessageOnly(t *testing.T) {
	for _, c := range []struct {
		name        string
		sel         sysv.Selector
		other, mine int64 // other: 0 if every message is meant
	}{
		{"any", sysv.Any(), 0, 9}, {"type", sysv.Type(5), 4, 5}, {"up to", sysv.UpTo(5), 6, 3}, {"except", sysv.Except(5), 5, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := newQueue(t)
			done, text := receiving(t, q, c.sel, 10)
			if c.other != 0 {
				succeeds(t, q.TrySend(c.other, []byte("other")))
				unfinished(t, done)
			}
			succeeds(t, q.TrySend(c.mine, []byte("mine")))
			succeeds(t, result(t, done))
			if string(*text) != "mine" {
				t.Errorf("received %q", *text)
			}
		})
	}
}

func TestWaitingReceiverIsToldOfAMessageTooLong(t *testing.T) {
	q := newQueue(t)
	short, _ := receiving(t, q, sysv.Any(), 3)
	succeeds(t, q.TrySend(1, []byte("12345")))
	failsWith(t, result(t, short), syscall.E2BIG)
	cut, text := receiving(t, q, sysv.Type(2).Truncate(), 3)
	succeeds(t, q.TrySend(2, []byte("12345")))
	succeeds(t, result(t, cut))
	if string(*text) != "123" {
		t.Errorf("received %q", *text)
	}
	takes(t, q, sysv.Any(), 1, "12345")
}

func TestFullQueueRefusesAndMakesWait(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.SetCapacity(10))
	succeeds(t, q.TrySend(1, []byte("1234567")))
	err := q.TrySend(1, []byte("8901"))
	failsWith(t, err, syscall.EAGAIN, sysv.ErrWouldBlock)
	says(t, err, "send to message queue", q.String())
	succeeds(t, q.TrySend(1, []byte("890"))) // exactly full
	failsWith(t, q.TrySend(1, []byte("x")), sysv.ErrWouldBlock)
	succeeds(t, q.TrySend(1, nil)) // takes no room

	done := sending(t, q, 2, []byte("later"))
	takes(t, q, sysv.Any(), 1, "1234567")
	succeeds(t, result(t, done))
	takes(t, q, sysv.Type(2), 2, "later")
}

func TestQueueHoldsNoMoreMessagesThanBytes(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.SetCapacity(4))
	for range 4 {
		succeeds(t, q.TrySend(1, nil))
	}
	failsWith(t, q.TrySend(1, nil), syscall.EAGAIN, sysv.ErrWouldBlock)
	done := sending(t, q, 1, nil)
	takes(t, q, sysv.Any(), 1, "")
	succeeds(t, result(t, done))
}

func TestRaisedCapacityLetsSendersGoOn(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.SetCapacity(4))
	succeeds(t, q.TrySend(1, []byte("1234")))
	done := sending(t, q, 1, []byte("5"))
	long := sending(t, q, 2, []byte("longer than the capacity"))
	succeeds(t, q.SetCapacity(5))
	succeeds(t, result(t, done))
	unfinished(t, long)
	succeeds(t, q.SetCapacity(100))
	succeeds(t, result(t, long))
}

func TestLoweredCapacityKeepsWhatIsInTheQueue(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.TrySend(1, []byte("12345")))
	succeeds(t, q.SetCapacity(2))
	info, err := q.Stat()
	succeeds(t, err)
	if info.Capacity != 2 || info.Bytes != 5 {
		t.Errorf("capacity %d, %d bytes", info.Capacity, info.Bytes)
	}
	failsWith(t, q.TrySend(1, nil), sysv.ErrWouldBlock)
	takes(t, q, sysv.Any(), 1, "12345")
	succeeds(t, q.TrySend(1, []byte("12")))
	failsWith(t, q.TrySend(1, []byte("3")), sysv.ErrWouldBlock)
}

func TestCapacityChangeLeavesReceiversWaiting(t *testing.T) {
	q := newQueue(t)
	done, _ := receiving(t, q, sysv.Any(), 8) // the kernel wakes it to look at its permissions
	succeeds(t, q.SetCapacity(100))
	succeeds(t, q.SetMode(0o644))
	eventuallyIn(t, syscall.SYS_MSGRCV, q.ID(), 1)
	unfinished(t, done)
	succeeds(t, q.TrySend(1, nil))
	succeeds(t, result(t, done))
}

func TestRemovalWakesSendersAndReceivers(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.SetCapacity(1))
	succeeds(t, q.TrySend(1, []byte("x")))
	send := sending(t, q, 1, []byte("y"))
	receive, _ := receiving(t, q, sysv.Type(2), 8)
	succeeds(t, q.Remove())
	for what, done := range map[string]<-chan error{"send to": send, "receive from": receive} {
		err := result(t, done)
		failsWith(t, err, syscall.EIDRM, sysv.ErrRemoved, fs.ErrNotExist)
		says(t, err, what+" message queue", q.String())
	}
}

func TestRemovalWakesOtherProcesses(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.SetCapacity(1))
	sender, receiver := startAgent(t, nil), startAgent(t, nil)
	sender.begin("msg-send %d 1 longer", q.ID())
	testenv.Eventually(t, "the sender blocks", func() bool { return testenv.InSyscall(t, sender.Pid(), syscall.SYS_MSGSND) })
	receiver.begin("msg-receive %d", q.ID())
	testenv.Eventually(t, "the receiver blocks", func() bool { return testenv.InSyscall(t, receiver.Pid(), syscall.SYS_MSGRCV) })
	succeeds(t, q.Remove())
	for _, a := range []*agent{sender, receiver} {
		_, err := a.end()
		failsWith(t, err, syscall.EIDRM)
	}
}

func TestKilledReceiverTakesNothing(t *testing.T) {
	q := newQueue(t)
	a := startAgent(t, nil)
	a.begin("msg-receive %d", q.ID())
	testenv.Eventually(t, "the receiver blocks", func() bool { return testenv.InSyscall(t, a.Pid(), syscall.SYS_MSGRCV) })
	a.Kill()
	succeeds(t, q.TrySend(1, []byte("kept")))
	takes(t, q, sysv.Any(), 1, "kept")
}

func TestMessagesOutliveTheirSender(t *testing.T) {
	q := newQueue(t)
	a := startAgent(t, nil)
	a.must("msg-send %d 3 hello", q.ID())
	a.Kill()
	takes(t, q, sysv.Any(), 3, "hello")
}

func TestSenderAndReceiverAreKnown(t *testing.T) {
	begin := time.Now()
	q := newQueue(t)
	sender, receiver := startAgent(t, nil), startAgent(t, nil)
	sender.must("msg-send %d 3 hello", q.ID())
	info, err := q.Stat()
	succeeds(t, err)
	isRecent(t, "send time", info.SendTime, begin)
	if info.LastSendPID != sender.Pid() || info.LastReceivePID != 0 || !info.ReceiveTime.IsZero() {
		t.Errorf("after a send by %d: %+v", sender.Pid(), info)
	}
	if got := receiver.must("msg-receive %d", q.ID()); got != `3 "hello"` {
		t.Errorf("received %s", got)
	}
	info, err = q.Stat()
	succeeds(t, err)
	isRecent(t, "receive time", info.ReceiveTime, begin)
	if info.LastSendPID != sender.Pid() || info.LastReceivePID != receiver.Pid() {
		t.Errorf("after a receive by %d: %+v", receiver.Pid(), info)
	}
}

// Whoever finds a message is known by its process. To one that sleeps the sender hands it, and notes the thread.
func TestAReceiverThatSleptIsKnownByItsThread(t *testing.T) {
	q := newQueue(t)
	receiver := startAgent(t, nil)
	receiver.begin("msg-receive %d", q.ID())
	testenv.Eventually(t, "the receiver blocks", func() bool { return testenv.InSyscall(t, receiver.Pid(), syscall.SYS_MSGRCV) })
	succeeds(t, q.TrySend(3, []byte("hello")))
	got, err := receiver.end()
	succeeds(t, err)
	if got != `3 "hello"` {
		t.Errorf("received %s", got)
	}
	info, err := q.Stat()
	succeeds(t, err)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", receiver.Pid(), info.LastReceivePID)); err != nil {
		t.Errorf("last received by %d, which is no thread of %d: %v", info.LastReceivePID, receiver.Pid(), err)
	}
}

func TestFailedSendAndReceiveLeaveNoTrace(t *testing.T) {
	q := newQueue(t)
	takesNothing(t, q, sysv.Any())
	succeeds(t, q.SetCapacity(1))
	failsWith(t, q.TrySend(1, []byte("too much")), sysv.ErrWouldBlock)
	info, err := q.Stat()
	succeeds(t, err)
	if info.LastSendPID != 0 || info.LastReceivePID != 0 || !info.SendTime.IsZero() || !info.ReceiveTime.IsZero() {
		t.Errorf("%+v", info)
	}
}

// Two processes move more through a queue than it holds.
func TestMessagesOfAnotherProcessArriveInOrder(t *testing.T) {
	q := newQueue(t)
	succeeds(t, q.SetCapacity(20))
	a := startAgent(t, nil)
	const n = 200
	done := start(func() error {
		for i := range n {
			if err := q.Send(background, int64(i+1), []byte("0123456789")); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range n {
		if got, want := a.must("msg-receive %d", q.ID()), fmt.Sprintf("%d %q", i+1, "0123456789"); got != want {
			t.Fatalf("received %s, expected %s", got, want)
		}
	}
	succeeds(t, result(t, done))
}

// Every message goes to one receiver, whole, whoever is faster.
func TestManySendersAndReceivers(t *testing.T) {
	const senders, receivers, each = 4, 4, 250
	q := newQueue(t)
	succeeds(t, q.SetCapacity(1000))
	done := make(chan error, senders+receivers)
	for s := range senders {
		go func() {
			done <- func() error {
				for i := range each {
					b := byte(s*each + i)
					if err := q.Send(background, int64(s*each+i+1), bytes.Repeat([]byte{b}, int(b))); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	seen := make(chan int64, senders*each)
	for range receivers {
		go func() {
			done <- func() error {
				buf := make([]byte, 256)
				for range senders * each / receivers {
					typ, n, err := q.Receive(background, sysv.Any(), buf)
					if err != nil {
						return err
					}
					if b := byte(typ - 1); n != int(b) || !bytes.Equal(buf[:n], bytes.Repeat([]byte{b}, n)) {
						return fmt.Errorf("message %d is torn: %v", typ, buf[:n])
					}
					seen <- typ
				}
				return nil
			}()
		}()
	}
	for range senders + receivers {
		succeeds(t, result(t, done))
	}
	close(seen)
	all := map[int64]bool{}
	for typ := range seen {
		if all[typ] {
			t.Errorf("message %d was received twice", typ)
		}
		all[typ] = true
	}
	if len(all) != senders*each {
		t.Errorf("%d messages were received, expected %d", len(all), senders*each)
	}
	takesNothing(t, q, sysv.Any())
}
