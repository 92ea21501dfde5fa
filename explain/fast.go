package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/memfd"
	"github.com/shmkit/shmkit/sysv"
)

// fast: what the kernel has to do, counted.
func fast() Experiment {
	return Experiment{
		Number:   10,
		Name:     "fast",
		Title:    "Why it is fast",
		Question: "The same 16 MiB go from A to B in five ways. What does the kernel have to do for each?",
		Outline: []string{
			"through a pipe, a socket and a message queue: the kernel copies everything, twice",
			"through shared memory: it copies nothing",
			"through shared memory when nobody sleeps: it is not even called",
			"B looks at every byte on each way, and has to find what A made",
		},
		run:   runFast,
		roles: map[string]role{"sends": carryRole((*carrier).send), "receives": carryRole((*carrier).receive)},
	}
}

// Facts of fast.
const (
	factSum    = "checksum of what B got"
	factCalls  = "system calls of A and B"
	factKernel = "of them read and write, as the kernel counts"
	factOff    = "difference between their count and the kernel's"
	factCopied = "bytes copied by the kernel"
	factFaulty = "page faults"
	factWaits  = "times they waited"
	factKTime  = "time in the kernel, A and B"
	factTime   = "time from first to last byte"
)

// A transfer is what came of a way.
type transfer struct {
	name   string
	calls  int64
	copied int64 // -1: the kernel does not say
	usage  sys.Usage
	took   time.Duration
	// crowded: took is what waiting for the processor takes.
	crowded bool
}

// A freight is the two processes of fast.
type freight struct {
	lab     *lab
	a, b    *child
	threads [2]string // /proc/PID/task/TID of A and B
	sum     string
	message int
	cpus    int
	queue   *sysv.MessageQueue
	done    []transfer
}

func runFast(x *lab) {
	f := &freight{lab: x}
	defer f.start()()
	least := 2 * loadBytes / pieceBytes
	f.carry("a pipe", "pipe", plan{
		title: "Through a pipe",
		call:  "A: write(pipe, buf, 65536)   B: read(pipe, buf, 65536)",
		why:   "write copies from A's memory into pages of the kernel, read copies from there into B's. A pipe holds 64 KiB unless told otherwise: no call can move more, and whoever is ahead waits.",
		expect: []expectation{
			expect(factCalls, atLeast, least), expect(factOff, is, 0), expect(factCopied, is, 2*loadBytes),
		},
	})
	f.carry("a Unix socket", "socket", plan{
		title: "Through a Unix stream socket",
		call:  "A: write(socket, buf, 65536)   B: read(socket, buf, 65536)",
		why:   "A socket can do more, send descriptors for one, but bytes go the same way: in by one copy, out by another.",
		expect: []expectation{
			expect(factCalls, atLeast, least), expect(factOff, is, 0), expect(factCopied, is, 2*loadBytes),
		},
	})
	f.carry("a message queue", "queue", plan{
		title: "Through a System V message queue",
		call:  fmt.Sprintf("A: msgsnd(id, &m, %d, 0)   B: msgrcv(id, &m, %[1]d, 0, 0)", f.message),
		why:   "A message has an end, and so a largest size (MSGMAX); each takes two calls and two copies. What they copy appears in no account of the kernel's, so that the copies can't be shown.",
		expect: []expectation{
			expect(factCalls, atLeast, 2*loadBytes/f.message), expect(factKernel, is, 0), expect(factCopied, is, 2*loadBytes),
			expect("last to send", is, "A"), expect("last to receive", is, "B"),
		},
	})
	f.carry("shared memory", "memory", plan{
		title: "Through shared memory",
		call:  "A: memory[i] = …; head = n   B: n = head; … = memory[i]; tail = n",
		why: fmt.Sprintf("A makes the bytes where B looks at them: a ring of %d KiB. What is handed over is a number in the same memory. The kernel puts each page into both page tables once, and lets those sleep (futex) who have nothing to do until half the ring is theirs.",
			ringBytes>>10),
		expect: []expectation{
			expect(factCalls, atMost, mostRingCalls(loadBytes)), expect(factKernel, is, 0), expect(factCopied, is, 0),
			expect(factFaulty, below, loadBytes/x.report.System.PageSize),
		},
	})
	f.carry("shared memory, awake", "awake", plan{
		title: "Through shared memory, and nobody sleeps",
		call:  "A: while (head - tail == size); …   B: while (head == tail); …",
		why:   "Who looks again and again, instead of sleeping, needs no call at all, and a processor, which A and B have of their own here. With only one, each waits until the other's turn ends. Programs look for some microseconds, and sleep then.",
		expect: []expectation{
			expect(factCalls, is, 0), expect(factKernel, is, 0), expect(factCopied, is, 0),
			expect(factFaulty, below, loadBytes/x.report.System.PageSize),
		},
	})
	f.compare()
	x.conclude("A pipe, a socket and a message queue copy every byte into the kernel and out again, with two calls for each piece, whatever its size.",
		"In shared memory B reads where A has written: the kernel copies nothing, and is called only by those who want to sleep.",
		"What is left is what the two do themselves: make the bytes, and look at them.")
}

