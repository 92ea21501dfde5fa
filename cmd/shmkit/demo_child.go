package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

// The words parent and child work on, and the semaphores they take turns with.
const (
	childWords  = 1 << 17 // 1 MiB
	childTurn   = 0
	parentTurn  = 1
	childFactor = 3
)

// parentAndChild is the third step: the parent makes memory without a name and
// hands it to a child it starts.
func (d *demo) parentAndChild(ctx context.Context) (err error) {
	d.title("3. Parent and child")
	seg, err := sysv.Create(sysv.Private, childWords*8, 0o600)
	if err != nil {
		return err
	}
	m, err := seg.Attach(nil)
	// Marked for removal now, it can still be attached by its id, and goes with
	// the last process that uses it, however that ends.
	if err = errors.Join(err, seg.Remove()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	sem, err := sysv.CreateSemaphores(sysv.Private, 2, 0o600)
	if err != nil {
		return err
	}
	d.sets[sem.ID()] = true
	defer func() { err = errors.Join(err, ignoreNotExist(sem.Remove())) }()
	words, err := shmkit.ViewSlice[atomic.Uint64](m, 0, childWords)
	if err != nil {
		return err
	}
	defer words.Close()

	child, err := d.start(ctx, "demo-child", strconv.Itoa(seg.ID()), strconv.Itoa(sem.ID()))
	if err != nil {
		return err
	}
	defer child.stop()
	d.say("The parent, process %d, made a segment without a name, %s, and told the child its number.", os.Getpid(), seg)
	for i := range words.Data() {
		words.Data()[i].Store(uint64(i))
	}
	d.say("It writes the numbers 0 to %d and says: your turn.", childWords-1)
	if err := d.turn(ctx, sem, child); err != nil {
		return err
	}
	for i := range words.Data() {
		if got := words.Data()[i].Load(); got != uint64(i)*childFactor {
			return fmt.Errorf("word %d is %d after the child, it should be %d", i, got, i*childFactor)
		}
	}
	d.result.ChildWords = childWords
	d.say("The child multiplied every number by %d in place. The parent sees all %d results: the", childFactor, childWords)
	d.say("same memory, no message sent.")
	return child.wait()
}

// turn gives the child its turn and waits for its own.
func (d *demo) turn(ctx context.Context, sem *sysv.SemaphoreSet, child *process) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-child.done:
			cancel() // a child that died gives nobody a turn
		case <-ctx.Done():
		}
	}()
	if err := sem.Op(ctx, sysv.Post(childTurn)); err != nil {
		return err
	}
	err := sem.Op(ctx, sysv.Wait(parentTurn))
	if err != nil && child.ended() {
		if werr := child.wait(); werr != nil {
			return werr
		}
		// It gave the turn and ended before this was noticed.
		return sem.TryOp(sysv.Wait(parentTurn))
	}
	return err
}

// newDemoChildCommand is what the demo starts as its child.
func newDemoChildCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "demo-child SEGMENT SEMAPHORES",
		Short:  "The child of the demo",
		Hidden: true,
		Args:   exactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			segID, err := strconv.Atoi(args[0])
			if err != nil {
				return usagef("segment %q is no number", args[0])
			}
			semID, err := strconv.Atoi(args[1])
			if err != nil {
				return usagef("semaphore set %q is no number", args[1])
			}
			return demoChild(cmd.Context(), segID, semID)
		},
	}
}

func demoChild(ctx context.Context, segID, semID int) (err error) {
	sem, err := sysv.OpenSemaphoresID(semID)
	if err != nil {
		return err
	}
	// The parent died if we are told to end: then nobody else removes the set.
	defer func() {
		if ctx.Err() != nil {
			err = errors.Join(err, ignoreNotExist(sem.Remove()))
		}
	}()
	seg, err := sysv.OpenID(segID)
	if err != nil {
		return err
	}
	m, err := seg.Attach(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	words, err := shmkit.ViewSlice[atomic.Uint64](m, 0, m.Len()/8)
	if err != nil {
		return err
	}
	defer words.Close()
	if err := sem.Op(ctx, sysv.Wait(childTurn)); err != nil {
		return err
	}
	for i := range words.Data() {
		w := &words.Data()[i]
		w.Store(w.Load() * childFactor)
	}
	return sem.Op(ctx, sysv.Post(parentTurn))
}

func ignoreNotExist(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
