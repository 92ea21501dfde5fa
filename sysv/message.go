package sysv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Selector says which message to receive. Make it with Any, Type, UpTo or
// Except.
type Selector struct {
	typ   int64
	flags int
	bad   string // why the kernel could not be asked
}

// Any selects the oldest message.
func Any() Selector { return Selector{} }

// Type selects the oldest message of type t, t ≥ 1.
func Type(t int64) Selector { return Selector{typ: t, bad: badMessageType(t)} }

// UpTo selects the message with the lowest type that is at most t, t ≥ 1; the
// oldest of those.
func UpTo(t int64) Selector { return Selector{typ: -t, bad: badMessageType(t)} }

// Except selects the oldest message whose type is not t, t ≥ 1.
func Except(t int64) Selector {
	return Selector{typ: t, flags: sys.MSG_EXCEPT, bad: badMessageType(t)}
}

// Truncate makes a message that is longer than the buffer lose its end, instead
// of staying in the queue and being an error.
func (s Selector) Truncate() Selector {
	s.flags |= sys.MSG_NOERROR
	return s
}

func badMessageType(t int64) string {
	if t < 1 {
		return fmt.Sprintf("message type %d is below 1", t)
	}
	return ""
}

// Send appends a message of type typ ≥ 1 to the queue. It blocks while the queue
// is full, or until ctx ends: also, for as long as it takes, when the message is
// longer than the queue's capacity. EINVAL for a type below 1 or a message longer
// than MSGMAX; ErrRemoved if the queue goes.
func (q *MessageQueue) Send(ctx context.Context, typ int64, data []byte) error {
	return q.send(ctx, typ, data, 0)
}

// TrySend is Send that never waits: ErrWouldBlock (EAGAIN) if the queue is full.
func (q *MessageQueue) TrySend(typ int64, data []byte) error {
	return q.send(context.Background(), typ, data, sys.IPC_NOWAIT)
}

func (q *MessageQueue) send(ctx context.Context, typ int64, data []byte, flags int) error {
	if hint := badMessageType(typ); hint != "" {
		return q.fail("send to", syscall.EINVAL, hint)
	}
	if err := ctx.Err(); err != nil {
		return q.fail("send to", err, "")
	}
	if len(data) > math.MaxInt32 {
		return q.fail("send to", syscall.EINVAL, fmt.Sprintf("a message of %d bytes is too long", len(data)))
	}
	buf := messageBuffer(len(data))
	defer freeBuffer(buf)
	binary.NativeEndian.PutUint64(*buf, uint64(typ))
	copy((*buf)[sys.MsgHeader:], data)
	send := func(flags int) error { return sys.Msgsnd(q.id.num(), *buf, flags) }
	err := block(ctx, func() error { return send(flags | sys.IPC_NOWAIT) }, func() error { return send(flags) })
	if err == nil {
		return nil
	}
	hint := ""
	if errors.Is(err, syscall.EINVAL) {
		hint, err = q.explainSend(err, len(data))
	}
	return q.fail("send to", err, hint)
}

// explainSend tells apart what EINVAL may mean for a send.
func (q *MessageQueue) explainSend(err error, n int) (hint string, _ error) {
	var ds sys.MsqidDS
	if lerr := q.look(&ds); lerr != nil && !errors.Is(lerr, syscall.EACCES) {
		return "", errNoID
	}
	if l, lerr := ReadQueueLimits(); lerr == nil && n > l.MaxMessage {
		return fmt.Sprintf("the message has %d bytes, the limit is kernel.msgmax = %d", n, l.MaxMessage), err
	}
	return "", err
}

// Receive takes the message that sel selects out of the queue, copies it to buf
// and returns its type and length. It blocks while there is none, or until ctx
// ends. A message longer than buf is E2BIG and stays in the queue, unless sel
// says Truncate. ErrRemoved if the queue goes.
func (q *MessageQueue) Receive(ctx context.Context, sel Selector, buf []byte) (typ int64, n int, err error) {
	return q.receive(ctx, sel, buf, 0)
}

