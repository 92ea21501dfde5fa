package sysv_test

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// cancelIgnoringSignals waits on a semaphore until its input ends, in a program
// that ignores every signal.
func cancelIgnoringSignals([]string) error {
	signal.Ignore()
	set, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = testenv.Hear() // waits for the end of the input
		cancel()
	}()
	if err := testenv.Say("%d", set.ID()); err != nil {
		return errors.Join(err, set.Remove())
	}
	err = set.Op(ctx, sysv.Wait(0))
	if !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("Op answered %w", err)
	} else {
		err = nil
	}
	return errors.Join(err, set.Remove())
}

func TestCancellingWorksInAProgramThatIgnoresSignals(t *testing.T) {
	p := testenv.Start(t, "ignores-signals")
	line, err := p.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	var id int
	if _, err := fmt.Sscan(line, &id); err != nil {
		t.Fatal(err)
	}
	set, err := sysv.OpenSemaphoresID(id)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "it waits", func() bool {
		n, err := set.Waiting(0)
		return err == nil && n == 1
	})
	p.CloseStdin()
	if err := p.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.Stderr())
	}
}
