package pshared_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/shmkit/shmkit/pshared"
)

// At most three processes at once do what is dear, and one that is killed in the middle of it
// does not take its permit along.
func ExampleSemaphore() {
	dir, err := os.MkdirTemp("/dev/shm", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := pshared.OpenSemaphore("renderers", 3, &pshared.Options{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Acquire(context.Background(), 1); err != nil {
		log.Fatal(err)
	}
	n, err := s.Available()
	fmt.Println(n, "of", s.Permits(), "are free", err)
	if err := s.Release(1); err != nil {
		log.Fatal(err)
	}
	// Output: 2 of 3 are free <nil>
}

// A token stands for a job. Whoever takes one settles it when the job is done; if it dies before,
// another is told, and posts it again.
func ExampleCountingSemaphore() {
	dir, err := os.MkdirTemp("/dev/shm", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	jobs, err := pshared.OpenCountingSemaphore("jobs", &pshared.Options{Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	defer jobs.Close()
	if err := jobs.Post(1); err != nil { // by whoever has one to be done
		log.Fatal(err)
	}
	if err := jobs.Wait(context.Background()); err != nil {
		log.Fatal(err)
	}
	n, err := jobs.Unsettled()
	fmt.Println("at work on", n, err)
	if err := jobs.Settle(1); err != nil {
		log.Fatal(err)
	}
	n, err = jobs.Unsettled()
	fmt.Println("at work on", n, err)
	// Output:
	// at work on 1 <nil>
	// at work on 0 <nil>
}
