package explain

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" {
		// Else each process sleeps a second before it ends, when built with -race.
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	commonRoles["stuck"] = func(a *actor) error {
		if err := a.say("stuck"); err != nil {
			return err
		}
		for {
			time.Sleep(time.Hour) // sleep-ok: it does nothing until it is killed
		}
	}
	Main()
	started = testenv.Started
	testenv.Main(m, map[string]testenv.Role{
		"run":  runs,
		"hang": hangs,
		"stuck": func([]string) error {
			e := lazy()
			e.run = func(x *lab) {
				c := x.start("A", "stuck", nil)
				_, err := c.hear()
				x.check(err)
				x.check(testenv.Say("%d", c.Pid()))
				_, err = testenv.Hear()
				x.check(err)
			}
			_, err := Run(context.Background(), e, nil)
			return err
		},
	})
}

// runs does an experiment, as another process and perhaps another user, and says what
// came of it.
func runs(args []string) error {
	e, _ := Find(args[0])
	r, err := Run(context.Background(), e, nil)
	if err != nil {
		return err
	}
	if !r.Agree {
		return testenv.Say("disagrees: %q", describe(r))
	}
	return testenv.Say("agrees")
}

// hangs does an experiment, tells of each step before it does it, and goes on when it is
// told to.
func hangs(args []string) error {
	e, _ := Find(args[0])
	_, err := Run(context.Background(), e, &Options{Before: func(s *Step) error {
		if err := testenv.Say("%d", s.PID); err != nil {
			return err
		}
		_, err := testenv.Hear()
		return err
	}})
	return err
}