// start starts A and B with all ways between them. What it returns gives back what this
// process has of the ways.
func (f *freight) start() (release func()) {
	x := f.lab
	var mine []*os.File
	release = func() {
		for _, file := range mine {
			_ = file.Close() // of no use to anybody any more
		}
	}
	own := func(fd int, name string) *os.File {
		mine = append(mine, os.NewFile(uintptr(fd), name))
		return mine[len(mine)-1]
	}
	done := false
	defer func() {
		if !done {
			release()
		}
	}()
	var pipe [2]int
	x.check(syscall.Pipe2(pipe[:], syscall.O_CLOEXEC)) // not os.Pipe: reads and writes shall block
	out, in := own(pipe[0], "pipe"), own(pipe[1], "pipe")
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	x.check(err)
	one, other := own(pair[0], "socket"), own(pair[1], "socket")
	memory, err := memfd.Create("ring", ringSize(), memfd.DefaultSeals)
	x.check(err)
	defer memory.Close()

	id := x.make("msg")
	f.queue, err = sysv.OpenQueueID(id)
	x.check(err)
	limits, err := sysv.ReadQueueLimits()
	x.check(err)
	for f.message = 8192; f.message > min(limits.MaxMessage, limits.QueueBytes); f.message /= 2 {
	}
	if f.message == 0 {
		x.fail(errors.New("message queues may not hold a byte here (kernel.msgmax, kernel.msgmnb)"))
	}
	cpus, err := sys.CPUs()
	x.check(err)
	f.cpus = len(cpus)
	args := func(cpu int) []string {
		return []string{strconv.Itoa(id), strconv.Itoa(f.message), strconv.Itoa(cpu), x.opts.spoil}
	}
	x.check(memory.Use(func(m *os.File) error {
		f.a = x.start("A", "sends", &childOptions{files: []*os.File{in, one, m}}, args(cpus[0])...)
		f.b = x.start("B", "receives", &childOptions{files: []*os.File{out, other, m}}, args(cpus[len(cpus)-1])...)
		return nil
	}))
	for i, c := range []*child{f.a, f.b} {
		tid, err := c.hear()
		x.check(err)
		f.threads[i] = fmt.Sprintf("/proc/%d/task/%s", c.Pid(), tid)
	}
	f.haul("pipe") // what is done for the first time takes longer
	f.sum = fmt.Sprintf("%08x", newLoad().checksum())
	done = true
	return release
}

func (f *freight) pids() []int { return []int{f.a.Pid(), f.b.Pid()} }

// kernel is what the kernel has counted of both so far.
func (f *freight) kernel() (sum account) {
	for _, thread := range f.threads {
		a, err := readAccount(thread + "/io")
		f.lab.check(err)
		sum.calls, sum.bytes = sum.calls+a.calls, sum.bytes+a.bytes
	}
	return sum
}

// haul has the load carried, and returns what A and B tell.
func (f *freight) haul(way string) (a, b haul) {
	f.lab.check(f.b.send(way))
	f.lab.check(f.a.send(way))
	for c, h := range map[*child]*haul{f.a: &a, f.b: &b} {
		answer, err := c.hear()
		f.lab.check(err)
		f.lab.check(json.Unmarshal([]byte(answer), h))
	}
	return a, b
}

// hauls is how often the load is carried on each way. The first time is counted, the
// shortest is shown: others may use the processors meanwhile.
const hauls = 3

func took(a, b haul) time.Duration { return max(a.End, b.End) - min(a.Start, b.Start) }

// crowded: on this way both would need a processor, and there is only one.
func (f *freight) crowded(way string) bool { return way == "awake" && f.cpus == 1 }

