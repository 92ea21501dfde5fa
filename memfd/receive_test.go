package memfd_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

// socketKinds are the kinds of Unix socket.
var socketKinds = map[string]int{
	"stream": syscall.SOCK_STREAM, "datagram": syscall.SOCK_DGRAM, "packet": syscall.SOCK_SEQPACKET,
}

func TestMemoryGoesOverASocketOfAnyKind(t *testing.T) {
	for name, kind := range socketKinds {
		t.Run(name, func(t *testing.T) {
			a, b := socketPair(t, kind)
			f := create(t, 5000, memfd.SealShrink|memfd.SealGrow)
			_, err := mapped(t, f, nil).WriteAt([]byte("hello"), 4990)
			ok(t, err)
			before := openCount(t)
			ok(t, memfd.Send(a, f))
			got, err := memfd.Receive(b, &memfd.Want{Seals: memfd.SealShrink | memfd.SealGrow, Size: 5000})
			ok(t, err)
			if got.Name() != "test" || got.Address() == f.Address() {
				t.Errorf("received %v for %v", got, f)
			}
			if closed, err := sys.CloseOnExec(number(got)); err != nil || !closed {
				t.Errorf("close-on-exec: %t, %v", closed, err)
			}
			m := mapped(t, got, &memfd.MapOptions{ReadOnly: true, Off: 4990})
			text := make([]byte, 5)
			if _, err := m.ReadAt(text, 0); err != nil || string(text) != "hello" || m.Len() != 10 {
				t.Errorf("read %q of %d bytes, %v", text, m.Len(), err)
			}
			closeOK(t, m)
			closeOK(t, got)
			if n := openCount(t); n != before {
				t.Errorf("%d descriptors more than before", n-before)
			}
		})
	}
}

// The byte of the memory is the only one that is taken, so that a stream can carry
// something else.
func TestAStreamCarriesOtherDataAround(t *testing.T) {
	a, b := socketPair(t, syscall.SOCK_STREAM)
	f := create(t, 1, 0)
	for range 3 {
		_, err := io.WriteString(a, "before")
		ok(t, err)
		ok(t, memfd.Send(a, f))
		ok(t, memfd.Send(a, f))
		_, err = io.WriteString(a, "after!")
		ok(t, err)
		text := make([]byte, 6)
		_, err = io.ReadFull(b, text)
		ok(t, err)
		for range 2 {
			got, err := memfd.Receive(b, nil)
			ok(t, err)
			closeOK(t, got)
		}
		more := make([]byte, 6)
		_, err = io.ReadFull(b, more)
		ok(t, err)
		if string(text) != "before" || string(more) != "after!" {
			t.Errorf("around it came %q and %q", text, more)
		}
	}
}

func TestMemoryStaysWhileItIsUnderWay(t *testing.T) {
	a, b := socketPair(t, syscall.SOCK_STREAM)
	f := create(t, 3, 0)
	_, err := f.WriteAt([]byte("abc"), 0)
	ok(t, err)
	ok(t, memfd.Send(a, f))
	closeOK(t, f)
	closeOK(t, a)
	got, err := memfd.Receive(b, nil)
	ok(t, err)
	defer closeOK(t, got)
	text := make([]byte, 3)
	if _, err := got.ReadAt(text, 0); err != nil || string(text) != "abc" {
		t.Errorf("read %q, %v", text, err)
	}
	_, err = memfd.Receive(b, nil)
	wantError(t, err, io.EOF, "receive memfd from", "the other side closed")
	wantError(t, memfd.Send(b, got), syscall.EPIPE, "send", "(test)")
}

func TestReceiveKeepsTheDeadline(t *testing.T) {
	_, b := socketPair(t, syscall.SOCK_STREAM)
	ok(t, b.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err := memfd.Receive(b, nil)
	wantError(t, err, os.ErrDeadlineExceeded, "receive memfd")
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v is no timeout", err)
	}
	closeOK(t, b)
	_, err = memfd.Receive(b, nil)
	wantError(t, err, net.ErrClosed)
}

