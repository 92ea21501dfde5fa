package explain

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"structs"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/words"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/sysv"
)

// death: what becomes of a lock whose holder is killed.
func death() Experiment {
	return Experiment{
		Number:   12,
		Name:     "death",
		Title:    "The death of a holder",
		Question: "A process is killed between lock and unlock, with the work half done. What does the next one get?",
		Outline: []string{
			"a word that is 1 while somebody is inside: the next one waits for ever, here until a deadline",
			"a System V semaphore: the same, unless it was taken with undo",
			"pshared.Mutex: the next one gets the lock, is told, and repairs; who does not repair closes it for all",
			"pshared.RWMutex: a dead reader is in nobody's way, a dead writer keeps readers out until somebody has repaired",
		},
		run:   runDeath,
		roles: map[string]role{"mortal": mortalRole},
	}
}

// A legacy is the memory that holders leave: two accounts, between which they move 10.
type legacy struct {
	_           structs.HostLayout
	Left, Right uint64
	_           [48]byte
	Plain       words.Uint32 // 1: somebody is inside
	_           [60]byte
	Mu          pshared.MutexWord
	_           [56]byte
	RW          pshared.RWMutexWord
}

const fortune = 100 // in both accounts together

// What the next one gets.
const (
	gotIt     = "the lock"
	gaveUp    = "nothing until the deadline"
	ownerDead = "the lock, and is told: its owner died"
	lostLock  = "an error: not recoverable"
	writerRIP = "no lock, and is told: a writer died"
)

// Facts of death.
const (
	factNext     = "B gets"
	factSumLeft  = "in both accounts together"
	factWord     = "the word while it is held"
	factWordDead = "the word after the death"
	factChanged  = "the death has changed the word"
	factLives    = "lifelines: locks that the kernel holds for those who live"
	factDead     = "lifelines after the death"
	fromWord     = "the word, loaded by a third process that maps the memory"
)

const (
	deadline = 300 * time.Millisecond // of who is expected to wait in vain
	patience = time.Minute            // of who is not
)

// A wake is the experiment while it runs: B stays, one holder after the other is killed.
type wake struct {
	lab     *lab
	memory  *pshared.Shared[legacy]
	file    *os.File // the memory's
	data    *legacy
	sets    [2]int // semaphores: taken without undo, and with
	b       *child
	dead    int // how many were killed
	holder  *child
	held    time.Duration // since when
	patient time.Duration
}

func runDeath(x *lab) {
	memory, err := pshared.CreateMemfd[legacy]("legacy", nil)
	x.check(err)
	defer memory.Close()
	file, err := memory.Descriptor()
	x.check(err)
	defer file.Close()
	w := &wake{lab: x, memory: memory, file: file, data: memory.Data(), patient: patience}
	if strings.HasPrefix(x.opts.spoil, "noundo") {
		w.patient = deadline
	}
	for i := range w.sets {
		w.sets[i] = x.make("sem")
		x.check(setSemaphore(w.sets[i], 1))
	}
	w.b = w.start("B")
	w.plain()
	w.semaphore()
	w.undo()
	w.mutex()
	w.repair()
	w.unrepaired()
	w.reader()
	w.writer()
	x.conclude("With a word alone, or a semaphore of System V without undo, nothing: nobody knows that the holder is dead, and all wait for ever. With undo the semaphore comes back, and nobody knows that the work is half done.",
		"A lock that says who holds it, and a lifeline that the kernel cuts when that process dies, make it safe: the next one gets the lock and is told, repairs, and says so.")
}

// start starts a process that takes locks.
func (w *wake) start(name string) *child {
	c := w.lab.start(name, "mortal", &childOptions{files: []*os.File{w.file}}, itoa(w.sets[0]), itoa(w.sets[1]), w.lab.opts.spoil)
	_, err := c.hear() // ready
	w.lab.check(err)
	return c
}

