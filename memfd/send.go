package memfd

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// On the wire is one byte, 'm', and the descriptor comes with it (SCM_RIGHTS, unix(7)).
// The name comes with the memory. So a stream can carry what else the two sides have to
// say before and after it, and any language can take part:
//
//	socket.send_fds(s, [b"m"], [fd])       # Python
//	_, fds, _, _ = socket.recv_fds(s, 1, 1)

// wireByte is the byte that Send sends. Receive takes any.
const wireByte = 'm'

// Send hands the memory to the process at the other end of a Unix socket of any kind.
// It goes with the next byte of a stream, or as a message of its own. The other side
// then has a descriptor of its own: f may be closed at once, even before that
// process has looked.
//
// The connection's write deadline holds (os.ErrDeadlineExceeded). Other errors are those
// of sendmsg(2): EPIPE, ENOBUFS, ETOOMANYREFS when too many sent descriptors have not been
// received.
func Send(conn *net.UnixConn, f *File) error {
	err := f.use(func(*os.File) error {
		_, _, err := conn.WriteMsgUnix([]byte{wireByte}, syscall.UnixRights(f.fd), nil)
		return err
	})
	if err != nil {
		return f.fail("send", withoutErrno(err), "")
	}
	return nil
}

// withoutErrno returns the errno in an error of package net, or the error if it is
// about more, as a deadline is.
func withoutErrno(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return err
	}
	return errnoOf(err)
}

// Receive takes memory from the process at the other end of a Unix socket, where it
// came by Send or as one descriptor with one byte from anything else, and checks it
// against want before anybody can map it; nil wants it sealed against shrinking. It
// waits for it; the connection's read deadline holds (os.ErrDeadlineExceeded), and so a
// context can end it:
//
//	stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now()) })
//	defer stop()
//
// Of a stream exactly one byte is read. The descriptor is close-on-exec.
//
// Whatever the other side sends, no descriptor stays open but that of the result, and
// after a refusal of the memory alone (ErrNotMemfd, ErrUnsealed, ErrWrongSize) and
// ErrDescriptors the connection can be used on. Other errors: ErrNoDescriptor: the byte
// was something else. ErrMessage. EMFILE: there was no room for the descriptor. io.EOF: the
// other side has closed.
func Receive(conn *net.UnixConn, want *Want) (*File, error) {
	from := "memfd from a Unix socket"
	if a := conn.RemoteAddr(); a != nil && a.String() != "" {
		from = "memfd from " + a.String()
	}
	fail := func(err error, hint string) (*File, error) {
		return nil, &Error{Op: "receive", Object: from, Err: err, Hint: hint}
	}
	var b [1]byte
	control := make([]byte, controlSpace)
	// The descriptors are close-on-exec from the start: package net says so to the kernel.
	n, controlLen, flags, _, err := conn.ReadMsgUnix(b[:], control)
	// They may have come with an error: a message of no bytes is taken for the end.
	fds, parseErr := descriptorsIn(control[:controlLen])
	if len(fds.rights) == 1 && err == nil && n == 1 && parseErr == nil && flags&(syscall.MSG_CTRUNC|syscall.MSG_TRUNC) == 0 {
		closeAll(fds.others)
		return adopt(fds.rights[0], "receive", from, want)
	}
	closeAll(fds.rights)
	closeAll(fds.others)
	switch {
	case err != nil && controlLen == 0:
		if errors.Is(err, io.EOF) {
			return fail(io.EOF, "the other side closed the connection")
		}
		return fail(withoutErrno(err), "")
	case flags&syscall.MSG_CTRUNC != 0 && len(fds.rights) == 0:
		return fail(syscall.EMFILE, "the process has as many descriptors open as it may (ulimit -n), and the one that came is lost")
	case flags&syscall.MSG_CTRUNC != 0:
		return fail(ErrDescriptors, "more than could be taken; all were closed")
	case parseErr != nil:
		return fail(ErrMessage, "the control data makes no sense")
	case len(fds.rights) > 1:
		return fail(ErrDescriptors, "one belongs to a byte; all were closed")
	case len(fds.rights) == 0:
		return fail(ErrNoDescriptor, "the other side sent something else")
	case flags&syscall.MSG_TRUNC != 0:
		return fail(ErrMessage, "the message is longer than one byte")
	}
	return fail(ErrMessage, "the message has no byte")
}

// controlSpace is room for a descriptor and whatever else the options of the socket
// make the kernel tell: credentials, a security label, a process descriptor. The kernel
// closes descriptors that do not fit.
const controlSpace = 512

// descriptors are those that came in control data.
type descriptors struct {
	rights []int // sent by the other side
	others []int // put in by the kernel
}

// descriptorsIn finds the descriptors in control data. It returns those before
// something that makes no sense.
func descriptorsIn(control []byte) (d descriptors, err error) {
	messages, err := syscall.ParseSocketControlMessage(control)
	for _, m := range messages {
		if m.Header.Level != syscall.SOL_SOCKET {
			continue
		}
		switch m.Header.Type {
		case syscall.SCM_RIGHTS:
			d.rights = appendNumbers(d.rights, m.Data)
		case sys.SCM_PIDFD:
			d.others = appendNumbers(d.others, m.Data)
		}
	}
	return d, err
}

// appendNumbers appends the descriptors in a control message, 32 bits each.
// syscall.ParseUnixRights panics if the last is cut off.
func appendNumbers(fds []int, data []byte) []int {
	for ; len(data) >= 4; data = data[4:] {
		fds = append(fds, int(int32(binary.NativeEndian.Uint32(data))))
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = syscall.Close(fd)
	}
}
