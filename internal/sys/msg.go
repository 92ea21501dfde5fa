package sys

// Flags of msgrcv and commands of msgctl; <linux/msg.h>.
const (
	MSG_NOERROR = 0o10000 // cut a message that is too long
	MSG_EXCEPT  = 0o20000 // any type but this
	MSG_COPY    = 0o40000 // copy by position, leave the message

	MSG_STAT     = 11
	MSG_INFO     = 12
	MSG_STAT_ANY = 13 // since Linux 4.17
)

// MsqidDS is struct msqid64_ds.
type MsqidDS struct {
	Perm   IPCPerm
	Stime  int64 // last send, seconds since 1970; 0 is never
	Rtime  int64 // last receive
	Ctime  int64 // last change by msgctl, or creation
	Cbytes uint64
	Qnum   uint64 // messages in the queue
	Qbytes uint64 // most bytes in the queue
	Lspid  int32
	Lrpid  int32
	_      [2]uint64
}

// Msginfo is struct msginfo. IPC_INFO fills it with limits; MSG_INFO does too,
// but Msgpool is then the number of queues, Msgmap of messages and Msgtql of
// bytes in all queues.
type Msginfo struct {
	Msgpool int32
	Msgmap  int32
	Msgmax  int32 // largest message, bytes
	Msgmnb  int32 // bytes a new queue may hold
	Msgmni  int32 // most queues
	Msgssz  int32
	Msgtql  int32
	Msgseg  uint16
	_       uint16
}

// MsgHeader is the size of the message type that stands before the text in the
// buffers of Msgsnd and Msgrcv.
const MsgHeader = 8