// step is one in which a process dies. It is there before.
func (w *wake) step(p plan, do func(*step)) {
	w.dead++
	w.data.Left, w.data.Right = fortune, 0
	w.holder = w.start(fmt.Sprintf("A%d", w.dead))
	p.who, p.pids = w.holder.name, []int{w.holder.Pid()}
	w.lab.step(p, do)
}

// take has the holder take a lock, and stop in the middle of the work.
func (w *wake) take(kind string) {
	answer, err := w.holder.ask("take " + kind + " 0")
	w.lab.check(err)
	var t taking
	w.lab.check(json.Unmarshal([]byte(answer), &t))
	if t.Got != gotIt {
		w.lab.fail(fmt.Errorf("%s got %s", w.holder.name, t.Got))
	}
	w.held = t.To
}

// kill kills the holder.
func (w *wake) kill() {
	w.holder.kill()
	_, err := w.holder.wait(w.lab.ctx)
	w.lab.check(err)
}

// next has B take the lock, and shows what it gets.
func (w *wake) next(s *step, kind string, wait time.Duration) string {
	died := sys.MonotonicNow()
	t := w.ask(kind, wait)
	s.show(factNext, t.Got, fmt.Sprintf("what B's call returned, after %s", milliseconds(t.To-t.From)))
	ms := func(at time.Duration) float64 { return (at - w.held).Seconds() * 1000 }
	s.Lanes = []Lane{
		{Name: w.holder.name, Spans: []Span{{From: 0, To: ms(died), Kind: SpanHolds, Text: "holds the lock, and is killed"}}, Dead: ms(died)},
		{Name: "B", Spans: []Span{{From: ms(t.From), To: ms(t.To), Kind: SpanWaits, Text: "gets " + t.Got}}},
	}
	return t.Got
}

// again has B take a lock once more, shows what it gets, and has it give that back.
func (w *wake) again(s *step, what, kind string) {
	t := w.ask(kind, w.patient)
	s.show(what, t.Got, "what B's call returned")
	if t.Got == gotIt || t.Got == ownerDead {
		w.tell("unlock " + kind)
	}
}

func (w *wake) ask(kind string, wait time.Duration) (t taking) {
	answer, err := w.b.ask(fmt.Sprintf("take %s %d", kind, wait.Milliseconds()))
	w.lab.check(err)
	w.lab.check(json.Unmarshal([]byte(answer), &t))
	return t
}

// tell has B do something. What B does not hold is no error: that it doesn't has been shown.
func (w *wake) tell(line string) {
	_, err := w.b.ask(line)
	w.lab.check(err)
}

func (w *wake) plain() {
	w.step(plan{
		title: "A word that is 1 while somebody is inside", call: "while (!cas(&word, 0, 1)) futex_wait(&word, 1);   …   kill(A, SIGKILL)",
		why:    "1 says that somebody is inside, and not who. Nobody will store 0: B can't tell a dead holder from a slow one, and waits. Here it gives up after 300 ms.",
		expect: []expectation{expect(factWord, is, 1), expect(factWordDead, is, 1), expect(factNext, is, gaveUp)},
	}, func(s *step) {
		w.take("plain")
		s.show(factWord, int(w.data.Plain.Load()), fromWord)
		w.kill()
		s.show(factWordDead, int(w.data.Plain.Load()), fromWord)
		w.next(s, "plain", deadline)
	})
}

// semaphoreAt is a set as this process sees it.
func (w *wake) semaphoreAt(i int) *sysv.SemaphoreSet {
	set, err := sysv.OpenSemaphoresID(w.sets[i])
	w.lab.check(err)
	return set
}

func (w *wake) showSemaphore(s *step, what string, i int) {
	value, err := w.semaphoreAt(i).Value(0)
	w.lab.check(err)
	s.show(what, value, "semctl(GETVAL)")
}

const (
	factValue     = "the semaphore while it is held"
	factValueDead = "the semaphore after the death"
)

