package bench

import (
	"os"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// pipeWay is two pipes.
func pipeWay() way {
	return way{
		name: "pipe", about: "two pipes, write(2) and read(2)",
		prepare: func(p *props) error {
			there, write, err := blockingPipe()
			if err != nil {
				return err
			}
			read, back, err := blockingPipe()
			if err != nil {
				return err
			}
			p.give(read, there) // what each reads from,
			p.give(write, back) // and writes to
			return nil
		},
		open: func(r *room) (end, error) {
			return openWire(r, false, func(fd int) int64 { return sys.PipeBytes(fd) / 2 }) // the other end counts the rest
		},
	}
}

// blockingPipe is a pipe on whose ends threads themselves sleep. With os.Pipe it would be the
// goroutine, whose thread then comes back late.
func blockingPipe() (r, w *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}
