package live

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/sys"
)

const (
	// arenaAddr is where the arena lies: far from what the kernel and the Go runtime
	// choose by themselves, and at the beginning of a page table.
	arenaAddr  = 0x20_0000_0000
	arenaBytes = model.ArenaPages * model.PageSize

	// firstFD is the descriptor that scripts call d0.
	firstFD = 100
	// FDNames is how many descriptors scripts have: d0 up to d9.
	FDNames = 10

	// LockLimit is RLIMIT_MEMLOCK of a process when a script begins, bytes.
	LockLimit = 4 * model.PageSize
)

// A player is one process of a script, on the kernel.
type player struct {
	dir      string // for files on disk
	hear     *bufio.Reader
	say      io.Writer
	pipeRead int
	pipeEnd  int
	maps     *os.File
	table    *os.File
	id       int    // of the segment that the operation names; -1: none
	arg      string // what else the operation cannot know: a name, a path
	got      int    // id that shmget returned
	fatal    bool   // let a fault kill the process
	watch    bool   // count faults
	faults   Faults // of the last access that was watched
}

// Play makes this process one that plays: it executes the operations that come line by
// line, answers each with a line, and returns at the end of the lines. dir is a folder
// for files, which are gone as soon as they are closed. The process should have nothing
// else to do: faults of the goroutine become panics, addresses and descriptors are taken.
func Play(dir string, lines io.Reader, answers io.Writer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := &player{dir: dir, hear: bufio.NewReader(lines), say: answers}
	if err := p.begin(); err != nil {
		return err
	}
	for {
		line, err := p.hear.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line = strings.TrimSuffix(line, "\n")
		answer, err := p.answer(line)
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		if err := p.write(answer + "\n"); err != nil {
			return err
		}
	}
}

func (p *player) begin() error {
	debug.SetPanicOnFault(true)
	if err := sys.DisableHugePages(); err != nil {
		return err
	}
	for _, wall := range []uintptr{arenaAddr - model.PageSize, arenaAddr + arenaBytes} {
		const flags = sys.MAP_SHARED | sys.MAP_ANONYMOUS | sys.MAP_FIXED_NOREPLACE
		if _, err := sys.Mmap(wall, model.PageSize, sys.PROT_NONE, flags, -1, 0); err != nil {
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
	if err := p.warmUp(); err != nil {
		return err
	}
	return p.reset()
}

func (p *player) write(text string) error {
	_, err := io.WriteString(p.say, text)
	return err
}

// warmUp touches memory as operations do, so that the faults that the program itself has
// when it does so for the first time are not counted as those of an operation.
func (p *player) warmUp() error {
	const flags = sys.MAP_PRIVATE | sys.MAP_ANONYMOUS | sys.MAP_FIXED
	if _, err := sys.Mmap(arenaAddr, model.PageSize, sys.PROT_READ|sys.PROT_WRITE, flags, -1, 0); err != nil {
		return err
	}
	p.watch = true
	for range 3 {
		for _, call := range []string{"load", "store", "peek"} {
			if _, err := p.do(model.Op{Call: call}); err != nil {
				return err
			}
		}
	}
	return nil
}

// reset brings the process back to where scripts begin.
func (p *player) reset() error {
	if err := sys.Munmap(arenaAddr, arenaBytes); err != nil {
		return err
	}
	for fd := firstFD; fd < firstFD+FDNames; fd++ {
		_ = syscall.Close(fd) // most are not open
	}
	return sys.SetMemoryLockLimit(LockLimit)
}

// answer does what one line asks for: "reset"; "look"; or "do", "watch" or "fatal" with an
// id, another argument and the text of an operation, with tabs between.
func (p *player) answer(line string) (string, error) {
	words := strings.Split(line, "\t")
	if words[0] == "reset" {
		if err := p.reset(); err != nil {
			return "", err
		}
		n, err := lockedNow()
		return "reset " + n, err
	}
	if words[0] == "look" {
		v, err := p.view()
		return v, err
	}
	if len(words) != 4 {
		return "", errors.New("want four words")
	}
	op, err := model.ParseOp(words[3])
	if err != nil {
		return "", err
	}
	p.id, err = strconv.Atoi(words[1])
	if err != nil {
		return "", err
	}
	p.arg, p.got, p.fatal = words[2], -1, words[0] == "fatal"
	p.watch, p.faults = words[0] == "watch", Faults{}
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
	answer := fmt.Sprintf("%v\t%d\t%s\t%s", out, p.got, describeAreas(maps), table)
	if p.watch {
		v, err := p.view()
		return answer + "\t" + v, err
	}
	return answer, nil
}

// do executes one operation. An error is something that should not happen; what the
// kernel answers is in the outcome.
func (p *player) do(op model.Op) (model.Outcome, error) {
	play, ok := plays[op.Call]
	if !ok {
		return model.Outcome{}, errors.New("no such call")
	}
	value, err := play(p, op)
	var errno syscall.Errno
	var signal faultError
	switch {
	case err == nil:
		return model.Outcome{Value: value}, nil
	case errors.As(err, &signal):
		return model.Outcome{Signal: syscall.Signal(signal)}, nil
	case errors.As(err, &errno):
		return model.Outcome{Errno: errno}, nil
	}
	return model.Outcome{}, err
}

// A faultError is a signal that an access to memory brought.
type faultError syscall.Signal

func (e faultError) Error() string { return syscall.Signal(e).String() }

// access runs f, which touches the page at addr and nothing else outside of Go's
// memory. The runtime turns a fault into a panic and does not tell the signal. So it is
// looked up: a mapped page, whose protection allows the access and which is no guard
// page, can only have been missing its object. That the signals really come is shown in
// live_signal_test.go of the model.
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
		if !ok || at.Addr()&^(model.PageSize-1) != addr&^(model.PageSize-1) {
			panic(e)
		}
		err = p.signalAt(addr, write)
	}()
	if p.watch {
		return p.count(f)
	}
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
	page := int64(addr-arenaAddr) / model.PageSize
	for _, a := range areas {
		allowed := strings.Contains(a.perms, "w") || !write && strings.Contains(a.perms, "r")
		if a.start <= page && page < a.end && allowed && table[page] != model.Guard {
			return faultError(syscall.SIGBUS)
		}
	}
	return faultError(syscall.SIGSEGV)
}
