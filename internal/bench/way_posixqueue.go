package bench

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// posixQueueWay is two POSIX message queues.
func posixQueueWay() way {
	return way{
		name: "posix queue", about: "two POSIX message queues, mq_send(3) and mq_receive(3)",
		most: func() (int, error) { return mqueueLimit("msgsize_max") },
		prepare: func(p *props) error {
			for range 2 {
				f, err := makePosixQueue(p.size)
				if err != nil {
					return err
				}
				p.give(f, f)
			}
			return nil
		},
		open: openPosixQueue,
	}
}

func mqueueLimit(name string) (int, error) {
	text, err := os.ReadFile("/proc/sys/fs/mqueue/" + name)
	if err != nil {
		return 0, fmt.Errorf("this kernel has no POSIX message queues: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// posixQueueMost is how many messages a queue is made for; without privileges there can be no more.
func posixQueueMost() (int, error) { return mqueueLimit("msg_max") }

// makePosixQueue makes one without a name.
func makePosixQueue(size int) (*os.File, error) {
	most, err := posixQueueMost()
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("shmkit-bench-%d", os.Getpid())
	fd, err := sys.MqCreate(name, 0o600, sys.MqAttr{MaxMessages: int64(most), MessageSize: int64(size)})
	if errors.Is(err, syscall.EMFILE) {
		return nil, fmt.Errorf("mq_open: more bytes in queues than RLIMIT_MSGQUEUE allows (ulimit -q): %w", err)
	}
	if err != nil {
		return nil, os.NewSyscallError("mq_open", err)
	}
	f := os.NewFile(uintptr(fd), "posix queue")
	if err := sys.MqUnlink(name); err != nil {
		return nil, errors.Join(os.NewSyscallError("mq_unlink", err), f.Close())
	}
	return f, nil
}

type posixQueue struct {
	r       *room
	in, out int
	buf     []byte
	most    int
}

func openPosixQueue(r *room) (end, error) {
	most, err := posixQueueMost()
	if err != nil {
		return nil, err
	}
	there, back := int(r.files[0].Fd()), int(r.files[1].Fd())
	q := &posixQueue{r: r, in: there, out: back, buf: make([]byte, r.Size), most: most}
	if r.first {
		q.in, q.out = back, there
	}
	// The two share the open files, and set the same.
	return q, errors.Join(syscall.SetNonblock(q.in, r.Wait == Spin), syscall.SetNonblock(q.out, r.Wait == Spin))
}

func (q *posixQueue) send(seq uint64) error {
	q.r.pay.put(q.buf, seq)
	for {
		if err := sys.MqSend(q.out, q.buf); !again(err) {
			return os.NewSyscallError("mq_timedsend", err)
		}
	}
}

func (q *posixQueue) receive(seq uint64) error {
	for {
		n, err := sys.MqReceive(q.in, q.buf)
		if err == nil {
			return q.r.pay.get(q.buf[:n], seq)
		}
		if !again(err) {
			return os.NewSyscallError("mq_timedreceive", err)
		}
	}
}

// memory is what RLIMIT_MSGQUEUE counts but for the kernel's own structures.
func (q *posixQueue) memory() int64 { return 2 * int64(q.most) * int64(q.r.Size) }

func (q *posixQueue) close() error { return nil }
