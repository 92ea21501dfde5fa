package model

import (
	"errors"
	"io"

	"github.com/shmkit/shmkit/internal/testenv"
)

// kernel is package live, which plays scripts. It imports this package, so the tests in
// here cannot import it: main_test.go, which is outside, hands it in.
var kernel LiveKernel

const (
	fdNames   = 10           // live.FDNames
	lockLimit = 4 * PageSize // live.LockLimit
)

// SetLive hands in package live.
func SetLive(k LiveKernel) {
	if k.FDNames != fdNames || k.LockLimit != lockLimit {
		panic("package live has other numbers than its tests")
	}
	kernel = k
}

// LiveKernel is what the tests need of package live.
type LiveKernel struct {
	NewCast            func() LiveCast
	LimitsNow          func() (Limits, error)
	UserOf             func(pid int) (User, error)
	InUserNamespace    func() (bool, error)
	ProbeZeroPage      []string
	HasZeroPage        func(LiveAnswer) bool
	FDNames, LockLimit int
}

// A LiveCast is live.Cast.
type LiveCast interface {
	Enter(name string, p LiveProcess)
	Forget()
	Do(Op) (LiveAnswer, error)
	Ask(verb string, op Op) (string, error)
	Segments() (string, error)
}

// A LiveProcess is live.Process.
type LiveProcess interface {
	Pid() int
	Ask(line string) (string, error)
}

// A LiveAnswer is live.Answer.
type LiveAnswer struct {
	Outcome, Maps, Table string
	ID                   int
}

// An asker is a process of testenv that plays. That it dies is its answer "", and for the
// test to judge.
type asker struct{ *testenv.Proc }

func (a asker) Ask(line string) (string, error) {
	a.Send(line)
	answer, err := a.ReadLine()
	if errors.Is(err, io.EOF) {
		return "", io.ErrUnexpectedEOF
	}
	return answer, err
}
