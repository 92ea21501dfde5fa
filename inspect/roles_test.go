package inspect_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/sysv"
	"github.com/shmkit/shmkit/topic"
)

var page = os.Getpagesize()

// Of every object that a role makes there are pages in memory, and locked there, and others that nobody has
// touched.
const (
	pages   = 8
	touched = 3
)

// roles are the other processes of the tests. Each says what it has, a line for each thing, and ends when it hears
// anything.
var roles = map[string]testenv.Role{
	"segment":   segmentRole,
	"maps":      mapsRole,
	"file":      fileRole,
	"holds":     holdsRole,
	"memfd":     memfdRole,
	"nothing":   func([]string) error { return errors.Join(testenv.Say("here"), stay()) },
	"anon":      anonRole,
	"elsewhere": elsewhereRole,
	"headless":  headlessRole,
	"member":    memberRole,
	"look":      lookRole,
	"churn":     churnRole,
	"crowd":     crowdRole,
	"many":      manyRole,
}

// stay waits for the test, or its end.
func stay() error {
	_, _ = testenv.Hear()
	return nil
}

// mapShared maps a file and, to write, touches pages.
func mapShared(fd int, write bool) ([]byte, error) {
	prot := syscall.PROT_READ
	if write {
		prot |= syscall.PROT_WRITE
	}
	flags := syscall.MAP_SHARED
	if fd < 0 {
		flags |= syscall.MAP_ANON
	}
	b, err := syscall.Mmap(fd, 0, pages*page, prot, flags)
	if err != nil {
		return nil, err
	}
	if !write {
		sink += b[0]
		return b, nil
	}
	for n := range touched {
		b[n*page] = 1
	}
	return b, nil
}

var sink byte

// segmentRole attaches a segment that exists: id, and "w" to write and lock in memory what it touches.
func segmentRole(args []string) error {
	id, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	s, err := sysv.OpenID(id)
	if err != nil {
		return err
	}
	m, err := s.Attach(&sysv.AttachOptions{ReadOnly: args[1] != "w"})
	if err != nil {
		return err
	}
	if args[1] == "w" {
		for n := range touched {
			if err := m.Store32(int64(n*page), 1); err != nil {
				return err
			}
		}
	} else if _, err := m.Load32(0); err != nil {
		return err
	}
	if err := testenv.Say("%x", m.Addr()); err != nil {
		return err
	}
	return errors.Join(stay(), m.Close())
}

// fileRole maps a file: path, "w" or "r"; then closes it, unless "keep" follows.
func fileRole(args []string) error {
	write := args[1] == "w"
	flags := os.O_RDONLY
	if write {
		flags = os.O_RDWR
	}
	f, err := os.OpenFile(args[0], flags, 0)
	if err != nil {
		return err
	}
	b, err := mapShared(int(f.Fd()), write)
	if err != nil {
		return err
	}
	if write {
		if err := syscall.Mlock(b[:touched*page]); err != nil {
			return err
		}
	}
	if len(args) > 2 {
		err = testenv.Say("%d", f.Fd())
	} else {
		f.Close()
		err = testenv.Say("closed")
	}
	return errors.Join(err, stay(), syscall.Munmap(b))
}

// holdsRole has a file open: path.
func holdsRole(args []string) error {
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	return errors.Join(testenv.Say("%d", f.Fd()), stay())
}

// memfdRole makes a memfd: name; "map" to map it and close it, "hold" to have a descriptor, "both".
func memfdRole(args []string) error {
	fd, err := sys.MemfdCreate(args[0], sys.MFD_CLOEXEC|sys.MFD_ALLOW_SEALING)
	if err != nil {
		return err
	}
	if err := syscall.Ftruncate(fd, int64(pages*page)); err != nil {
		return err
	}
	if err := sys.AddSeals(fd, sys.F_SEAL_SHRINK); err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err
	}
	if args[1] != "hold" {
		if _, err := mapShared(fd, true); err != nil {
			return err
		}
	}
	if args[1] == "map" {
		syscall.Close(fd)
	}
	return errors.Join(testenv.Say("%d %d", fd, st.Ino), stay())
}

// anonRole maps memory that has no name and never had.
func anonRole([]string) error {
	b, err := mapShared(-1, true)
	if err != nil {
		return err
	}
	if err := testenv.Say("%s", addressOf(b)); err != nil {
		return err
	}
	return errors.Join(stay(), syscall.Munmap(b))
}

