package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/sysv"
	"github.com/shmkit/shmkit/topic"
)

const content = "somebody's"

// userRole uses a file in one of several ways that are hard to see, says so, and when it is
// asked whether the file still is what it was.
func userRole(args []string) error {
	way, path := args[0], args[1]
	look, err := use(way, path, args[2:])
	if err != nil {
		return err
	}
	if err := testenv.Say("ready"); err != nil {
		return err
	}
	for {
		if _, err := testenv.Hear(); err != nil {
			return nil
		}
		text, err := look()
		if err == nil && text != content {
			err = fmt.Errorf("it reads %q", text)
		}
		if err != nil {
			if err := testenv.Say("%v", err); err != nil {
				return err
			}
			continue
		}
		if err := testenv.Say("fine"); err != nil {
			return err
		}
	}
}

// use uses a file, and returns how to look at it.
func use(way, path string, more []string) (look func() (string, error), err error) {
	mapped := func(fd, flags int) (func() (string, error), error) {
		b, err := syscall.Mmap(fd, 0, os.Getpagesize(), syscall.PROT_READ, flags)
		return func() (string, error) { return string(b[:len(content)]), nil }, err
	}
	through := func(fd int) func() (string, error) {
		return func() (string, error) {
			b := make([]byte, len(content))
			_, err := syscall.Pread(fd, b, 0)
			return string(b), err
		}
	}
	switch way {
	case "reads", "writes", "maps", "maps private", "locks", "sends", "maps elsewhere":
		if way == "maps elsewhere" { // in a mount namespace where the name does not even lead there
			if err := elsewhere(path, more[0]); err != nil {
				return nil, err
			}
			path = filepath.Join(more[0], filepath.Base(path))
		}
		flags := syscall.O_RDONLY
		if way == "writes" {
			flags = syscall.O_RDWR
		}
		fd, err := syscall.Open(path, flags|syscall.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		switch way {
		case "reads", "writes":
			return through(fd), nil
		case "sends": // it is in the socket, and nowhere else
			pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				return nil, err
			}
			if err := syscall.Sendmsg(pair[0], []byte{1}, syscall.UnixRights(fd), nil, 0); err != nil {
				return nil, err
			}
			return received(pair[1]), syscall.Close(fd)
		}
		kind := syscall.MAP_SHARED
		if way == "maps private" {
			kind = syscall.MAP_PRIVATE
		}
		look, err := mapped(fd, kind)
		if err != nil {
			return nil, err
		}
		if way == "locks" {
			b, err := syscall.Mmap(fd, 0, os.Getpagesize(), syscall.PROT_READ, syscall.MAP_SHARED)
			if err != nil {
				return nil, err
			}
			if err := syscall.Mlock(b); err != nil {
				return nil, err
			}
		}
		if way == "maps elsewhere" {
			if err := syscall.Mount("tmpfs", filepath.Dir(args0(path, more)), "tmpfs", 0, "size=4k"); err != nil {
				return nil, err
			}
		}
		return look, syscall.Close(fd)
	case "looks", "for nothing", "looks elsewhere":
		at := path
		if way == "looks elsewhere" { // as another name of another folder
			if err := elsewhere(path, more[0]); err != nil {
				return nil, err
			}
			at = filepath.Join(more[0], filepath.Base(path))
		}
		open := func() (int, error) { return sys.OpenPath(at, true) }
		if way == "for nothing" { // neither to read nor to write
			open = func() (int, error) { return syscall.Open(at, syscall.O_ACCMODE|syscall.O_CLOEXEC, 0) }
		}
		fd, err := open()
		if err != nil {
			return nil, err
		}
		return func() (string, error) {
			b, err := os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", fd))
			return string(b[:min(len(b), len(content))]), err
		}, nil
	case "mounts", "mounts on it":
		at := filepath.Join(more[0], "mounted")
		from, to := path, at
		if way == "mounts on it" {
			from, to = at, path
		}
		text := "nobody's"
		if from == at {
			text = content
		}
		err := errors.Join(os.WriteFile(at, []byte(text), 0o600), syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""), syscall.Mount(from, to, "", syscall.MS_BIND, ""))
		return func() (string, error) {
			b, err := os.ReadFile(to)
			return string(b[:min(len(b), len(content))]), err
		}, err
	}
	return nil, fmt.Errorf("no way %q", way)
}

// args0 is the path that a file had before it was seen through another directory.
func args0(path string, more []string) string { return filepath.Join(more[1], filepath.Base(path)) }

// elsewhere shows the folder of a file as another one, in this process's mount namespace.
func elsewhere(path, at string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	return syscall.Mount(filepath.Dir(path), at, "", syscall.MS_BIND, "")
}

// received takes a descriptor out of a socket when it is looked at.
func received(socket int) func() (string, error) {
	fd := -1
	return func() (string, error) {
		if fd < 0 {
			b, oob := make([]byte, 1), make([]byte, syscall.CmsgSpace(4))
			_, n, _, _, err := syscall.Recvmsg(socket, b, oob, syscall.MSG_CMSG_CLOEXEC)
			if err != nil {
				return "", err
			}
			messages, err := syscall.ParseSocketControlMessage(oob[:n])
			if err != nil {
				return "", err
			}
			fds, err := syscall.ParseUnixRights(&messages[0])
			if err != nil {
				return "", err
			}
			fd = fds[0]
		}
		b := make([]byte, len(content))
		_, err := syscall.Pread(fd, b, 0)
		return string(b), err
	}
}

