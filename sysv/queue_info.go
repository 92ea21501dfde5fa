package sysv

import (
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// MessageQueueInfo is what the kernel knows of a message queue; struct msqid_ds.
type MessageQueueInfo struct {
	Permission
	Messages    int    // in the queue
	Bytes       uint64 // text of all of them
	Capacity    uint64 // most bytes; msg_qbytes
	LastSendPID int    // 0: nobody yet
	// LastReceivePID is the process that took the last message out: of one that slept until it was sent, the number of the
	// thread that did, since the sender hands the message to that. 0: nobody yet.
	LastReceivePID int
	SendTime       time.Time // zero Time: never
	ReceiveTime    time.Time
	ChangeTime     time.Time // creation, or last change of owner, mode or capacity
}

func messageQueueInfo(id int, ds *sys.MsqidDS) MessageQueueInfo {
	return MessageQueueInfo{
		Permission: permission(id, &ds.Perm),
		Messages:   int(ds.Qnum), Bytes: ds.Cbytes, Capacity: ds.Qbytes,
		LastSendPID: int(ds.Lspid), LastReceivePID: int(ds.Lrpid),
		SendTime: when(ds.Stime), ReceiveTime: when(ds.Rtime), ChangeTime: when(ds.Ctime),
	}
}

// MessageQueues lists every message queue in the IPC namespace, also those the
// caller may not read, by index of the kernel's table.
func MessageQueues() ([]MessageQueueInfo, error) {
	var use sys.Msginfo
	highest, err := sys.MsgLimits(sys.MSG_INFO, &use)
	if err != nil {
		return nil, &Error{Op: "list", Object: "message queues", Err: err}
	}
	all, err := list(highest, func(i int) (MessageQueueInfo, error) {
		var ds sys.MsqidDS
		id, err := sys.MsgStat(i, sys.MSG_STAT_ANY, &ds)
		return messageQueueInfo(id, &ds), err
	})
	if err != nil {
		return nil, &Error{Op: "list", Object: "message queues", Err: err}
	}
	return all, nil
}

// QueueLimits is the limits on message queues in the IPC namespace and their use.
type QueueLimits struct {
	MaxQueues  int // MSGMNI
	MaxMessage int // bytes of one message; MSGMAX
	QueueBytes int // bytes a new queue may hold; MSGMNB

	Queues   int   // that exist
	Messages int   // in all of them
	Bytes    int64 // of all messages
}

// ReadQueueLimits asks the kernel.
func ReadQueueLimits() (QueueLimits, error) {
	var max, use sys.Msginfo
	if _, err := sys.MsgLimits(sys.IPC_INFO, &max); err != nil {
		return QueueLimits{}, &Error{Op: "read limits of", Object: "message queues", Err: err}
	}
	if _, err := sys.MsgLimits(sys.MSG_INFO, &use); err != nil {
		return QueueLimits{}, &Error{Op: "read use of", Object: "message queues", Err: err}
	}
	return QueueLimits{
		MaxQueues: int(max.Msgmni), MaxMessage: int(max.Msgmax), QueueBytes: int(max.Msgmnb),
		Queues: int(use.Msgpool), Messages: int(use.Msgmap), Bytes: int64(use.Msgtql),
	}, nil
}