// A peer that sends what it should not gets a refusal with the reason, and the
// receiver is left with no descriptor.
func TestHostilePeersAreRefused(t *testing.T) {
	r, w, err := os.Pipe()
	ok(t, err)
	defer r.Close()
	defer w.Close()
	disk, err := os.Create(filepath.Join(t.TempDir(), "x"))
	ok(t, err)
	defer disk.Close()
	tmpfs, err := os.Create(filepath.Join("/dev/shm", testenv.Name(t)))
	ok(t, err)
	defer tmpfs.Close()
	folder, err := os.Open("/")
	ok(t, err)
	defer folder.Close()
	path, err := sys.OpenPath(disk.Name(), false)
	ok(t, err)
	defer syscall.Close(path)

	unsealed := create(t, 1000, memfd.NoSeals)
	half := create(t, 1000, memfd.SealShrink)
	good := create(t, 1000, 0)
	pathOfGood, err := sys.OpenPath(good.Path(), false)
	ok(t, err)
	defer syscall.Close(pathOfGood)
	many := make([]int, 253) // as many as a message can bring
	for i := range many {
		many[i] = number(good)
	}

	cases := map[string]struct {
		fds   []int
		want  *memfd.Want
		err   error
		texts []string
	}{
		"none":            {nil, nil, memfd.ErrNoDescriptor, []string{"something else"}},
		"two":             {[]int{number(good), number(good)}, nil, memfd.ErrDescriptors, nil},
		"three":           {[]int{number(good), int(r.Fd()), number(good)}, nil, memfd.ErrDescriptors, nil},
		"very many":       {many, nil, memfd.ErrDescriptors, []string{"all were closed"}},
		"a pipe":          {[]int{int(r.Fd())}, nil, memfd.ErrNotMemfd, []string{"it is pipe:["}},
		"a file":          {[]int{int(disk.Fd())}, nil, memfd.ErrNotMemfd, []string{"it is " + disk.Name()}},
		"a POSIX object":  {[]int{int(tmpfs.Fd())}, nil, memfd.ErrNotMemfd, []string{"it is " + tmpfs.Name()}},
		"a folder":        {[]int{int(folder.Fd())}, nil, memfd.ErrNotMemfd, []string{"it is /"}},
		"a path":          {[]int{path}, nil, memfd.ErrNotMemfd, []string{disk.Name()}},
		"without rights":  {[]int{pathOfGood}, nil, syscall.EBADF, []string{"O_PATH"}},
		"unsealed":        {[]int{number(unsealed)}, nil, memfd.ErrUnsealed, []string{"it lacks shrink"}},
		"half sealed":     {[]int{number(half)}, &memfd.Want{Seals: memfd.SealShrink | memfd.SealGrow | memfd.SealWrite}, memfd.ErrUnsealed, []string{"it lacks grow|write", "shrink|grow|write is wanted"}},
		"another size":    {[]int{number(good)}, &memfd.Want{Size: 1001}, memfd.ErrWrongSize, []string{"it has 1000 bytes, and 1001 are wanted"}},
		"too short":       {[]int{number(good)}, &memfd.Want{MinSize: 1001}, memfd.ErrWrongSize, []string{"at least 1001"}},
		"too long":        {[]int{number(good)}, &memfd.Want{MaxSize: 999}, memfd.ErrWrongSize, []string{"at most 999"}},
		"short, unsealed": {[]int{number(unsealed)}, &memfd.Want{Seals: memfd.NoSeals, MinSize: 1001}, memfd.ErrWrongSize, nil},
	}
	for kindName, kind := range socketKinds {
		for name, c := range cases {
			t.Run(kindName+"/"+name, func(t *testing.T) {
				a, b := socketPair(t, kind)
				before := openCount(t)
				var rights []byte
				if c.fds != nil {
					rights = syscall.UnixRights(c.fds...)
				}
				_, _, err := a.WriteMsgUnix([]byte{'x'}, rights, nil)
				ok(t, err)
				f, err := memfd.Receive(b, c.want)
				wantError(t, err, c.err, append(c.texts, "receive memfd from")...)
				var e *memfd.Error
				if !errors.As(err, &e) || f != nil {
					t.Errorf("received %v, %T", f, err)
				}
				if n := openCount(t); n != before {
					t.Errorf("%d descriptors more than before", n-before)
				}
				// And then one that is in order.
				ok(t, memfd.Send(a, good))
				f, err = memfd.Receive(b, nil)
				ok(t, err)
				closeOK(t, f)
			})
		}
	}
}

// Messages keep their bounds: one of no bytes, which looks like the end, and one of
// more than one.
func TestMessagesOfAnotherLengthAreRefused(t *testing.T) {
	f := create(t, 1, 0)
	rights := syscall.UnixRights(number(f))
	for _, kind := range []int{syscall.SOCK_DGRAM, syscall.SOCK_SEQPACKET} {
		for _, text := range []string{"", "two"} {
			a, b := socketPair(t, kind)
			before := openCount(t)
			raw, err := a.SyscallConn()
			ok(t, err)
			var sendErr error // WriteMsgUnix adds a byte to none
			ok(t, raw.Control(func(fd uintptr) { sendErr = sys.Sendmsg(int(fd), []byte(text), rights) }))
			ok(t, sendErr)
			got, err := memfd.Receive(b, nil)
			if text == "" {
				wantError(t, err, memfd.ErrMessage, "has no byte")
			} else {
				wantError(t, err, memfd.ErrMessage, "longer than one byte")
			}
			if n := openCount(t); n != before || got != nil {
				t.Errorf("kind %d, %q: %v, and %d descriptors more than before", kind, text, got, n-before)
			}
		}
	}
}

