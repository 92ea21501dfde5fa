// Readerswriters is the readers/writers problem with processes: three read a record over
// and over while two write it, one of which is killed in the middle of its work.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/shmkit/shmkit/pshared"
)

type record struct {
	Lock           pshared.RWMutexWord
	First, Last    atomic.Int64 // the same, but while a writer is at work
	Reads, Repairs atomic.Int64
}

func main() {
	if len(os.Args) > 2 {
		work(os.Args[1], os.Args[2])
	}
	name := fmt.Sprintf("readerswriters-%d", os.Getpid())
	s, err := pshared.Open[record](name, nil)
	check(err)
	var all []*exec.Cmd
	for _, role := range []string{"writer", "writer", "reader", "reader", "reader"} {
		cmd := exec.Command("/proc/self/exe", name, role)
		cmd.Stderr = os.Stderr
		check(cmd.Start())
		all = append(all, cmd)
	}
	for _, cmd := range all {
		time.Sleep(200 * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	fmt.Printf("%d reads of %d versions, %d repairs; every reader saw a whole record\n",
		s.Data().Reads.Load(), s.Data().Last.Load(), s.Data().Repairs.Load())
	check(s.Close())
}

// work reads or writes until it is killed.
func work(name, role string) {
	s, err := pshared.Open[record](name, &pshared.Options{Existing: true})
	check(err)
	d, lock := s.Data(), s.RWMutex(&s.Data().Lock)
	for role == "reader" {
		if err := lock.RLock(context.Background()); errors.Is(err, pshared.ErrWriterDead) {
			continue // a writer will repair it
		}
		if a, b := d.First.Load(), d.Last.Load(); a != b {
			log.Fatalf("a torn record: %d and %d", a, b)
		}
		d.Reads.Add(1)
		check(lock.RUnlock())
	}
	for {
		if err := lock.Lock(context.Background()); errors.Is(err, pshared.ErrOwnerDead) {
			d.Last.Store(d.First.Load()) // the lock is held; mend what the dead left
			d.Repairs.Add(1)
			check(lock.MakeConsistent())
		}
		d.Last.Store(d.First.Add(1))
		check(lock.Unlock())
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
