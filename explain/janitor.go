package explain

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/sysv"
)

// The janitor is a process that outlives the others: it is told what there is, and when
// its input ends, because the experiment is over or because whoever ran it was killed, it
// sees to it that nothing is left.

// belongings are what the janitor has been told of.
type belongings struct {
	pids  map[int]*os.Process
	sem   []int
	msg   []int
	shm   []int
	paths []string
}

func janitor(a *actor) error {
	signal.Ignore(syscall.SIGPIPE) // who asks may be killed before the answer
	b := belongings{pids: map[int]*os.Process{}}
	for {
		line, err := a.hear()
		if errors.Is(err, io.EOF) {
			return b.remove()
		}
		if err != nil {
			return err
		}
		answer, err := b.hear(line)
		if err != nil { // it goes on: there is what it was told of before
			answer = refused + strconv.Quote(err.Error())
		}
		if err := a.say("%s", answer); err != nil && !errors.Is(err, syscall.EPIPE) {
			return err
		}
	}
}

// hear does what it is told, and returns the answer.
func (b *belongings) hear(line string) (string, error) {
	kind, what, _ := strings.Cut(line, " ")
	if kind != "make" {
		return "ok", b.add(line)
	}
	switch what {
	case "msg":
		q, err := sysv.CreateQueue(sysv.Private, 0o600)
		if err != nil {
			return "", err
		}
		b.msg = append(b.msg, q.ID())
		return strconv.Itoa(q.ID()), nil
	case "sem":
		set, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
		if err != nil {
			return "", err
		}
		b.sem = append(b.sem, set.ID())
		return strconv.Itoa(set.ID()), nil
	}
	return "", fmt.Errorf("janitor: what is %q?", line)
}

func (b *belongings) add(line string) error {
	kind, what, _ := strings.Cut(line, " ")
	if kind == "path" {
		b.paths = append(b.paths, what)
		return nil
	}
	n, err := strconv.Atoi(what)
	if err != nil {
		return fmt.Errorf("janitor: %q: %w", line, err)
	}
	switch kind {
	case "pid":
		// A handle: the number may be somebody else's by then.
		b.pids[n], err = os.FindProcess(n)
	case "shm":
		b.shm = append(b.shm, n)
	case "sem":
		b.sem = append(b.sem, n)
	case "msg":
		b.msg = append(b.msg, n)
	default:
		err = fmt.Errorf("janitor: what is %q?", line)
	}
	return err
}

// removeInstead does what the janitor did not do to the end: it was killed, say. The
// processes have ended and were reaped, so that their numbers only tell what they made.
func removeInstead(told []string) error {
	b := belongings{pids: map[int]*os.Process{}}
	var errs []error
	for _, line := range told {
		var pid int
		if n, _ := fmt.Sscanf(line, "pid %d", &pid); n == 1 {
			b.pids[pid] = nil
			continue
		}
		errs = append(errs, b.add(line))
	}
	return errors.Join(append(errs, b.removeObjects())...)
}

// remove ends all processes and removes what they may have left.
func (b *belongings) remove() error {
	for pid, p := range b.pids {
		_ = p.Kill()
		for !gone(pid, p) {
			time.Sleep(time.Millisecond)
		}
	}
	return b.removeObjects()
}

func (b *belongings) removeObjects() error {
	var errs []error
	all, err := sysv.Segments()
	errs = append(errs, err)
	for _, s := range all {
		if _, ok := b.pids[s.CreatorPID]; ok {
			b.shm = append(b.shm, s.ID)
		}
	}
	type removable interface{ Remove() error }
	remove := func(r removable, err error) {
		if err == nil {
			err = r.Remove()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EIDRM) && !errors.Is(err, syscall.EINVAL) {
			errs = append(errs, err)
		}
	}
	for _, id := range b.shm {
		s, err := sysv.OpenID(id)
		remove(s, err)
	}
	for _, id := range b.sem {
		s, err := sysv.OpenSemaphoresID(id)
		remove(s, err)
	}
	for _, id := range b.msg {
		q, err := sysv.OpenQueueID(id)
		remove(q, err)
	}
	for _, path := range b.paths {
		// What is not there needs no removing, which a read-only file system would refuse.
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}

// gone reports whether a process has ended, be it that nobody has asked how.
func gone(pid int, p *os.Process) bool {
	if p.Signal(syscall.Signal(0)) != nil {
		return true
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || isCorpse(string(text))
}

// isCorpse reads /proc/PID/stat of a process: whether it only waits to be asked how it
// ended. The first thread may have ended before the others, which still have everything.
func isCorpse(stat string) bool {
	const state, threads = 0, 17 // behind the command
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	return len(fields) > threads && (fields[state] == "Z" || fields[state] == "X") && fields[threads] == "1"
}
