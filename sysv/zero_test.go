package sysv_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// The identifier 0 is a real object, the first of its namespace; a handle that nobody
// made must not reach it.
func TestZeroHandlesNameNothing(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	seg, err := sysv.Create(0x77, 4096, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	set, err := sysv.CreateSemaphores(0x77, 1, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	queue, err := sysv.CreateQueue(0x77, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if seg.ID() != 0 || set.ID() != 0 || queue.ID() != 0 {
		t.Fatalf("identifiers %d, %d, %d; the test is about 0", seg.ID(), set.ID(), queue.ID())
	}
	var noSeg sysv.Segment
	var noSet sysv.SemaphoreSet
	var noQueue sysv.MessageQueue
	_, attachErr := noSeg.Attach(nil)
	_, _, receiveErr := noQueue.TryReceive(sysv.Any(), nil)
	for what, err := range map[string]error{
		"remove segment": noSeg.Remove(), "remove set": noSet.Remove(), "remove queue": noQueue.Remove(),
		"attach": attachErr, "operate": noSet.TryOp(sysv.Post(0)), "receive": receiveErr,
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for what, err := range map[string]error{"segment": seg.Remove(), "set": set.Remove(), "queue": queue.Remove()} {
		if err != nil {
			t.Errorf("the %s is gone: %v", what, err)
		}
	}
}

func TestNoSuchIdentifierIsAnErrnoAndNamesIt(t *testing.T) {
	_, segErr := sysv.OpenID(-1)
	_, setErr := sysv.OpenSemaphoresID(-1)
	_, queueErr := sysv.OpenQueueID(-1)
	for want, err := range map[string]error{"sysv:id=-1": segErr, "sem:id=-1": setErr, "msg:id=-1": queueErr} {
		var errno syscall.Errno
		if !errors.As(err, &errno) || errno != syscall.EINVAL || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want EINVAL and %s", err, want)
		}
	}
}

// Who is told that the deadline passed finds the context ended: the kernel's timer and
// the context's are two.
func TestDeadlineErrorMeansThatTheContextEnded(t *testing.T) {
	set, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := set.Remove(); err != nil {
			t.Error(err)
		}
	}()
	for range 50 {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
		err := set.Op(ctx, sysv.Wait(0))
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() == nil {
			t.Fatalf("Op: %v, context: %v", err, ctx.Err())
		}
		if err := set.Op(ctx, sysv.Zero(0)); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("the next Op: %v", err)
		}
		cancel()
	}
}
