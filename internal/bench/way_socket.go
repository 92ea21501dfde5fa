package bench

import (
	"errors"
	"net"
	"os"
	"syscall"
)

func streamWay() way {
	return way{
		name: "unix stream", about: "a pair of Unix stream sockets",
		prepare: func(p *props) error { return socketPair(p, unixStream) },
		open:    func(r *room) (end, error) { return openWire(r, false, socketBytes) },
	}
}

func datagramWay() way {
	return way{
		name: "unix datagram", about: "a pair of Unix datagram sockets",
		most: func() (int, error) {
			fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				return 0, os.NewSyscallError("socketpair", err)
			}
			most := int(socketOption(fds[0], syscall.SO_SNDBUF)) - 512 // what it takes besides
			return most, errors.Join(syscall.Close(fds[0]), syscall.Close(fds[1]))
		},
		prepare: func(p *props) error { return socketPair(p, syscall.SOCK_DGRAM) },
		open:    func(r *room) (end, error) { return openWire(r, true, socketBytes) },
	}
}

// unixStream is the kind of stream sockets.
const unixStream = syscall.SOCK_STREAM

func socketPair(p *props, kind int) error {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	p.give(os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket"))
	return nil
}

func tcpWay() way {
	return way{
		name: "tcp", about: "a TCP connection over loopback, TCP_NODELAY",
		prepare: tcpPair,
		open:    func(r *room) (end, error) { return openWire(r, false, socketBytes) },
	}
}

// tcpPair connects a socket to another one here. Go's sockets have TCP_NODELAY.
func tcpPair(p *props) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := l.Accept()
	if err != nil {
		return err
	}
	defer b.Close()
	fileA, errA := a.(*net.TCPConn).File()
	fileB, errB := b.(*net.TCPConn).File()
	p.give(fileA, fileB)
	return errors.Join(errA, errB)
}

// socketBytes is what a socket may hold on its way out and in.
func socketBytes(fd int) int64 {
	return socketOption(fd, syscall.SO_SNDBUF) + socketOption(fd, syscall.SO_RCVBUF)
}

func socketOption(fd, option int) int64 {
	n, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, option)
	if err != nil {
		return 0
	}
	return int64(n)
}
