package model_test

import (
	"os"
	"testing"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	model.SetLive(model.LiveKernel{
		NewCast:   func() model.LiveCast { return cast{live.NewCast()} },
		LimitsNow: live.LimitsNow, UserOf: live.UserOf, InUserNamespace: live.InUserNamespace,
		ProbeZeroPage: live.ProbeZeroPage,
		HasZeroPage:   func(a model.LiveAnswer) bool { return live.HasZeroPage(live.Answer(a)) },
		FDNames:       live.FDNames, LockLimit: live.LockLimit,
	})
	testenv.Main(m, map[string]testenv.Role{
		"play": func(args []string) error { return live.Play(args[0], os.Stdin, os.Stdout) },
	})
}

// A cast is live.Cast in the types of the tests.
type cast struct{ *live.Cast }

func (c cast) Enter(name string, p model.LiveProcess) { c.Cast.Enter(name, p) }

func (c cast) Do(op model.Op) (model.LiveAnswer, error) {
	a, err := c.Cast.Do(op)
	return model.LiveAnswer(a), err
}