// Sockets can be told to bring more than descriptors.
func TestCredentialsAndProcessDescriptorsMayComeAlong(t *testing.T) {
	const passPIDFD = 76 // SO_PASSPIDFD, since Linux 6.5
	a, b := socketPair(t, syscall.SOCK_STREAM)
	raw, err := b.SyscallConn()
	ok(t, err)
	var credErr, pidfdErr error
	ok(t, raw.Control(func(fd uintptr) {
		credErr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1)
		pidfdErr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, passPIDFD, 1)
	}))
	ok(t, credErr)
	if pidfdErr != nil && kernelAtLeast(t, 6, 5) {
		t.Errorf("SO_PASSPIDFD: %v", pidfdErr)
	}
	f := create(t, 1, 0)
	before := openCount(t)
	ok(t, memfd.Send(a, f))
	got, err := memfd.Receive(b, nil)
	ok(t, err)
	closeOK(t, got)
	_, err = a.Write([]byte{1})
	ok(t, err)
	_, err = memfd.Receive(b, nil)
	wantError(t, err, memfd.ErrNoDescriptor)
	if n := openCount(t); n != before {
		t.Errorf("%d descriptors more than before", n-before)
	}
}

func TestNoRoomForTheDescriptor(t *testing.T) {
	a, b := socketPair(t, syscall.SOCK_STREAM)
	f := create(t, 1, 0)
	ok(t, memfd.Send(a, f))
	var limit syscall.Rlimit
	ok(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	low := limit
	low.Cur = 1 // no number is below that and free
	ok(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	got, err := memfd.Receive(b, nil)
	ok(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	wantError(t, err, syscall.EMFILE, "ulimit -n")
	if got != nil {
		t.Errorf("received %v", got)
	}
}

// listen is a socket, without a file, at which other processes find this one.
func listen(t *testing.T) (path string, accept func() *net.UnixConn) {
	t.Helper()
	path = "@" + testenv.Name(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	ok(t, err)
	t.Cleanup(func() { l.Close() })
	ok(t, l.SetDeadline(time.Now().Add(testenv.Failsafe)))
	return path, func() *net.UnixConn {
		t.Helper()
		conn, err := l.AcceptUnix()
		ok(t, err)
		t.Cleanup(func() { conn.Close() })
		ok(t, conn.SetDeadline(time.Now().Add(testenv.Failsafe)))
		return conn
	}
}

func TestAPeerCannotShrinkSealedMemory(t *testing.T) {
	const length = 1<<16 + 1
	f := create(t, length, 0)
	m := mapped(t, f, nil)
	path, accept := listen(t)
	p := testenv.Start(t, "vandal", path)
	ok(t, memfd.Send(accept(), f))
	// Unguarded, every byte, while it tries.
	b := m.Bytes()
	for done := false; !done; {
		select {
		case <-p.Exited():
			done = true
		default:
		}
		for i := range b {
			b[i]++
		}
	}
	p.Expect("tried 7 ways")
	ok(t, p.Wait())
	if n := size(t, f); n != length {
		t.Errorf("it has %d bytes", n)
	}
	wantSeals(t, f, memfd.DefaultSeals)
	b[length-1] = 1
}

// What sealing saves from: the peer shortens the memory, and a touch faults. Even
// then it is an error.
func TestUnsealedMemoryIsRefusedAndFaultsAsAnError(t *testing.T) {
	path, accept := listen(t)
	p := testenv.Start(t, "turncoat", path)
	conn := accept()
	_, err := memfd.Receive(conn, nil)
	wantError(t, err, memfd.ErrUnsealed, "it lacks shrink", "shrink is wanted")
	p.Send("again")
	p.Expect("shortened")
	f, err := memfd.Receive(conn, &memfd.Want{Seals: memfd.NoSeals})
	ok(t, err)
	closing(t, f)
	_, err = f.Map(nil)
	wantError(t, err, shmkit.ErrOutOfRange, "it has 0 bytes")
	ok(t, f.Truncate(5000))
	m := mapped(t, f, nil)
	p.Send("again")
	p.Expect("shortened")
	_, err = m.ReadAt(make([]byte, 1), 0)
	wantError(t, err, shmkit.ErrTruncated, fmt.Sprintf("of %s", f.Address()))
	ok(t, f.Truncate(5000))
	_, err = m.WriteAt([]byte{1}, 4999)
	ok(t, err)
	p.Kill()
}