func (w *wake) semaphore() {
	w.step(plan{
		title: "A System V semaphore", call: "semop(id, {0, -1, 0})   …   kill(A, SIGKILL)",
		why:    "The kernel knows who changed the semaphore last, and does nothing with it. To it a semaphore is a number that anybody may raise, and perhaps somebody will.",
		expect: []expectation{expect(factValue, is, 0), expect(factValueDead, is, 0), expect(factNext, is, gaveUp)},
	}, func(s *step) {
		w.take("sysv")
		w.showSemaphore(s, factValue, 0)
		w.kill()
		w.showSemaphore(s, factValueDead, 0)
		w.next(s, "sysv", deadline)
	})
}

func (w *wake) undo() {
	w.step(plan{
		title: "A System V semaphore, taken with SEM_UNDO", call: "semop(id, {0, -1, SEM_UNDO})   …   kill(A, SIGKILL)",
		why:    "The kernel notes what to take back when the process ends, and does so. B gets in, and is told nothing: 10 are missing, and B does not know.",
		expect: []expectation{expect(factValue, is, 0), expect(factValueDead, is, 1), expect(factNext, is, gotIt), expect(factSumLeft, is, fortune-10)},
	}, func(s *step) {
		w.take("undo")
		w.showSemaphore(s, factValue, 1)
		w.kill()
		w.showSemaphore(s, factValueDead, 1)
		w.next(s, "undo", w.patient)
		w.showSum(s)
	})
}

func (w *wake) showSum(s *step) {
	s.show(factSumLeft, int(w.data.Left+w.data.Right), "both words, loaded by a third process")
}

// state is the word of a lock that says who holds it.
func (w *wake) state() string {
	word := sys.Bytes(reflect.ValueOf(&w.data.Mu).Pointer(), 4)
	return fmt.Sprintf("%08x", binary.NativeEndian.Uint32(word))
}

// lifelines shows how many locks on the memory's file the kernel holds. After a death it may
// take a moment: who looks at a process in /proc just then keeps its memory, and with that
// the file.
func (w *wake) lifelines(s *step, what string, want int) {
	var n int
	for end := sys.MonotonicNow() + slowest; ; {
		text, err := os.ReadFile("/proc/locks")
		if errors.Is(err, os.ErrNotExist) {
			s.unseen(what, "there is no /proc/locks here", "/proc/locks")
			return
		}
		w.lab.check(err)
		n = w.countLocks(string(text))
		if n == want || sys.MonotonicNow() > end {
			break
		}
		w.lab.check(w.lab.ctx.Err())
		time.Sleep(time.Millisecond)
	}
	s.show(what, n, "/proc/locks: OFDLCK, with the inode of the memory")
}

// slowest is how long the kernel is given to cut the lifeline of a dead process.
const slowest = 5 * time.Second

// countLocks counts the locks of open files on the memory's file.
func (w *wake) countLocks(text string) (n int) {
	var st syscall.Stat_t
	w.lab.check(syscall.Fstat(int(w.file.Fd()), &st))
	major, minor := sys.DeviceNumber(st.Dev)
	for line := range strings.Lines(text) {
		if strings.Contains(line, " OFDLCK ") && strings.Contains(line, fmt.Sprintf(" %02x:%02x:%d ", major, minor, st.Ino)) {
			n++
		}
	}
	return n
}

func (w *wake) mutex() {
	w.step(plan{
		title: "pshared.Mutex", call: "lock(&mutex)   …   kill(A, SIGKILL)",
		why: "The word says which member is inside. Each member has a lifeline, a lock on the memory's file, and the kernel gives that back when the process ends, however it ends. B finds A in the word, finds the lifeline cut, takes the lock from A, and is told.",
		expect: []expectation{
			expect(factWord, isNot, "00000000"), expect(factLives, is, 3), expect(factChanged, is, "no"), expect(factDead, is, 2),
			expect(factNext, is, ownerDead), expect(factSumLeft, is, fortune-10),
		},
	}, func(s *step) {
		w.take("mutex")
		before := w.state()
		s.show(factWord, before, fromWord)
		w.lifelines(s, factLives, 3)
		w.kill()
		after := w.state()
		s.show(factWordDead, after, fromWord)
		s.show(factChanged, before != after, "the two")
		w.lifelines(s, factDead, 2)
		w.next(s, "mutex", w.patient)
		w.showSum(s)
	})
}

