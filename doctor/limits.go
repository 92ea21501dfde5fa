package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/proc"
)

// From how much of a limit on it is told, in percent.
const (
	// NearlyReached makes it a Warning.
	NearlyReached = 80
	// Reached makes it a Problem.
	Reached = 95
)

// A share is how much of a limit is used.
type share struct {
	used, most uint64
}

// severity returns how bad it is; ok is false if it is not worth telling.
func (s share) severity() (severity Severity, ok bool) {
	if s.most == 0 {
		return 0, false
	}
	switch p := 100 * float64(s.used) / float64(s.most); {
	case p >= Reached:
		return Problem, true
	case p >= NearlyReached:
		return Warning, true
	}
	return 0, false
}

// A bound is a limit as it is told.
type bound struct {
	name    string // "SHMMNI"
	of      string // "System V segments"
	format  func(uint64) string
	meaning string // what happens when it is reached
	source  string // where the numbers are from
	command string // raises it
}

// limit adds a finding if the limit is nearly reached.
func (e *examination) limit(b bound, s share) {
	severity, ok := s.severity()
	if !ok {
		return
	}
	e.add(Finding{
		Kind: Limit, Severity: severity, Object: b.name,
		Summary:  fmt.Sprintf("%s of %s %s are used, %s", b.format(s.used), b.format(s.most), b.of, percent(s.used, s.most)),
		Meaning:  b.meaning,
		Evidence: b.source,
		Command:  b.command,
	})
}

func count(n uint64) string { return strconv.FormatUint(n, 10) }

// limits looks at limits of the IPC namespace, the machine and the control group.
func (e *examination) limits() error {
	return errors.Join(e.segmentLimits(), e.semaphoreLimits(), e.queueLimits(), e.fileLimit(), e.groupLimit())
}

func (e *examination) segmentLimits() error {
	all, err := proc.Segments(e.proc())
	if err != nil {
		return missing(err)
	}
	most, err := e.numbers("sys/kernel/shmmni", 1)
	if err != nil {
		return err
	}
	e.limit(bound{
		name: "SHMMNI", of: "System V segments", format: count,
		meaning: "When it is reached, shmget fails with ENOSPC, for everybody.",
		source:  e.proc("sysvipc/shm") + " and " + e.proc("sys/kernel/shmmni"),
		command: fmt.Sprintf("sysctl -w kernel.shmmni=%d", twice(most[0], 32768)),
	}, share{uint64(len(all)), most[0]})

	page := uint64(os.Getpagesize())
	pages := uint64(0)
	for _, s := range all {
		pages += (s.Size + page - 1) / page
	}
	most, err = e.numbers("sys/kernel/shmall", 1)
	if err != nil {
		return err
	}
	e.limit(bound{
		name: "SHMALL", of: "pages of System V segments", format: count,
		meaning: "When it is reached, shmget fails with ENOSPC, for everybody.",
		source:  e.proc("sysvipc/shm") + " and " + e.proc("sys/kernel/shmall"),
		command: fmt.Sprintf("sysctl -w kernel.shmall=%d", twice(most[0], math.MaxInt64)),
	}, share{pages, most[0]})
	return nil
}

func (e *examination) semaphoreLimits() error {
	all, err := proc.SemaphoreSets(e.proc())
	if err != nil {
		return missing(err)
	}
	most, err := e.numbers("sys/kernel/sem", 4) // SEMMSL, SEMMNS, SEMOPM, SEMMNI
	if err != nil {
		return err
	}
	semaphores := uint64(0)
	for _, s := range all {
		semaphores += uint64(s.Count)
	}
	command := func(mns, mni uint64) string {
		return fmt.Sprintf("sysctl -w kernel.sem='%d %d %d %d'", most[0], mns, most[2], mni)
	}
	source := e.proc("sysvipc/sem") + " and " + e.proc("sys/kernel/sem")
	e.limit(bound{
		name: "SEMMNI", of: "System V semaphore sets", format: count, source: source,
		meaning: "When it is reached, semget fails with ENOSPC, for everybody.",
		command: command(most[1], twice(most[3], 32768)),
	}, share{uint64(len(all)), most[3]})
	e.limit(bound{
		name: "SEMMNS", of: "System V semaphores", format: count, source: source,
		meaning: "When it is reached, semget fails with ENOSPC, for everybody.",
		command: command(twice(most[1], math.MaxInt32), most[3]),
	}, share{semaphores, most[1]})
	return nil
}

