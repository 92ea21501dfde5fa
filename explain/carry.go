package explain

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// What is carried from A to B in fast: the same bytes on every way.

const (
	loadBytes  = 16 << 20 // in all
	pieceBytes = 64 << 10 // that are made, and looked at, at a time
)

// A load is what is carried.
type load []byte

func newLoad() load {
	l := make(load, pieceBytes+loadBytes/pieceBytes)
	for i, x := 0, uint32(1); i < len(l); i++ {
		x = x*1664525 + 1013904223
		l[i] = byte(x >> 24)
	}
	return l
}

// piece is the piece with a number. No two are the same.
func (l load) piece(i int) []byte { return l[i:][:pieceBytes] }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is that of all pieces.
func (l load) checksum() (sum uint32) {
	for i := range loadBytes / pieceBytes {
		sum = crc32.Update(sum, castagnoli, l.piece(i))
	}
	return sum
}

// Descriptors of the processes that carry.
const (
	carryPipe = 3 + iota
	carrySocket
	carryMemory
)

// A carrier is the end of all ways in one process.
type carrier struct {
	load
	buf     []byte
	queue   int
	message int // bytes of a message of the queue
	ring    *ring
	cpu     int    // which it keeps to while it is awake
	spoil   string // what it does wrong, and on which way, for tests: "flip pipe"
	way     string
	calls   int64
	sum     uint32
}

// A haul is what a process tells of a load that it sent or received.
type haul struct {
	Calls      int64 // system calls that it made
	Sum        uint32
	Start, End time.Duration // monotonic
	Usage      sys.Usage
}

// carryRole sends or receives, on the way that it is told, in one thread.
func carryRole(do func(*carrier, string) error) role {
	return func(a *actor) error {
		debug.SetGCPercent(-1) // it does what it is told and nothing else
		c := &carrier{load: newLoad(), buf: make([]byte, sys.MsgHeader+pieceBytes), spoil: a.args[3]}
		var err error
		if c.cpu, err = strconv.Atoi(a.args[2]); err != nil {
			return err
		}
		if c.queue, err = strconv.Atoi(a.args[0]); err != nil {
			return err
		}
		if c.message, err = strconv.Atoi(a.args[1]); err != nil {
			return err
		}
		if c.ring, err = openRing(os.Getpid(), carryMemory); err != nil {
			return err
		}
		ways, answers := make(chan string), make(chan any)
		go c.work(do, ways, answers)
		if err := a.say("%v", <-answers); err != nil {
			return err
		}
		for {
			way, err := a.hear()
			if err != nil {
				return err
			}
			ways <- way
			switch h := (<-answers).(type) {
			case error:
				return h
			case haul:
				text, err := json.Marshal(h)
				if err != nil {
					return err
				}
				if err := a.say("%s", text); err != nil {
					return err
				}
			}
		}
	}
}

// work has a thread of its own, which reads and writes nothing but what is carried.
func (c *carrier) work(do func(*carrier, string) error, ways <-chan string, answers chan<- any) {
	runtime.LockOSThread()
	answers <- sys.Gettid()
	for way := range ways {
		c.way, c.calls, c.sum = way, 0, 0
		var err error
		if way == "awake" {
			err = sys.UseCPUs(c.cpu)
		}
		before, err2 := sys.ThreadUsage()
		start := sys.MonotonicNow()
		err = errors.Join(err, err2, do(c, way))
		end := sys.MonotonicNow()
		after, err2 := sys.ThreadUsage()
		if err = errors.Join(err, err2); err != nil {
			answers <- fmt.Errorf("%s: %w", way, err)
			return
		}
		answers <- haul{c.calls, c.sum, start, end, after.Sub(before)}
	}
}

// make makes a part of a piece where it is to be.
func (c *carrier) make(to []byte, i, from int) {
	copy(to, c.piece(i)[from:])
	if c.spoil == "flip "+c.way && i == loadBytes/pieceBytes/2 {
		to[len(to)/2] ^= 1
	}
	if c.spoil == "copy "+c.way {
		_, _ = syscall.Write(carryPipe, to[:1]) // a byte that the kernel copies
		c.calls++
	}
}

func (c *carrier) take(from []byte) { c.sum = crc32.Update(c.sum, castagnoli, from) }

func (c *carrier) send(way string) error {
	switch way {
	case "pipe":
		return c.write(carryPipe)
	case "socket":
		return c.write(carrySocket)
	case "queue":
		return c.sendMessages()
	}
	r := ringEnd{ring: c.ring, awake: way == "awake"}
	err := r.send(loadBytes, pieceBytes, func(to []byte, i int) { c.make(to, i, 0) })
	c.calls += r.calls
	return err
}

func (c *carrier) receive(way string) (err error) {
	switch way {
	case "pipe":
		err = c.read(carryPipe)
	case "socket":
		err = c.read(carrySocket)
	case "queue":
		err = c.receiveMessages()
	default:
		r := ringEnd{ring: c.ring, awake: way == "awake"}
		err = r.receive(loadBytes, pieceBytes, c.take)
		c.calls += r.calls
	}
	if c.spoil == "count "+c.way {
		c.calls++
	}
	return err
}

func (c *carrier) write(fd int) error {
	for i := range loadBytes / pieceBytes {
		c.make(c.buf[:pieceBytes], i, 0)
		for done := 0; done < pieceBytes; {
			c.calls++
			n, err := syscall.Write(fd, c.buf[done:pieceBytes])
			if err != nil && !again(err) {
				return err
			}
			done += max(n, 0)
		}
	}
	return nil
}

func (c *carrier) read(fd int) error {
	for done := 0; done < loadBytes; {
		c.calls++
		n, err := syscall.Read(fd, c.buf[:pieceBytes])
		if err != nil && !again(err) {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		c.take(c.buf[:max(n, 0)])
		done += max(n, 0)
	}
	return nil
}

func (c *carrier) sendMessages() error {
	m := c.buf[:sys.MsgHeader+c.message]
	binary.NativeEndian.PutUint64(m, 1) // its type
	for i := range loadBytes / pieceBytes {
		for from := 0; from < pieceBytes; from += c.message {
			c.make(m[sys.MsgHeader:], i, from)
			for {
				c.calls++
				err := sys.Msgsnd(c.queue, m, 0)
				if err == nil {
					break
				}
				if !again(err) {
					return err
				}
			}
		}
	}
	return nil
}

func (c *carrier) receiveMessages() error {
	m := c.buf[:sys.MsgHeader+c.message]
	for done := 0; done < loadBytes; {
		c.calls++
		n, err := sys.Msgrcv(c.queue, m, 0, 0)
		if err != nil && !again(err) {
			return err
		}
		c.take(m[sys.MsgHeader:][:max(n, 0)])
		done += max(n, 0)
	}
	return nil
}

// again reports whether a call has to be made once more.
func again(err error) bool { return errors.Is(err, syscall.EINTR) }

// An account is what the kernel has counted of a thread's reads and writes.
type account struct{ calls, bytes int64 }

// readAccount adds up what /proc/PID/task/TID/io shows.
func readAccount(path string) (a account, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return a, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return a, fmt.Errorf("%s: %w", path, err)
		}
		switch name {
		case "rchar", "wchar":
			a.bytes += n
		case "syscr", "syscw":
			a.calls += n
		}
	}
	return a, nil
}