// TryReceive is Receive that never waits: ErrWouldBlock (ENOMSG) if there is no
// such message.
func (q *MessageQueue) TryReceive(sel Selector, buf []byte) (typ int64, n int, err error) {
	return q.receive(context.Background(), sel, buf, sys.IPC_NOWAIT)
}

// Peek copies the message at a position (0 is the oldest) and leaves it in the
// queue (MSG_COPY). ErrWouldBlock (ENOMSG) if there are fewer messages, E2BIG for
// one longer than buf unless truncate, ENOSYS on a kernel built without
// CONFIG_CHECKPOINT_RESTORE, EINVAL for a message longer than MSGMAX, which may
// have been lowered since it was sent.
func (q *MessageQueue) Peek(position int, truncate bool, buf []byte) (typ int64, n int, err error) {
	sel := Selector{typ: int64(position), flags: sys.MSG_COPY}
	if position < 0 {
		sel.bad = fmt.Sprintf("position %d is negative", position)
	}
	typ, n, err = q.receive(context.Background(), sel, buf, sys.IPC_NOWAIT)
	// The kernel does not cut a copy: MSG_NOERROR makes it EINVAL.
	for size := len(buf); truncate && errors.Is(err, syscall.E2BIG) && size < math.MaxInt32; {
		size = max(2*size, 1024)
		whole := make([]byte, size)
		typ, n, err = q.receive(context.Background(), sel, whole, sys.IPC_NOWAIT)
		n = copy(buf, whole[:n])
	}
	return typ, n, err
}

func (q *MessageQueue) receive(ctx context.Context, sel Selector, dst []byte, flags int) (typ int64, n int, err error) {
	op := "receive from"
	if sel.flags&sys.MSG_COPY != 0 {
		op = "peek into"
	}
	if sel.bad != "" {
		return 0, 0, q.fail(op, syscall.EINVAL, sel.bad)
	}
	if err := ctx.Err(); err != nil {
		return 0, 0, q.fail(op, err, "")
	}
	buf := messageBuffer(min(len(dst), math.MaxInt32))
	defer freeBuffer(buf)
	receive := func(flags int) (err error) {
		n, err = sys.Msgrcv(q.id.num(), *buf, sel.typ, flags)
		return err
	}
	flags |= sel.flags
	err = block(ctx, func() error { return receive(flags | sys.IPC_NOWAIT) }, func() error { return receive(flags) })
	if err != nil {
		hint := ""
		switch {
		case errors.Is(err, syscall.E2BIG):
			hint = fmt.Sprintf("the message is longer than the buffer of %d bytes; it stays in the queue", len(dst))
		case errors.Is(err, syscall.EINVAL):
			var ds sys.MsqidDS
			if sel.flags&sys.MSG_COPY == 0 || q.look(&ds) != nil {
				err = errNoID
			} else {
				hint = "the message is longer than kernel.msgmax, and can be received but not copied"
			}
		}
		return 0, 0, q.fail(op, err, hint)
	}
	copy(dst, (*buf)[sys.MsgHeader:sys.MsgHeader+n])
	return int64(binary.NativeEndian.Uint64(*buf)), n, nil
}

// buffers holds buffers for messages with their type in front, which the kernel
// wants in one piece.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// mostKept is the size up to which a buffer is kept for the next message.
const mostKept = 64 << 10

func freeBuffer(b *[]byte) {
	if cap(*b) <= mostKept {
		buffers.Put(b)
	}
}

// messageBuffer returns a buffer for n bytes of text.
func messageBuffer(n int) *[]byte {
	b := buffers.Get().(*[]byte)
	if need := sys.MsgHeader + n; cap(*b) < need {
		*b = make([]byte, need)
	} else {
		*b = (*b)[:need]
	}
	return b
}
