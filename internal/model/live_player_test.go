package model

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// The player is the role of a process that executes operations on the kernel it runs
// on. It takes one line an operation and answers with one line; live_rig_test.go speaks
// to it.

const (
	// arenaAddr is where the arena lies: far from what the kernel and the Go runtime
	// choose by themselves, and at the beginning of a page table.
	arenaAddr  = 0x20_0000_0000
	arenaBytes = ArenaPages * PageSize

	// firstFD is the descriptor that scripts call d0.
	firstFD = 100
	fdNames = 10
)

// A player is one process of a script, on the kernel.
type player struct {
	dir      string // for files on disk
	pipeRead int
	pipeEnd  int
	maps     *os.File
	table    *os.File
	id       int    // of the segment that the operation names; -1: none
	arg      string // what else the operation cannot know: a name, a path
	got      int    // id that shmget returned
	fatal    bool   // let a fault kill the process
}

// play is the role. args[0] is a folder for files.
func play(args []string) error {
	p := &player{dir: args[0]}
	if err := p.begin(); err != nil {
		return err
	}
	for {
		line, err := testenv.Hear()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := p.answer(line)
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		if err := testenv.Say("%s", answer); err != nil {
			return err
		}
	}
}

func (p *player) begin() error {
	debug.SetPanicOnFault(true)
	if err := sys.DisableHugePages(); err != nil {
		return err
	}
	for _, wall := range []uintptr{arenaAddr - PageSize, arenaAddr + arenaBytes} {
		const flags = sys.MAP_SHARED | sys.MAP_ANONYMOUS | sys.MAP_FIXED_NOREPLACE
		if _, err := sys.Mmap(wall, PageSize, sys.PROT_NONE, flags, -1, 0); err != nil {
			return fmt.Errorf("a wall of the arena: %w", err)
		}
	}
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
		return err
	}
	p.pipeRead, p.pipeEnd = pipe[0], pipe[1]
	var err error
	if p.maps, err = os.Open("/proc/self/maps"); err != nil {
		return err
	}
	if p.table, err = os.Open("/proc/self/pagemap"); err != nil {
		return err
	}
	return p.reset()
}

// reset brings the process back to where scripts begin.
func (p *player) reset() error {
	if err := sys.Munmap(arenaAddr, arenaBytes); err != nil {
		return err
	}
	for fd := firstFD; fd < firstFD+fdNames; fd++ {
		_ = syscall.Close(fd) // most are not open
	}
	return sys.SetMemoryLockLimit(lockLimit)
}

// answer does what one line asks for: "reset", or "do" or "fatal" with an id, another
// argument and the text of an operation, with tabs between.
func (p *player) answer(line string) (string, error) {
	words := strings.Split(line, "\t")
	if words[0] == "reset" {
		if err := p.reset(); err != nil {
			return "", err
		}
		n, err := lockedNow()
		return "reset " + n, err
	}
	if len(words) != 4 {
		return "", errors.New("want four words")
	}
	op, err := ParseOp(words[3])
	if err != nil {
		return "", err
	}
	p.id, err = strconv.Atoi(words[1])
	if err != nil {
		return "", err
	}
	p.arg, p.got, p.fatal = words[2], -1, words[0] == "fatal"
	out, err := p.do(op)
	if err != nil {
		return "", err
	}
	maps, err := p.areas()
	if err != nil {
		return "", err
	}
	table, err := p.pageTable(maps)
	if err != nil {
		return "", err
	}
	if op.Call == "maps" {
		out.Value = "[" + describeAreas(maps) + "]"
	}
	if op.Call == "table" {
		out.Value = table
	}
	return fmt.Sprintf("%v\t%d\t%s\t%s", out, p.got, describeAreas(maps), table), nil
}

// do executes one operation. An error is something that should not happen; what the
// kernel answers is in the outcome.
func (p *player) do(op Op) (Outcome, error) {
	play, ok := livePlays[op.Call]
	if !ok {
		return Outcome{}, errors.New("no such call")
	}
	value, err := play(p, op)
	var errno syscall.Errno
	var signal faultError
	switch {
	case err == nil:
		return Outcome{Value: value}, nil
	case errors.As(err, &signal):
		return Outcome{Signal: syscall.Signal(signal)}, nil
	case errors.As(err, &errno):
		return Outcome{Errno: errno}, nil
	}
	return Outcome{}, err
}

// A faultError is a signal that an access to memory brought.
type faultError syscall.Signal

func (e faultError) Error() string { return syscall.Signal(e).String() }

// access runs f, which touches the page at addr and nothing else outside of Go's
// memory. The runtime turns a fault into a panic and does not tell the signal. So it is
// looked up: a mapped page, whose protection allows the access and which is no guard
// page, can only have been missing its object. That the signals really come is shown in
// live_signal_test.go.
func (p *player) access(addr uintptr, write bool, f func()) (err error) {
	if p.fatal {
		debug.SetPanicOnFault(false)
		f()
		return nil
	}
	defer func() {
		e := recover()
		if e == nil {
			return
		}
		at, ok := e.(interface{ Addr() uintptr })
		if !ok || at.Addr()&^(PageSize-1) != addr&^(PageSize-1) {
			panic(e)
		}
		err = p.signalAt(addr, write)
	}()
	f()
	return nil
}

func (p *player) signalAt(addr uintptr, write bool) error {
	areas, err := p.areas()
	if err != nil {
		return err
	}
	table, err := p.pageTable(nil)
	if err != nil {
		return err
	}
	page := int64(addr-arenaAddr) / PageSize
	for _, a := range areas {
		allowed := strings.Contains(a.perms, "w") || !write && strings.Contains(a.perms, "r")
		if a.start <= page && page < a.end && allowed && state(table[page]) != guard {
			return faultError(syscall.SIGBUS)
		}
	}
	return faultError(syscall.SIGSEGV)
}

func (p *player) path(name string) string { return filepath.Join(p.dir, name) }
