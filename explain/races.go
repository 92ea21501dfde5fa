package explain

import (
	"encoding/json"
	"fmt"
	"os"
	"structs"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
	"github.com/shmkit/shmkit/memfd"
	"github.com/shmkit/shmkit/pshared"
)

// races: what two writers do to each other, and what keeps them from it.
func races() Experiment {
	return Experiment{
		Number:   11,
		Name:     "races",
		Title:    "Races and locks",
		Question: "Two processes count up the same number in shared memory. Does it come out right, and what does that cost?",
		Outline: []string{
			"load, add one, store, without a lock: updates are lost",
			"one instruction that does all three: none is lost",
			"load, add one, store, with a lock of each kind around it: none is lost",
			"what a turn costs with each, side by side",
		},
		run:   runRaces,
		roles: map[string]role{"counts": countRole},
	}
}

// A contest is the memory that both count in.
type contest struct {
	_     structs.HostLayout
	Ready words.Uint64 // how often somebody was ready to begin
	_     [56]byte
	Count uint64 // loaded and stored like any other variable
	_     [56]byte
	Added words.Uint64
	_     [56]byte
	Mu    pshared.MutexWord
	_     [56]byte
	RW    pshared.RWMutexWord
	_     [48]byte
	Sem   pshared.SemaphoreWord
}

// A discipline is a way to count.
type discipline struct {
	name  string // in charts
	key   string // what processes are told
	turns int    // of each process
	title string
	call  string // as a C program would write it
	why   string
}

const (
	plainCount  = "plain"
	atomicCount = "atomic"
)

var disciplines = []discipline{
	{"atomic add", atomicCount, 100_000, "One instruction", "__atomic_fetch_add(&count, 1, __ATOMIC_SEQ_CST)",
		"The processor keeps the cache line from the load to the store. For one word that is all it takes, and nothing else is cheaper."},
	{"Mutex", "mutex", 20_000, "A lock in shared memory: pshared.Mutex", "lock(&mutex); count = count + 1; unlock(&mutex)",
		"A word says who is inside. While nobody waits, to lock and to unlock is one instruction each, and the kernel is not called: futex(2) is for those who have to sleep."},
	{"RWMutex, writing", "rwmutex", 10_000, "A lock for many readers or one writer: pshared.RWMutex", "write_lock(&rw); count = count + 1; write_unlock(&rw)",
		"A writer also has to see that no reader is inside. The lock is made for reading; writing costs more."},
	{"Semaphore", "semaphore", 5_000, "A semaphore in shared memory with one permit: pshared.Semaphore", "acquire(&sem, 1); count = count + 1; release(&sem, 1)",
		"With one permit a semaphore is a lock. Nobody gets a permit past one who waits, and so they sleep more often."},
	{"System V semaphore", "sysv", 1_000, "A System V semaphore, with undo", "semop(id, {0, -1, SEM_UNDO}); count = count + 1; semop(id, {0, +1, SEM_UNDO})",
		"Each operation is a system call, also when nobody waits. The kernel keeps the number, and takes it back from who dies."},
	{"file lock", "file", 1_000, "A lock on a file: fcntl", "fcntl(fd, F_OFD_SETLKW, F_WRLCK); count = count + 1; fcntl(fd, F_OFD_SETLK, F_UNLCK)",
		"Two system calls for each turn as well, and the kernel searches a list of ranges. It is given back when the last descriptor is closed, however that comes about."},
}

// Facts of races.
const (
	factLost    = "lost updates"
	factCounter = "the number"
	factTurn    = "a turn takes"
	factSwitch  = "times they slept"
)

// mostRounds bounds how often the two race until an update is lost. Only where nobody is
// ever interrupted between a load and a store would it be reached.
const mostRounds = 60

// laps is how many rounds there are with each lock. Others may use the processors
// meanwhile: the shortest is shown.
const laps = 3

// A race is the two processes of races.
type race struct {
	lab    *lab
	a, b   *child
	data   *contest
	rounds uint64 // that were run so far
	right  int    // ways on which nothing was lost
}

// A lap is what a process tells of a round.
type lap struct {
	Took  time.Duration
	Usage sys.Usage
}

func runRaces(x *lab) {
	memory, err := pshared.CreateMemfd[contest]("contest", nil)
	x.check(err)
	defer memory.Close()
	r := &race{lab: x, data: memory.Data()}
	r.start(memory)
	r.unlocked()
	costs := make([]float64, len(disciplines))
	for i, d := range disciplines {
		costs[i] = r.locked(d)
	}
	r.compare(costs)
	x.conclude("Not by itself: to add one is to load, to add, and to store, and what the other process stores in between is lost. Nothing tells of it but the number.",
		"An instruction that does all three, or a lock of whatever kind, makes it right. A lock in shared memory calls the kernel for those who sleep only; of others every turn is system calls.")
}

// start starts A and B, with the memory, and a file to lock: each on a processor of its own,
// if there are two.
func (r *race) start(memory *pshared.Shared[contest]) {
	x := r.lab
	shared, err := memory.Descriptor()
	x.check(err)
	defer shared.Close()
	file, err := memfd.Create("lock", 1, memfd.DefaultSeals)
	x.check(err)
	defer file.Close()
	set := x.make("sem")
	x.check(setSemaphore(set, 1))
	cpus, err := sys.CPUs()
	x.check(err)
	x.check(file.Use(func(f *os.File) error {
		files := &childOptions{files: []*os.File{shared, f}}
		r.a = x.start("A", "counts", files, itoa(set), itoa(cpus[0]), x.opts.spoil)
		r.b = x.start("B", "counts", files, itoa(set), itoa(cpus[len(cpus)-1]), x.opts.spoil)
		return nil
	}))
	for _, c := range []*child{r.a, r.b} {
		_, err := c.hear() // ready
		x.check(err)
	}
}