// addressOf returns where memory is, in the way of maps.
func addressOf(b []byte) string { return strings.TrimPrefix(fmt.Sprintf("%p", b), "0x") }

// elsewhereRole makes a segment, attaches it, and goes into another IPC namespace: args[0] "new" has it made there
// instead.
func elsewhereRole(args []string) error {
	if !onMainThread {
		return errors.New("another thread")
	}
	leave := func() error { return syscall.Unshare(syscall.CLONE_NEWIPC) }
	if args[0] == "new" {
		if err := leave(); err != nil {
			return err
		}
	}
	s, err := sysv.Create(sysv.Private, int64(pages*page), 0o600)
	if err != nil {
		return err
	}
	m, err := s.Attach(nil)
	if err != nil {
		return err
	}
	if args[0] != "new" {
		if err := leave(); err != nil {
			return err
		}
	}
	return errors.Join(testenv.Say("%d %x", s.ID(), m.Addr()), stay(), m.Close())
}

// headlessRole maps a file and ends its main thread.
func headlessRole(args []string) error {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if _, err := mapShared(int(f.Fd()), true); err != nil {
		return err
	}
	go func() {
		_ = errors.Join(testenv.Say("%d", f.Fd()), stay())
		os.Exit(0)
	}()
	sys.ExitThread()
	return errors.New("the main thread goes on")
}

// memberRole joins objects in a directory.
func memberRole(args []string) error {
	dir := args[0]
	m, err := pshared.OpenMutex("lock", &pshared.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Lock(ctx()); err != nil {
		return err
	}
	q, err := queue.OpenBytes("work", &queue.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer q.Close()
	for range 3 {
		if err := q.Push(ctx(), []byte("item")); err != nil {
			return err
		}
	}
	p, err := topic.NewBytesPublisher("news", &topic.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer p.Close()
	return errors.Join(testenv.Say("joined"), stay())
}

// looked is what another user sees of an object.
type looked struct {
	Address, Kind string
	Use           inspect.Use
	UseWhy        string
	Resident      inspect.Amount
	PIDs          []int
	Hidden        int
	HiddenPIDs    []int // of the snapshot
	Err           string
}

// lookRole looks at the objects in a directory, or at those whose addresses follow it.
func lookRole(args []string) error {
	s, err := inspect.Take(ctx(), &inspect.Options{Shm: args[0]})
	if err != nil {
		return err
	}
	var all []looked
	add := func(o inspect.Object, err error) {
		l := looked{Address: o.Address, Kind: o.Kind, Use: o.Use, UseWhy: o.UseWhy, Resident: o.Resident, Hidden: o.Hidden}
		for _, u := range o.Users {
			l.PIDs = append(l.PIDs, u.PID)
		}
		for _, p := range s.Processes() {
			if p.Hidden {
				l.HiddenPIDs = append(l.HiddenPIDs, p.PID)
			}
		}
		if err == nil {
			err = o.Err
		}
		if err != nil {
			l.Err = err.Error()
		}
		all = append(all, l)
	}
	for _, address := range args[1:] {
		add(s.Object(address))
	}
	if len(args) == 1 {
		for o, err := range s.Objects() {
			add(o, err)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return testenv.Say("%s", text)
}

// churnRole makes and removes memory of all sorts, below a directory, until it is told to stop.
func churnRole(args []string) error {
	stop := make(chan error, 1)
	go func() { stop <- stay() }()
	if err := testenv.Say("churning"); err != nil {
		return err
	}
	for n := 0; ; n++ {
		select {
		case err := <-stop:
			return err
		default:
		}
		if err := churn(args[0], n); err != nil {
			return err
		}
	}
}

// churn is one turn.
func churn(dir string, n int) error {
	s, err := sysv.Create(sysv.Private, int64(pages*page), 0o600)
	if err != nil {
		return err
	}
	m, err := s.Attach(nil)
	err = errors.Join(err, s.Remove())
	if err != nil {
		return err
	}
	path := fmt.Sprintf("%s/%d-%d", dir, os.Getpid(), n)
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(int64(pages * page)); err != nil {
		return err
	}
	b, err := mapShared(int(f.Fd()), true)
	if err != nil {
		return err
	}
	fd, err := sys.MemfdCreate("churned", sys.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	a, err := mapShared(-1, true)
	if err != nil {
		return err
	}
	return errors.Join(os.Remove(path), syscall.Munmap(a), syscall.Munmap(b), m.Close())
}