// carry has the load carried on one way, and shows what that took.
func (f *freight) carry(name, way string, p plan) {
	x := f.lab
	p.who, p.pids = "A and B", f.pids()
	p.expect = append([]expectation{expect(factSum, is, f.sum)}, p.expect...)
	x.step(p, func(s *step) {
		before := f.kernel()
		a, b := f.haul(way)
		after := f.kernel()
		t := transfer{name: name, calls: a.Calls + b.Calls, copied: after.bytes - before.bytes, usage: a.Usage.Add(b.Usage)}
		t.took = took(a, b)
		for n := 1; n < hauls && !f.crowded(way); n++ {
			t.took = min(t.took, took(f.haul(way)))
		}

		const io = "/proc/PID/task/TID/io: "
		s.show(factSum, fmt.Sprintf("%08x", b.Sum), "CRC-32C of all bytes, worked out by B")
		s.show(factCalls, t.calls, "counted by A and B, each their own")
		s.show(factKernel, after.calls-before.calls, io+"syscr, syscw")
		if way == "queue" {
			s.unseen(factCopied, "the kernel keeps no account of it for messages", io+"rchar, wchar")
			t.copied = -1
			info, err := f.queue.Stat()
			x.check(err)
			s.show("last to send", f.who(info.LastSendPID), "msgctl(IPC_STAT): msg_lspid")
			s.show("last to receive", f.who(info.LastReceivePID), "msgctl(IPC_STAT): msg_lrpid")
		} else {
			s.show(factCopied, t.copied, io+"rchar, wchar")
		}
		if way == "pipe" || way == "socket" {
			s.show(factOff, t.calls-(after.calls-before.calls), "the two above")
		}
		s.show(factFaulty, t.usage.MinorFaults+t.usage.MajorFaults, "getrusage: ru_minflt, ru_majflt")
		s.show(factWaits, t.usage.Voluntary, "getrusage: ru_nvcsw")
		s.show(factKTime, milliseconds(t.usage.System), "getrusage: ru_stime")
		s.show(factTime, milliseconds(t.took), fmt.Sprintf("clock_gettime(CLOCK_MONOTONIC), the shortest of %d times", hauls))
		t.crowded = f.crowded(way)
		f.done = append(f.done, t)
	})
}

// who has a pid, or a thread of whom: of a receiver that a message was handed to while it
// waited the kernel notes the thread.
func (f *freight) who(id int) string {
	for i, c := range []*child{f.a, f.b} {
		if id == c.Pid() || f.threads[i] == fmt.Sprintf("/proc/%d/task/%d", c.Pid(), id) {
			return c.name
		}
	}
	return itoa(id)
}

// compare puts the ways side by side.
func (f *freight) compare() {
	calls, copied, took := f.done[0], f.done[0], f.done[0]
	for _, t := range f.done {
		if t.calls < calls.calls {
			calls = t
		}
		if t.copied >= 0 && t.copied < copied.copied {
			copied = t
		}
		if t.took < took.took {
			took = t
		}
	}
	kind := func(t transfer) string { return strings.TrimSuffix(t.name, ", awake") }
	f.lab.step(plan{
		who: "A and B", pids: f.pids(), title: "Side by side",
		call: "the numbers above", why: "Counts are the same on every machine, but for how often somebody waits. Times are not: they are this machine's, now, and nothing is predicted of them.",
		expect: []expectation{
			expect("fewest system calls", is, "shared memory"),
			expect("fewest bytes copied by the kernel", is, "shared memory"),
		},
	}, func(s *step) {
		charts := []Chart{
			{Title: "System calls", Note: "of both together, to move 16 MiB"},
			{Title: "Bytes that the kernel copied", Note: "MiB"},
			{Title: "Times that somebody waited", Note: "voluntary context switches"},
			{Title: "Time", Note: "relative to the shortest, on this machine in this run"},
		}
		for _, t := range f.done {
			ratio := float64(t.took) / float64(took.took)
			s.show("time of "+t.name+", relative", fmt.Sprintf("%.1f", ratio), "from first to last byte")
			add := func(i int, value float64, text string) {
				charts[i].Bars = append(charts[i].Bars, Bar{Label: t.name, Value: value, Text: text})
			}
			add(0, float64(t.calls), itoa(int(t.calls)))
			if t.copied < 0 {
				charts[1].Bars = append(charts[1].Bars, Bar{Label: t.name, Text: "not counted by the kernel", Unseen: true})
			} else {
				add(1, float64(t.copied), itoa(int(t.copied>>20)))
			}
			add(2, float64(t.usage.Voluntary), itoa(int(t.usage.Voluntary)))
			if t.crowded {
				charts[3].Bars = append(charts[3].Bars, Bar{Label: t.name, Text: "one processor for both", Unseen: true})
			} else {
				add(3, ratio, fmt.Sprintf("%.1f ×", ratio))
			}
		}
		s.show("fewest system calls", kind(calls), "the counts of the steps before")
		s.show("fewest bytes copied by the kernel", kind(copied), "the counts of the steps before")
		for _, c := range charts {
			s.chart(c)
		}
	})
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }
