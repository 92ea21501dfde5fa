// Parentchild: a parent makes a private segment and two semaphores, starts a child
// that finds them by their numbers, and the two talk through the memory.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/shmkit/shmkit/sysv"
)

// Semaphore 0: the parent's question is in the segment. Semaphore 1: the answer is.
const question, answer = 0, 1

func main() {
	run := parent
	if len(os.Args) > 1 {
		run = child
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func parent() (err error) {
	seg, err := sysv.Create(sysv.Private, 4096, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, seg.Remove()) }()
	sem, err := sysv.CreateSemaphores(sysv.Private, 2, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sem.Remove()) }()
	m, err := seg.Attach(nil)
	if err != nil {
		return err
	}
	defer m.Close()
	cmd := exec.Command("/proc/self/exe", fmt.Sprint(seg.ID(), " ", sem.ID()))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	text := []byte("6 times 7?")
	_, err = m.WriteAt(text, 0)
	// A child that has died does not answer: wait for its end, then look.
	if err := errors.Join(err, sem.TryOp(sysv.Post(question)), cmd.Wait(), sem.TryOp(sysv.Wait(answer))); err != nil {
		return err
	}
	_, err = m.ReadAt(text[:2], 0)
	fmt.Printf("parent %d read: %s\n", os.Getpid(), text[:2])
	return err
}

func child() error {
	var segID, semID int
	_, err := fmt.Sscan(os.Args[1], &segID, &semID)
	seg, segErr := sysv.OpenID(segID)
	sem, semErr := sysv.OpenSemaphoresID(semID)
	if err := errors.Join(err, segErr, semErr); err != nil {
		return err
	}
	m, err := seg.Attach(nil) // until this process ends
	if err := errors.Join(err, sem.Op(context.Background(), sysv.Wait(question))); err != nil {
		return err
	}
	text := make([]byte, 10)
	_, err = m.ReadAt(text, 0)
	fmt.Printf("child  %d read: %s\n", os.Getpid(), text)
	_, werr := m.WriteAt([]byte("42"), 0)
	return errors.Join(err, werr, sem.TryOp(sysv.Post(answer)))
}
