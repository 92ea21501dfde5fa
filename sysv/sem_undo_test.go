package sysv_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestKilledProcessIsUndone(t *testing.T) {
	s := newSemaphores(t, 3)
	succeeds(t, s.SetValues([]int{3, 3, 3}))
	a := startAgent(t, nil)
	a.must("sem-op %d 0:-1u 1:2u 2:-1", s.ID())
	a.must("sem-op %d 0:-2u", s.ID())
	hasValues(t, s, 0, 5, 2)
	a.Kill()
	eventuallyValues(t, s, 3, 3, 2) // what was not to be undone stays
}

func TestEndedProcessIsUndone(t *testing.T) {
	s := newSemaphores(t, 1)
	a := startAgent(t, nil)
	a.must("sem-op %d 0:4u", s.ID())
	hasValues(t, s, 4)
	a.CloseStdin()
	succeeds(t, a.Wait())
	eventuallyValues(t, s, 0)
}

func TestUndoLetsWaitersGoOn(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.SetValue(0, 1))
	a := startAgent(t, nil)
	a.must("sem-op %d 0:-1u", s.ID())
	down := start(func() error { return s.Op(background, sysv.Wait(0)) })
	eventuallyWaiting(t, s, 0, 1)
	a.Kill()
	succeeds(t, result(t, down))
}

func TestUndoIsAnOperationOfTheProcess(t *testing.T) {
	begin := time.Now()
	s := newSemaphores(t, 1)
	a := startAgent(t, nil)
	a.must("sem-op %d 0:1u", s.ID())
	succeeds(t, s.Op(background, sysv.Post(0)))
	a.Kill()
	eventuallyValues(t, s, 1)
	if pid, err := s.LastPID(0); pid != a.Pid() || err != nil {
		t.Errorf("last process %d, %v; expected %d", pid, err, a.Pid())
	}
	info, err := s.Stat()
	succeeds(t, err)
	isRecent(t, "operation time", info.OpTime, begin)
}

func TestUndoAddsUp(t *testing.T) {
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValues([]int{5, 5}))
	a := startAgent(t, nil)
	a.must("sem-op %d 0:-1u", s.ID())
	a.must("sem-op %d 0:1u", s.ID())            // in balance: nothing to undo
	a.must("sem-op %d 1:-1u 1:-1u 1:1", s.ID()) // 1 of 3 is not to be undone
	hasValues(t, s, 5, 4)
	a.Kill()
	eventuallyValues(t, s, 5, 6)
}

func TestUndoStopsAtTheEndsOfTheRange(t *testing.T) {
	s := newSemaphores(t, 3)
	succeeds(t, s.SetValues([]int{0, 2, 2}))
	a := startAgent(t, nil)
	a.must("sem-op %d 0:5u 1:-2u 2:-1u", s.ID())
	succeeds(t, s.Op(background, sysv.Add(0, -3)))                       // 2 left to take 5 back from
	succeeds(t, s.Op(background, sysv.Add(1, sysv.MaxSemaphoreValue-1))) // room for 1, 2 to be given back
	a.Kill()
	eventuallyValues(t, s, 0, sysv.MaxSemaphoreValue, 2)
}

func TestUndoHasARange(t *testing.T) {
	s := newSemaphores(t, 2)
	a := startAgent(t, nil) // what this process has to undo would outlive the test
	a.must("sem-op %d 0:32767u 1:1", s.ID())
	a.must("sem-op %d 0:-32767", s.ID())
	a.must("sem-op %d 0:1u", s.ID()) // -32768 to be undone is the most
	_, err := a.do("sem-try %d 1:-1 0:1u", s.ID())
	failsWith(t, err, syscall.ERANGE)
	says(t, err, "to be undone")
	hasValues(t, s, 1, 1)
}

func TestSetValueForgetsWhatIsToBeUndone(t *testing.T) {
	s := newSemaphores(t, 2)
	a := startAgent(t, nil)
	a.must("sem-op %d 0:3u 1:3u", s.ID())
	succeeds(t, s.SetValue(0, 3))
	a.Kill()
	eventuallyValues(t, s, 3, 0) // of that one semaphore
}

func TestSetValuesForgetsWhatIsToBeUndone(t *testing.T) {
	s := newSemaphores(t, 3)
	a := startAgent(t, nil)
	a.must("sem-op %d 0:3u 1:3u", s.ID())
	succeeds(t, s.SetValues([]int{3, 3, 0}))
	a.must("sem-op %d 2:1u", s.ID()) // shows when the process has been undone
	a.Kill()
	eventuallyValues(t, s, 3, 3, 0)
}

