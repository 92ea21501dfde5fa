// Writer puts the lines you type into a System V segment, one at a time, where
// the program in examples/reader takes them out. Start both, in any order:
//
//	go run ./examples/reader
//	go run ./examples/writer
//
// This is the bare mechanism, for one reader; shmkit write and read do more.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/shmkit/shmkit/sysv"
)

const (
	key  = sysv.Key(0x5eed01) // shared with the reader
	size = 4096

	// A new set is all 0, which is right: nothing needs a second step.
	full    = 0 // 1: a line is in the box
	lock    = 1 // 1: a writer uses the box
	writers = 2 // how many are there
	news    = 3 // for the reader to look at: lines, and writers that ended
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := write(ctx); err != nil {
		log.Fatal(err)
	}
}

func write(ctx context.Context) error {
	seg, err := sysv.OpenOrCreate(key, size, 0o600)
	if err != nil {
		return err
	}
	sem, err := sysv.OpenOrCreateSemaphores(key, 4, 0o600)
	if err != nil {
		return err
	}
	m, err := seg.Attach(nil)
	if err != nil {
		return err
	}
	defer m.Close()
	// When we end, however we end, the kernel undoes this: writers - 1, news + 1.
	if err := sem.Op(ctx, sysv.Post(writers).Undo(), sysv.Post(news), sysv.Wait(news).Undo()); err != nil {
		return err
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		// Wait for an empty box and take the lock, in one atomic step.
		if err := sem.Op(ctx, sysv.Zero(full), sysv.Zero(lock), sysv.Post(lock).Undo()); err != nil {
			return err
		}
		if _, err := m.WriteAt(fmt.Appendf(nil, "%04d%s", len(in.Text()), in.Text()), 0); err != nil {
			return err
		}
		// Say that the box is full and give the lock back, in one step again.
		if err := sem.Op(ctx, sysv.Post(full), sysv.Post(news), sysv.Wait(lock).Undo()); err != nil {
			return err
		}
	}
	return sem.Op(ctx, sysv.Zero(full)) // the reader has taken the last line
}