// openerRole opens a file when it is told to, and says how many names it has then.
func openerRole(args []string) error {
	if err := testenv.Say("ready"); err != nil {
		return err
	}
	if _, err := testenv.Hear(); err != nil {
		return nil
	}
	fd, err := syscall.Open(args[0], syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	if err := testenv.Say("names %d", st.Nlink); err != nil {
		return err
	}
	_, err = testenv.Hear()
	return ended(err)
}

// openersRole opens files by name, of all that there are in a folder, for as long as it is let. Of
// each that it has open with a name it makes sure that it keeps it.
func openersRole(args []string) error {
	if err := testenv.Say("ready"); err != nil {
		return err
	}
	over := make(chan struct{})
	go func() {
		_, _ = testenv.Hear()
		close(over)
	}()
	seen, nameless := 0, 0
	for n := uint64(os.Getpid()); ; n = n*6364136223846793005 + 1442695040888963407 {
		select {
		case <-over:
			return testenv.Say("opened %d nameless %d", seen, nameless)
		default:
		}
		path := filepath.Join(args[0], strconv.Itoa(int(n>>33)%4))
		fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		seen++
		var had, has syscall.Stat_t
		if err := syscall.Fstat(fd, &had); err != nil {
			return err
		}
		for range int(n>>40) % 64 {
			if err := syscall.Fstat(fd, &has); err != nil {
				return err
			}
			if had.Nlink != has.Nlink {
				return fmt.Errorf("%s had %d names when it was opened, and while it was open %d", path, had.Nlink, has.Nlink)
			}
		}
		if had.Nlink == 0 {
			nameless++
		} else if err := syscall.Lstat(path, &has); err != nil || has.Ino != had.Ino {
			return fmt.Errorf("%s was opened as inode %d and is inode %d while that is open (%v)", path, had.Ino, has.Ino, err)
		}
		if err := syscall.Close(fd); err != nil {
			return err
		}
	}
}

// segmentRole makes or uses System V segments as it is told.
func segmentRole(args []string) error {
	switch args[0] {
	case "make": // and go
		s, err := sysv.Create(sysv.Private, 4096, 0o666)
		if err != nil {
			return err
		}
		return testenv.Say("%d", s.ID())
	case "make and stay":
		s, err := sysv.Create(sysv.Private, 4096, 0o666)
		if err != nil {
			return err
		}
		if err := testenv.Say("%d", s.ID()); err != nil {
			return err
		}
		_, err = testenv.Hear()
		return ended(err)
	}
	id, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	s, err := sysv.OpenID(id)
	if err != nil {
		return err
	}
	m, err := s.Attach(nil)
	if err != nil {
		return err
	}
	switch args[0] {
	case "attach and leave":
		// The mapping stays the process's, whatever its threads look at.
		if err := syscall.Unshare(syscall.CLONE_NEWIPC); err != nil {
			return testenv.Say("%v", err)
		}
	case "use and stay":
		if err := m.Close(); err != nil {
			return err
		}
	}
	if err := testenv.Say("ready"); err != nil {
		return err
	}
	if _, err := testenv.Hear(); err != nil {
		return ended(err)
	}
	if _, err := m.WriteAt([]byte(content), 0); err != nil {
		return err
	}
	return testenv.Say("fine")
}

// memberRole joins an object of shmkit: KIND HOLD DIR. What it holds it holds until it is told to
// let go, or killed.
func memberRole(args []string) error {
	kind, hold, dir := args[0], args[1] == "hold", args[2]
	persistent := args[1] == "persistent"
	ctx := context.Background()
	var done func() error
	switch kind {
	case "lock":
		m, err := pshared.OpenMutex("l", &pshared.Options{Dir: dir, Persistent: persistent})
		if err != nil {
			return err
		}
		if hold {
			if err := m.Lock(ctx); err != nil {
				return err
			}
		}
		done = func() error {
			if hold {
				err := m.Unlock()
				return errors.Join(err, m.Close())
			}
			return m.Close()
		}
	case "queue":
		q, err := queue.OpenBytes("q", &queue.Options{Dir: dir, Persistent: persistent})
		if err != nil {
			return err
		}
		if hold {
			if err := q.Push(ctx, []byte("x")); err != nil {
				return err
			}
		}
		done = q.Close
	case "topic":
		p, err := topic.NewPublisher[[8]byte]("t", &topic.Options{Dir: dir, Persistent: persistent})
		if err != nil {
			return err
		}
		done = p.Close
	}
	if err := testenv.Say("ready"); err != nil {
		return err
	}
	if _, err := testenv.Hear(); err != nil {
		return nil
	}
	if err := done(); err != nil {
		return err
	}
	return testenv.Say("fine")
}

// doctorRole mends what it finds in a folder, and says what.
func doctorRole(args []string) error {
	found, err := Examine(context.Background(), &Options{Shm: args[0], Dir: args[1], Age: -1, Areas: Shared | Files})
	if err != nil {
		return err
	}
	var words []string
	for _, f := range found {
		word := f.Kind + " " + f.Object
		if f.Fixable {
			if err := Fix(context.Background(), f); err != nil {
				word += " " + strings.ReplaceAll(err.Error(), "\n", " ")
			} else {
				word += " mended"
			}
		}
		words = append(words, word)
	}
	return testenv.Say("%s", strings.Join(words, "; "))
}

// goneRole says of two processes whether they are gone, and whether /proc hides the first.
func goneRole(args []string) error {
	living, err1 := strconv.Atoi(args[0])
	dead, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	o := &Options{}
	_, err := os.Stat(o.proc(args[0]))
	return testenv.Say("%t %t %t", o.gone(living), o.gone(dead), os.IsNotExist(err))
}

// ended makes the end of input no error.
func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
