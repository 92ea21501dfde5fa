package sysv_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// An agent is another process that does with semaphore sets and message queues
// what the test tells it to, one line at a time, as whoever it was started as.
type agent struct {
	*testenv.Proc
	t testing.TB
}

func startAgent(t testing.TB, opts *testenv.StartOptions) *agent {
	t.Helper()
	return &agent{testenv.StartWith(t, opts, "ipc-agent"), t}
}

// asNobody starts an agent that runs as an unprivileged user.
func asNobody(t testing.TB) *agent {
	t.Helper()
	return startAgent(t, &testenv.StartOptions{Credential: testenv.Nobody(t)})
}

// do tells the agent to do something and returns what it answers. Of an error
// come over: the text, the errno, and whether the context's deadline passed.
func (a *agent) do(format string, args ...any) (string, error) {
	a.t.Helper()
	a.begin(format, args...)
	return a.end()
}

// begin is the first half of do, for what blocks.
func (a *agent) begin(format string, args ...any) {
	a.t.Helper()
	a.Send(fmt.Sprintf(format, args...))
}

func (a *agent) end() (string, error) {
	a.t.Helper()
	line, err := a.ReadLine()
	if err != nil {
		a.t.Fatalf("the agent is gone: %v\n%s", err, a.Stderr())
	}
	kind, rest, _ := strings.Cut(line, " ")
	if kind == "ok" {
		return rest, nil
	}
	number, text, _ := strings.Cut(rest, " ")
	errno, err := strconv.Atoi(number)
	succeeds(a.t, err)
	return "", &agentError{syscall.Errno(errno), text}
}

// must is do for what succeeds.
func (a *agent) must(format string, args ...any) string {
	a.t.Helper()
	answer, err := a.do(format, args...)
	succeeds(a.t, err)
	return answer
}

type agentError struct {
	errno syscall.Errno
	text  string
}

func (e *agentError) Error() string { return e.text }
func (e *agentError) Unwrap() error { return e.errno }

// agentRole is the agent's process.
func agentRole([]string) error {
	for {
		line, err := testenv.Hear()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		words := strings.Fields(line)
		do, ok := agentVerbs[words[0]]
		if !ok {
			return fmt.Errorf("no verb %q", words[0])
		}
		answer, err := do(words[1:])
		if err == nil {
			err = testenv.Say("ok %s", answer)
		} else {
			var errno syscall.Errno
			if !errors.As(err, &errno) && errors.Is(err, syscall.EINVAL) { // "no such identifier"
				errno = syscall.EINVAL
			}
			err = testenv.Say("error %d %v", errno, err)
		}
		if err != nil {
			return err
		}
	}
}