func (e *examination) queueLimits() error {
	all, err := proc.MessageQueues(e.proc())
	if err != nil {
		return missing(err)
	}
	most, err := e.numbers("sys/kernel/msgmni", 1)
	if err != nil {
		return err
	}
	e.limit(bound{
		name: "MSGMNI", of: "System V message queues", format: count,
		meaning: "When it is reached, msgget fails with ENOSPC, for everybody.",
		source:  e.proc("sysvipc/msg") + " and " + e.proc("sys/kernel/msgmni"),
		command: fmt.Sprintf("sysctl -w kernel.msgmni=%d", twice(most[0], 32768)),
	}, share{uint64(len(all)), most[0]})
	return nil
}

func (e *examination) fileLimit() error {
	n, err := e.numbers("sys/fs/file-nr", 3) // used, 0, most
	if err != nil {
		return missing(err)
	}
	e.limit(bound{
		name: "file-max", of: "open files of the machine", format: count,
		meaning: "When it is reached, open, mmap by name and memfd_create fail with ENFILE, for everybody but root.",
		source:  e.proc("sys/fs/file-nr"),
		command: fmt.Sprintf("sysctl -w fs.file-max=%d", twice(n[2], math.MaxInt64)),
	}, share{n[0], n[2]})
	return nil
}

// groupLimit looks at the memory limit of the control group this process is in, and of those above it.
func (e *examination) groupLimit() error {
	text, err := os.ReadFile(e.proc("self/cgroup"))
	if err != nil {
		return missing(err)
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount, used, most := "sys/fs/cgroup", "memory.current", "memory.max"
		switch {
		case parts[0] == "0" && parts[1] == "": // version 2
		case hasWord(parts[1], "memory"):
			mount, used, most = "sys/fs/cgroup/memory", "memory.usage_in_bytes", "memory.limit_in_bytes"
		default:
			continue
		}
		for group := filepath.Clean("/" + parts[2]); ; group = filepath.Dir(group) {
			e.group(e.root(mount, group), used, most)
			if group == "/" {
				break
			}
		}
	}
	return nil
}

// group looks at one control group. One without a limit, or that is not to be seen from here, has
// nothing to tell.
func (e *examination) group(dir, used, most string) {
	u, err1 := number(filepath.Join(dir, used))
	m, err2 := number(filepath.Join(dir, most))
	if err1 != nil || err2 != nil {
		return
	}
	shared := ""
	if text, err := os.ReadFile(filepath.Join(dir, "memory.stat")); err == nil {
		for line := range strings.Lines(string(text)) {
			if n, err := strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(line, "shmem ")), 10, 64); err == nil {
				shared = ", " + size(n) + " of it shared memory"
			}
		}
	}
	e.limit(bound{
		name: "memory of " + dir, of: "memory of the control group", format: size,
		meaning: "When it is reached, processes in it are killed. Shared memory counts for the group that touched it first, and can't be freed by the kernel" + shared + ".",
		source:  filepath.Join(dir, used) + " and " + most,
		command: fmt.Sprintf("echo %d > %s", twice(m, math.MaxInt64), quote(filepath.Join(dir, most))),
	}, share{u, m})
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

// twice is the double of a limit, but not more than what the kernel takes.
func twice(n, most uint64) uint64 {
	if n > most/2 {
		return max(most, n)
	}
	return 2 * n
}

// numbers reads a file of Proc with at least n numbers.
func (e *examination) numbers(file string, n int) ([]uint64, error) {
	path := e.proc(file)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []uint64
	for _, field := range strings.Fields(string(text)) {
		v, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, v)
	}
	if len(all) < n {
		return nil, fmt.Errorf("%s: %d numbers, not %d", path, len(all), n)
	}
	return all, nil
}

// number reads a file with one number.
func number(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// missing makes an error nil that says that a kernel, or a container, has no such file, or does
// not show it.
func missing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