func TestRemovedSetIsNotUndone(t *testing.T) {
	s := newSemaphores(t, 1)
	a := startAgent(t, nil)
	a.must("sem-op %d 0:3u", s.ID())
	succeeds(t, s.Remove())
	again, err := sysv.CreateSemaphores(s.Key(), 1, 0o600)
	succeeds(t, err)
	succeeds(t, again.SetValue(0, 5))
	a.Kill()
	hasValues(t, again, 5)
}

func TestExecKeepsWhatIsToBeUndone(t *testing.T) {
	cat := testenv.RequireTool(t, "cat")
	s := newSemaphores(t, 1)
	a := startAgent(t, nil)
	a.must("sem-op %d 0:1u", s.ID())
	a.Send("exec " + cat)
	testenv.Eventually(t, "the process has become cat", func() bool {
		comm, err := os.ReadFile("/proc/" + strconv.Itoa(a.Pid()) + "/comm")
		return err == nil && string(comm) == "cat\n"
	})
	a.Send("another program") // no earlier, or the first program would read it
	a.Expect("another program")
	hasValues(t, s, 1)
	a.CloseStdin()
	succeeds(t, a.Wait())
	eventuallyValues(t, s, 0)
}

func TestChildInheritsNothingToUndo(t *testing.T) {
	program := testenv.RequireTool(t, "true")
	s := newSemaphores(t, 1)
	a := startAgent(t, nil)
	a.must("sem-op %d 0:1u", s.ID())
	a.must("run %s", program) // and its end undoes nothing
	hasValues(t, s, 1)
	a.Kill()
	eventuallyValues(t, s, 0)
}

func TestUndoBelongsToTheProcessNotToTheThread(t *testing.T) {
	s := newSemaphores(t, 1)
	tids := make(chan int)
	var post func()
	post = func() {
		runtime.LockOSThread() // not unlocked, so that the thread ends with the goroutine
		if sys.Gettid() == os.Getpid() {
			defer runtime.UnlockOSThread()
			posted := make(chan struct{}) // the first thread would not end, and so another must
			go func() { post(); close(posted) }()
			<-posted
			return
		}
		if err := s.Op(background, sysv.Post(0).Undo()); err != nil {
			t.Error(err)
		}
		tids <- sys.Gettid()
	}
	go post()
	tid := <-tids
	testenv.Eventually(t, "the thread ends", func() bool {
		_, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid))
		return os.IsNotExist(err)
	})
	hasValues(t, s, 1)
	succeeds(t, s.Op(background, sysv.Wait(0).Undo())) // leave nothing to undo
}

func TestTwoProcessesTakeTurns(t *testing.T) {
	const each = 500
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(0, 1))
	one, two := startAgent(t, nil), startAgent(t, nil)
	one.begin("sem-count %d %d", s.ID(), each)
	two.begin("sem-count %d %d", s.ID(), each)
	for _, a := range []*agent{one, two} {
		_, err := a.end()
		succeeds(t, err)
	}
	hasValues(t, s, 1, 2*each)
}

// Holders are killed at random moments, again and again. Tokens are free
// (semaphore 0) or held (semaphore 1), and their sum is the same at every moment
// at which anybody looks; in the end all are free.
func TestKilledHoldersLoseNoToken(t *testing.T) {
	const tokens, holders = 3, 4
	s := newSemaphores(t, 2)
	succeeds(t, s.SetValue(0, tokens))
	var agents [holders]*agent
	hire := func(i int) {
		agents[i] = startAgent(t, nil)
		agents[i].begin("sem-churn %d", s.ID())
	}
	for i := range agents {
		hire(i)
	}
	looks := 0
	for range rounds(60) {
		i := rand.IntN(holders)
		for range rand.IntN(200) {
			v, err := s.Values()
			succeeds(t, err)
			if v[0]+v[1] != tokens {
				t.Fatalf("%d tokens free and %d held, expected %d together", v[0], v[1], tokens)
			}
			looks++
		}
		agents[i].Kill()
		hire(i)
	}
	for _, a := range agents {
		a.Kill()
	}
	eventuallyValues(t, s, tokens, 0)
	t.Log("looked " + strconv.Itoa(looks) + " times")
}