func (w *wake) repair() {
	w.lab.step(plan{
		who: "B", pids: []int{w.b.Pid()}, title: "B repairs, says so, and unlocks", call: "right = right + 10; make_consistent(&mutex); unlock(&mutex)",
		why:    "What is to be repaired only the program knows; the lock tells it when. After that everything is as if nobody had died.",
		expect: []expectation{expect(factSumLeft, is, fortune), expect("the word", is, "00000000"), expect("B gets, the next time", is, gotIt)},
	}, func(s *step) {
		w.tell("repair mutex")
		w.showSum(s)
		s.show("the word", w.state(), fromWord)
		w.again(s, "B gets, the next time", "mutex")
	})
}

func (w *wake) unrepaired() {
	w.step(plan{
		title: "The same, and B unlocks without having repaired", call: "lock(&mutex)   …   kill(A, SIGKILL)      B: lock(&mutex); unlock(&mutex); lock(&mutex)",
		why: "What the lock guards is not in order, and whoever was told has not said otherwise. From now on nobody gets the lock, until somebody who knows better resets it.",
		expect: []expectation{
			expect(factNext, is, ownerDead), expect("the word after B's unlock", is, "ffffffff"), expect("B gets, the next time", is, lostLock), expect("B gets, after a reset", is, gotIt),
		},
	}, func(s *step) {
		w.take("mutex")
		w.kill()
		w.next(s, "mutex", w.patient)
		w.tell("unlock mutex")
		s.show("the word after B's unlock", w.state(), fromWord)
		w.again(s, "B gets, the next time", "mutex")
		w.tell("reset mutex")
		w.again(s, "B gets, after a reset", "mutex")
	})
}

func (w *wake) reader() {
	w.step(plan{
		title: "pshared.RWMutex: a reader dies", call: "read_lock(&rw)   …   kill(A, SIGKILL)      B: write_lock(&rw)",
		why:    "A reader changes nothing, so there is nothing to tell. Each reader is counted in its own record, and the record of a dead member counts for nothing.",
		expect: []expectation{expect(factNext, is, gotIt), expect(factSumLeft, is, fortune)},
	}, func(s *step) {
		w.take("read")
		w.kill()
		w.next(s, "write", w.patient)
		w.showSum(s)
		w.tell("unlock write")
	})
}

func (w *wake) writer() {
	w.step(plan{
		title: "pshared.RWMutex: a writer dies", call: "write_lock(&rw)   …   kill(A, SIGKILL)      B: read_lock(&rw); write_lock(&rw)",
		why:    "A reader that came in would see what is half changed, and could not repair it. It is told, without the lock. Who can repair takes it for writing; then readers come in again.",
		expect: []expectation{expect(factNext, is, writerRIP), expect("B gets, for writing", is, ownerDead), expect(factSumLeft, is, fortune), expect("B gets, for reading", is, gotIt)},
	}, func(s *step) {
		w.take("write")
		w.kill()
		if w.next(s, "read", w.patient) == gotIt {
			w.tell("unlock read")
		}
		s.show("B gets, for writing", w.ask("write", w.patient).Got, "what B's call returned")
		w.tell("repair write")
		w.showSum(s)
		w.again(s, "B gets, for reading", "read")
	})
}

// got is what a call of a lock gave, in words.
func got(err error) (string, error) {
	switch {
	case err == nil:
		return gotIt, nil
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, syscall.ETIMEDOUT):
		return gaveUp, nil
	case errors.Is(err, pshared.ErrWriterDead):
		return writerRIP, nil
	case errors.Is(err, pshared.ErrOwnerDead):
		return ownerDead, nil
	case errors.Is(err, pshared.ErrNotRecoverable):
		return lostLock, nil
	}
	return "", err
}
