package sysv

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// MessageQueue is a message queue. It holds the identifier only and is safe for
// use by any number of goroutines. The zero value is no queue (fs.ErrNotExist).
type MessageQueue struct {
	id  identifier
	key Key
}

// CreateQueue makes a message queue whose key must be free (fs.ErrExist) or
// Private. It holds MSGMNB bytes; SetCapacity changes that. ENOSPC when MSGMNI
// queues exist.
func CreateQueue(key Key, mode fs.FileMode) (*MessageQueue, error) {
	return GetQueue(key, &GetOptions{Create: true, Exclusive: true, Mode: mode})
}

// OpenQueue finds the queue with a key; fs.ErrNotExist if there is none.
func OpenQueue(key Key) (*MessageQueue, error) {
	if key == Private { // which would make one
		return nil, privateError("message queue", "msg")
	}
	return GetQueue(key, nil)
}

// OpenOrCreateQueue is OpenQueue, or CreateQueue if the key does not exist. An
// existing queue must grant what mode asks for (fs.ErrPermission).
func OpenOrCreateQueue(key Key, mode fs.FileMode) (*MessageQueue, error) {
	return GetQueue(key, &GetOptions{Create: true, Mode: mode})
}

// OpenQueueID finds the queue with an identifier; fs.ErrNotExist if there is
// none. The caller need not be allowed to read it.
func OpenQueueID(id int) (*MessageQueue, error) {
	if !fitsID(id) {
		return nil, noSuchID("message queue msg", id)
	}
	q := &MessageQueue{id: identified(id)}
	var ds sys.MsqidDS
	err := q.look(&ds)
	if err != nil && !errors.Is(err, syscall.EACCES) { // which means that it exists, and that is all we ask
		return nil, q.fail("open", gone(err), "")
	}
	q.key = Key(ds.Perm.Key)
	return q, nil
}

// GetQueue is msgget(2) with all it can do; nil options open an existing queue. A
// Private key makes a new queue, with or without Create.
func GetQueue(key Key, o *GetOptions) (*MessageQueue, error) {
	fail := func(err error, hint string) (*MessageQueue, error) {
		return nil, &Error{Op: verb(key, o), Object: "message queue " + address("msg", key, -1), Err: err, Hint: hint}
	}
	flags, err := o.flags()
	if err != nil {
		return fail(err, "")
	}
	id, err := sys.Msgget(int32(key), flags)
	if err != nil {
		return fail(err, queueHint(err, key))
	}
	return &MessageQueue{id: identified(id), key: key}, nil
}

// ID returns the identifier, which other processes can use with OpenQueueID.
func (q *MessageQueue) ID() int { return q.id.num() }

// Key returns the key, Private for a queue without one.
func (q *MessageQueue) Key() Key { return q.key }

// String returns the address of the queue: "msg:0x5eed" or "msg:id=3".
func (q *MessageQueue) String() string { return address("msg", q.key, q.id.num()) }

// Stat returns what the kernel knows of the queue. It needs read permission;
// MessageQueues does not.
func (q *MessageQueue) Stat() (MessageQueueInfo, error) {
	var ds sys.MsqidDS
	if _, err := sys.MsgStat(q.id.num(), sys.IPC_STAT, &ds); err != nil {
		return MessageQueueInfo{}, q.fail("stat", gone(err), "")
	}
	return messageQueueInfo(q.id.num(), &ds), nil
}

// SetOwner gives the queue to another user and group; -1 leaves one as it is.
func (q *MessageQueue) SetOwner(uid, gid int) error {
	if err := checkOwner(uid, gid); err != nil {
		return q.fail("set owner of", err, "")
	}
	change := ownerChange(uid, gid)
	return q.set("set owner of", func(ds *sys.MsqidDS) { change(&ds.Perm) })
}

// SetMode sets the nine permission bits.
func (q *MessageQueue) SetMode(mode fs.FileMode) error {
	if mode&^0o777 != 0 {
		return q.fail("set mode of", &modeError{mode}, "")
	}
	return q.set("set mode of", func(ds *sys.MsqidDS) { modeChange(mode)(&ds.Perm) })
}

// SetCapacity sets how many bytes the queue may hold; it is also how many messages
// it may hold, of whatever size. More than MSGMNB needs CAP_SYS_RESOURCE (EPERM),
// and more than fit a C int is EINVAL: the kernel would cut it.
func (q *MessageQueue) SetCapacity(bytes uint64) error {
	if bytes > math.MaxInt32 {
		return q.fail("set capacity of", syscall.EINVAL, fmt.Sprintf("capacity %d is above %d", bytes, math.MaxInt32))
	}
	return q.set("set capacity of", func(ds *sys.MsqidDS) { ds.Qbytes = bytes })
}

func (q *MessageQueue) set(op string, change func(*sys.MsqidDS)) error {
	var ds sys.MsqidDS
	if err := q.look(&ds); err != nil {
		return q.fail(op, gone(err), "")
	}
	change(&ds)
	if err := sys.MsgSet(q.id.num(), &ds); err != nil {
		var now sys.MsqidDS
		if errors.Is(err, syscall.EINVAL) && q.look(&now) == nil {
			return q.fail(op, err, unknownOwner)
		}
		hint := ""
		if l, lerr := ReadQueueLimits(); lerr == nil && errors.Is(err, syscall.EPERM) && ds.Qbytes > uint64(l.QueueBytes) {
			hint = fmt.Sprintf("a capacity above kernel.msgmnb = %d needs CAP_SYS_RESOURCE", l.QueueBytes)
		}
		return q.fail(op, gone(err), hint)
	}
	return nil
}

// look is Stat that needs no read permission; EACCES from kernels that insist on
// it.
func (q *MessageQueue) look(ds *sys.MsqidDS) error {
	_, err := sys.MsgStat(q.id.num(), sys.IPC_STAT, ds)
	if errors.Is(err, syscall.EACCES) {
		err = statByIndex(q.id.num(), sys.MSG_STAT_ANY, sys.MsgStat, ds)
	}
	return err
}

// Remove removes the queue and its messages at once: whoever waits on it gets
// ErrRemoved.
func (q *MessageQueue) Remove() error {
	if err := sys.MsgRemove(q.id.num()); err != nil {
		return q.fail("remove", gone(err), "")
	}
	return nil
}

// fail makes the error of an operation on q.
func (q *MessageQueue) fail(op string, err error, hint string) error {
	if hint == "" && (errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)) {
		var ds sys.MsqidDS
		if q.look(&ds) == nil {
			hint = permHint(err, permission(q.id.num(), &ds.Perm))
		}
	}
	return &Error{Op: op, Object: "message queue " + q.String(), Err: err, Hint: hint}
}

// queueHint explains a failed msgget.
func queueHint(err error, key Key) string {
	existing, exists := MessageQueueInfo{}, false
	if key != Private {
		existing, exists = find(MessageQueues, func(i MessageQueueInfo) bool { return i.Key == key })
	}
	switch {
	case errors.Is(err, syscall.EACCES) && exists:
		return permHint(err, existing.Permission)
	case errors.Is(err, syscall.EEXIST) && exists:
		return fmt.Sprintf("it holds %d messages, %d bytes", existing.Messages, existing.Bytes)
	case errors.Is(err, syscall.ENOSPC):
		if l, err := ReadQueueLimits(); err == nil {
			return fmt.Sprintf("%d queues exist and kernel.msgmni = %d; remove unused ones or raise it", l.Queues, l.MaxQueues)
		}
	}
	return ""
}
