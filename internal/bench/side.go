package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/memfd"
)

// A side is what one of the two processes does. The same calls are made on both sides, so that they go on
// from one another, and know by themselves who is next.
type side interface {
	// run does n operations, and records how long each takes, if that can be said of one: A's times count.
	run(n int, rec *recorder) error
	// memory is how many bytes are reserved for it, -1 if it is not known.
	memory() int64
	close() error
}

// A spender is a side that knows better than the clock how long its last run took.
type spender interface {
	spent() int64 // nanoseconds
}

// envSide is the variable that makes a process a side, or the one that counts system calls: its setup, as
// JSON.
const envSide = "SHMKIT_BENCH_SIDE"

// A setup is what a process is told when it starts.
type setup struct {
	Trial Trial
	First bool
	CPU   int // -1: any
	Dir   string
	IDs   []int
	Files int // that it inherits besides the common memory
	Leave []leaving
	Trace []int // the threads whose calls are to be counted, and nothing else
}

// An order is what a side is told then. It answers each with a reply.
type order struct {
	N int // operations
	// Check looks at all bytes of all messages. Record keeps the time of each operation.
	Check, Record bool
}

type reply struct {
	Nanoseconds int64   // from the first to the last
	CPU         int64   // nanoseconds of this process, all threads
	Sleeps      int64   // how often its thread gave its CPU away to wait
	Sent        int64   // nanoseconds that sending took of CPU
	Times       string  // what was recorded
	Samples     []int64 `json:",omitempty"` // what a foreign side has recorded
	Memory      int64
	Thread      int // that does it all
	Error       string
}

// roomName is the name under which the common memory is inherited.
const roomName = "bench"

// mainCalled: Main was called, so sides can be started from this program.
var mainCalled atomic.Bool

// Main makes this process one of a benchmark, if Run has started it as one; then it does not return. Call it
// first in main: the other processes are the program that they are part of once more.
func Main() {
	mainCalled.Store(true)
	text, ok := os.LookupEnv(envSide)
	if !ok {
		return
	}
	if err := runProcess(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func runProcess(text string) error {
	runtime.LockOSThread()
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("%s: %w", envSide, err)
	}
	if len(s.Trace) > 0 {
		return traceRole(s.Trace)
	}
	return sideRole(s)
}

// sideRole is one side, until its orders end.
func sideRole(s setup) (err error) {
	orders := listen(s)
	if s.CPU >= 0 {
		if err := sys.UseCPUs(s.CPU); err != nil {
			return err
		}
	}
	sys.AllowTracing() // where it has to be allowed, and can be
	r := &room{Trial: s.Trial, ctx: context.Background(), first: s.First, dir: s.Dir, ids: s.IDs, pay: newPayload(max(s.Trial.Size, smallest), s.Trial.Touched)}
	mem, err := memfd.Inherited(roomName, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(r.enter(mem), mem.Close()); err != nil {
		return err
	}
	for i := range s.Files {
		r.files = append(r.files, os.NewFile(uintptr(firstFile+i), fmt.Sprint("inherited ", i)))
	}
	out := json.NewEncoder(os.Stdout)
	me, err := openSide(r)
	if err != nil {
		return errors.Join(out.Encode(reply{Error: err.Error()}), r.exit())
	}
	if err := out.Encode(reply{Memory: me.memory(), Thread: sys.Gettid()}); err != nil {
		return err
	}
	for o := range orders {
		answer, err := o.run(r, me)
		if err != nil {
			// The other side waits for this one, so there is no way to go on.
			return out.Encode(reply{Error: err.Error()})
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
	}
	return errors.Join(me.close(), r.exit())
}

// firstFile is the descriptor of the first inherited file, behind the common memory.
const firstFile = 4

// listen reads orders. If they end in the middle of one the command is gone, and this process
// takes with it what would stay.
func listen(s setup) <-chan order {
	all := make(chan order)
	go func() {
		in := json.NewDecoder(bufio.NewReader(os.Stdin))
		for {
			var o order
			if err := in.Decode(&o); err != nil {
				break
			}
			if o.N == 0 { // the end, as it should be
				close(all)
				return
			}
			all <- o
		}
		for _, l := range s.Leave {
			_ = l.remove() // the other side does the same
		}
		_ = os.RemoveAll(s.Dir)
		os.Exit(1)
	}()
	return all
}

// run is an order carried out.
func (o order) run(r *room, me side) (reply, error) {
	var rec *recorder
	if o.Record && r.first {
		rec = newRecorder()
	}
	r.pay.check = o.Check
	if warm := o.N / 10; warm > 0 {
		r.meet()
		if err := me.run(warm, nil); err != nil {
			return reply{}, err
		}
	}
	before, err := sys.ThreadUsage()
	if err != nil {
		return reply{}, err
	}
	r.meet()
	cpu, begin := sys.ProcessCPUTime(), now()
	if err := me.run(o.N, rec); err != nil {
		return reply{}, err
	}
	answer := reply{Nanoseconds: now() - begin, CPU: int64(sys.ProcessCPUTime() - cpu), Memory: me.memory()}
	after, err := sys.ThreadUsage()
	if err != nil {
		return reply{}, err
	}
	answer.Sleeps = after.Sub(before).Voluntary
	if s, ok := me.(spender); ok {
		answer.Nanoseconds = s.spent()
	}
	if s, ok := me.(*fanning); ok {
		answer.Sent = s.sent()
	}
	if rec != nil {
		answer.Times, err = rec.text()
	}
	return answer, err
}