// agentVerbs are what an agent can do. The first word after a verb is the id of
// the set or queue, or the key where there is no id yet.
var agentVerbs = map[string]func(args []string) (string, error){
	"sem-create": withKey(func(key sysv.Key, args []string) (string, error) {
		s, err := sysv.CreateSemaphores(key, number(args[0]), 0o600)
		return idOf(s, err)
	}),
	"sem-open": withKey(func(key sysv.Key, args []string) (string, error) {
		s, err := sysv.GetSemaphores(key, 0, &sysv.GetOptions{Mode: fs.FileMode(number(args[0]))})
		return idOf(s, err)
	}),
	"sem-op": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		return "", s.Op(background, parseOps(args)...)
	}),
	"sem-try": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		return "", s.TryOp(parseOps(args)...)
	}),
	"sem-value": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		v, err := s.Value(number(args[0]))
		return strconv.Itoa(v), err
	}),
	"sem-values": withSet(func(s *sysv.SemaphoreSet, _ []string) (string, error) {
		v, err := s.Values()
		return fmt.Sprint(v), err
	}),
	"sem-set": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		return "", s.SetValue(number(args[0]), number(args[1]))
	}),
	"sem-set-all": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		return "", s.SetValues(numbers(args))
	}),
	"sem-pid": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		pid, err := s.LastPID(number(args[0]))
		return strconv.Itoa(pid), err
	}),
	"sem-waiting": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		n, err := s.Waiting(number(args[0]))
		return strconv.Itoa(n), err
	}),
	"sem-zero-waiting": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		n, err := s.WaitingForZero(number(args[0]))
		return strconv.Itoa(n), err
	}),
	"sem-stat": withSet(func(s *sysv.SemaphoreSet, _ []string) (string, error) {
		_, err := s.Stat()
		return "", err
	}),
	"sem-mode": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		return "", s.SetMode(fs.FileMode(number(args[0])))
	}),
	"sem-owner": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		return "", s.SetOwner(number(args[0]), number(args[1]))
	}),
	"sem-remove": withSet(func(s *sysv.SemaphoreSet, _ []string) (string, error) { return "", s.Remove() }),
	"sem-listed": withSet(func(s *sysv.SemaphoreSet, _ []string) (string, error) {
		all, err := sysv.SemaphoreSets()
		for _, i := range all {
			if i.ID == s.ID() {
				return fmt.Sprintf("%v %d %#o", i.Key, i.Count, i.Mode), err
			}
		}
		return "no", err
	}),
	"sem-limits": func([]string) (string, error) {
		l, err := sysv.ReadSemaphoreLimits()
		return fmt.Sprintf("%+v", l), err
	},
	// sem-churn takes a token and gives it back until it is killed.
	"sem-churn": withSet(func(s *sysv.SemaphoreSet, _ []string) (string, error) {
		for {
			if err := s.Op(background, sysv.Wait(0).Undo(), sysv.Post(1).Undo()); err != nil {
				return "", err
			}
			if err := s.Op(background, sysv.Wait(1).Undo(), sysv.Post(0).Undo()); err != nil {
				return "", err
			}
		}
	}),
	// sem-count takes and gives back a token, and counts on semaphore 1, N times.
	"sem-count": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		for range number(args[0]) {
			if err := s.Op(background, sysv.Wait(0).Undo()); err != nil {
				return "", err
			}
			if err := s.Op(background, sysv.Post(1), sysv.Post(0).Undo()); err != nil {
				return "", err
			}
		}
		return "", nil
	}),
	// sem-echo answers a post of semaphore 0 by one of semaphore 1, N times.
	"sem-echo": withSet(func(s *sysv.SemaphoreSet, args []string) (string, error) {
		for range number(args[0]) {
			if err := s.Op(background, sysv.Wait(0)); err != nil {
				return "", err
			}
			if err := s.Op(background, sysv.Post(1)); err != nil {
				return "", err
			}
		}
		return "", nil
	}),

	"msg-create": withKey(func(key sysv.Key, _ []string) (string, error) {
		q, err := sysv.CreateQueue(key, 0o600)
		return idOf(q, err)
	}),
	"msg-open": withKey(func(key sysv.Key, args []string) (string, error) {
		q, err := sysv.GetQueue(key, &sysv.GetOptions{Mode: fs.FileMode(number(args[0]))})
		return idOf(q, err)
	}),
	"msg-send": withAgentQueue(func(q *sysv.MessageQueue, args []string) (string, error) {
		return "", q.Send(background, int64(number(args[0])), []byte(args[1]))
	}),
	"msg-try-send": withAgentQueue(func(q *sysv.MessageQueue, args []string) (string, error) {
		return "", q.TrySend(int64(number(args[0])), []byte(args[1]))
	}),
	"msg-receive": withAgentQueue(func(q *sysv.MessageQueue, _ []string) (string, error) {
		return received(q.Receive(background, sysv.Any(), receiveBuffer[:]))
	}),
	"msg-try-receive": withAgentQueue(func(q *sysv.MessageQueue, _ []string) (string, error) {
		return received(q.TryReceive(sysv.Any(), receiveBuffer[:]))
	}),
	"msg-peek": withAgentQueue(func(q *sysv.MessageQueue, _ []string) (string, error) {
		return received(q.Peek(0, false, receiveBuffer[:]))
	}),
	"msg-stat": withAgentQueue(func(q *sysv.MessageQueue, _ []string) (string, error) {
		_, err := q.Stat()
		return "", err
	}),
	"msg-mode": withAgentQueue(func(q *sysv.MessageQueue, args []string) (string, error) {
		return "", q.SetMode(fs.FileMode(number(args[0])))
	}),
	"msg-owner": withAgentQueue(func(q *sysv.MessageQueue, args []string) (string, error) {
		return "", q.SetOwner(number(args[0]), number(args[1]))
	}),
	"msg-capacity": withAgentQueue(func(q *sysv.MessageQueue, args []string) (string, error) {
		return "", q.SetCapacity(uint64(number(args[0])))
	}),
	"msg-remove": withAgentQueue(func(q *sysv.MessageQueue, _ []string) (string, error) { return "", q.Remove() }),
	"msg-listed": withAgentQueue(func(q *sysv.MessageQueue, _ []string) (string, error) {
		all, err := sysv.MessageQueues()
		for _, i := range all {
			if i.ID == q.ID() {
				return fmt.Sprintf("%v %d %#o", i.Key, i.Messages, i.Mode), err
			}
		}
		return "no", err
	}),
	"msg-limits": func([]string) (string, error) {
		l, err := sysv.ReadQueueLimits()
		return fmt.Sprintf("%+v", l), err
	},

	// run starts a program as a child and waits for its end.
	"run": func(args []string) (string, error) { return "", exec.Command(args[0], args[1:]...).Run() },
	// exec becomes another program.
	"exec": func(args []string) (string, error) { return "", syscall.Exec(args[0], args, os.Environ()) },
	// unshare moves the thread that hears the commands to a new IPC namespace.
	"unshare": func([]string) (string, error) {
		runtime.LockOSThread()
		return "", syscall.Unshare(syscall.CLONE_NEWIPC)
	},
}