func (r *race) pids() []int { return []int{r.a.Pid(), r.b.Pid()} }

// round has both count to n at the same time.
func (r *race) round(key string, n int) (sum lap) {
	r.rounds++
	line := fmt.Sprintf("%s %d %d", key, n, 2*r.rounds)
	r.lab.check(r.a.send(line))
	r.lab.check(r.b.send(line))
	for _, c := range []*child{r.a, r.b} {
		answer, err := c.hear()
		r.lab.check(err)
		var l lap
		r.lab.check(json.Unmarshal([]byte(answer), &l))
		sum = lap{sum.Took + l.Took, sum.Usage.Add(l.Usage)}
	}
	return sum
}

const fromCount = "the word, loaded by a third process that maps the memory"

// unlocked shows that updates are lost. The two race until it happens, longer each time:
// with one processor it takes an interruption at the wrong moment.
func (r *race) unlocked() {
	r.lab.step(plan{
		who: "A and B", pids: r.pids(), title: "Without a lock",
		call:   "count = count + 1   // load, add, store",
		why:    "A loads 5, B loads 5, A stores 6, B stores 6: two turns, and the number grew by one. With one processor the kernel has to take it away between load and store; then all turns that the other one has meanwhile are lost.",
		expect: []expectation{expect(factLost, above, 0)},
	}, func(s *step) {
		rounds := mostRounds
		if r.lab.opts.spoil != "" {
			rounds = 2
		}
		turns, lost := 0, 0
		for i := 0; i < rounds && lost == 0; i++ {
			n := 100_000 << min(i, 6)
			turns += 2 * n
			r.round(plainCount, n)
			lost = turns - int(load64(&r.data.Count))
		}
		s.show("turns of both", turns, "A and B, each counted in a register")
		s.show(factCounter, load64(&r.data.Count), fromCount)
		s.show(factLost, lost, "the difference")
		s.chart(Chart{Title: "Turns, and what came of them", Bars: []Bar{
			{Label: "turns of A and B", Value: float64(turns), Text: itoa(turns)},
			{Label: "the number", Value: float64(turns - lost), Text: itoa(turns - lost)},
			{Label: "lost", Value: float64(lost), Text: itoa(lost)},
		}})
	})
}

// locked shows that none are with a lock, and returns what a turn costs in nanoseconds.
func (r *race) locked(d discipline) (cost float64) {
	r.lab.step(plan{
		who: "A and B", pids: r.pids(), title: d.title, call: d.call, why: d.why,
		expect: []expectation{expect(factCounter, is, 2*laps*d.turns), expect(factLost, is, 0)},
	}, func(s *step) {
		store64(&r.data.Count, 0)
		r.data.Added.Store(0)
		best := r.round(d.key, d.turns)
		for range laps - 1 {
			if l := r.round(d.key, d.turns); l.Took < best.Took {
				best = l
			}
		}
		count := load64(&r.data.Count)
		if d.key == atomicCount {
			count = r.data.Added.Load()
		}
		cost = float64(best.Took) / float64(2*d.turns)
		lost := 2*laps*d.turns - int(count)
		if lost == 0 {
			r.right++
		}
		s.show(factCounter, count, fromCount)
		s.show(factLost, lost, "the difference to the turns that A and B had")
		s.show(factTurn, fmt.Sprintf("%.0f ns", cost), fmt.Sprintf("clock_gettime(CLOCK_MONOTONIC), with the waiting; the best of %d rounds", laps))
		s.show(factSwitch, best.Usage.Voluntary, "getrusage: ru_nvcsw, in that round")
	})
	return cost
}

// compare shows the costs in relation to each other.
func (r *race) compare(costs []float64) {
	r.lab.step(plan{
		who: "A and B", pids: r.pids(), title: "What it costs", call: "the times above",
		why:    "Both do nothing but take turns, so each is in the other's way all the time: no program should be like that. Times are this machine's, now, and nothing is predicted of them.",
		expect: []expectation{expect("ways that lost nothing", is, len(disciplines))},
	}, func(s *step) {
		s.show("ways that lost nothing", r.right, "the steps before")
		chart := Chart{Title: "A turn", Note: "relative to the atomic add, in this run; from line to line it is ten times as much", Log: true}
		for i, d := range disciplines {
			ratio := costs[i] / costs[0]
			chart.Bars = append(chart.Bars, Bar{Label: d.name, Value: ratio, Text: fmt.Sprintf("%.1f ×", ratio)})
			s.show(d.name, fmt.Sprintf("%.1f ×", ratio), "a turn, relative to the atomic add")
		}
		s.chart(chart)
	})
}

// load64 and store64 are a load and a store, each by itself: the compiler must not make
// one instruction of both.
//
//go:noinline
func load64(p *uint64) uint64 { return *p }

//go:noinline
func store64(p *uint64, v uint64) { *p = v }