// receiveBuffer is where an agent, which does one thing at a time, receives.
var receiveBuffer [64]byte

func received(typ int64, n int, err error) (string, error) {
	return fmt.Sprintf("%d %q", typ, receiveBuffer[:n]), err
}

func withKey(do func(sysv.Key, []string) (string, error)) func([]string) (string, error) {
	return func(args []string) (string, error) { return do(sysv.Key(number(args[0])), args[1:]) }
}

func withSet(do func(*sysv.SemaphoreSet, []string) (string, error)) func([]string) (string, error) {
	return func(args []string) (string, error) {
		s, err := sysv.OpenSemaphoresID(number(args[0]))
		if err != nil {
			return "", err
		}
		return do(s, args[1:])
	}
}

func withAgentQueue(do func(*sysv.MessageQueue, []string) (string, error)) func([]string) (string, error) {
	return func(args []string) (string, error) {
		q, err := sysv.OpenQueueID(number(args[0]))
		if err != nil {
			return "", err
		}
		return do(q, args[1:])
	}
}

func idOf[T interface{ ID() int }](object T, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return strconv.Itoa(object.ID()), nil
}

// parseOps reads operations written as INDEX:DELTA, with a u behind for undo.
func parseOps(args []string) []sysv.Op {
	ops := make([]sysv.Op, len(args))
	for i, arg := range args {
		text, undo := strings.CutSuffix(arg, "u")
		index, delta, _ := strings.Cut(text, ":")
		ops[i] = sysv.Add(number(index), number(delta))
		if undo {
			ops[i] = ops[i].Undo()
		}
	}
	return ops
}

// number reads what a test wrote; the agent ends if that is no number.
func number(text string) int {
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		panic(err)
	}
	return int(n)
}

func numbers(texts []string) []int {
	all := make([]int, len(texts))
	for i, text := range texts {
		all[i] = number(text)
	}
	return all
}
