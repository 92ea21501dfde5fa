package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/shmkit/shmkit/queue"
)

func Example() {
	// A directory of its own, so that the example meets nobody.
	dir, err := os.MkdirTemp("", "queue")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	type Job struct{ Width, Height int32 }
	ctx := context.Background()
	q, err := queue.Open[Job]("resize", &queue.Options{Dir: dir, Deliveries: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	for _, job := range []Job{{640, 480}, {0, 0}, {800, 600}} {
		if err := q.Push(ctx, &job); err != nil {
			log.Fatal(err)
		}
	}

	// What follows would be another process.
	for {
		item, err := q.TryPop()
		if errors.Is(err, queue.ErrEmpty) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		job := item.Data()
		fmt.Printf("%dx%d, delivered %d times\n", job.Width, job.Height, item.Deliveries())
		if job.Width == 0 {
			err = item.Retry()
		} else {
			err = item.Done()
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	letter, err := q.PopDead()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("dead letter %d: %+v\n", letter.Sequence(), *letter.Data())
	if err := letter.Done(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 640x480, delivered 1 times
	// 0x0, delivered 1 times
	// 0x0, delivered 2 times
	// 800x600, delivered 1 times
	// dead letter 2: {Width:0 Height:0}
}

func ExampleBytes_Loan() {
	dir, err := os.MkdirTemp("", "queue")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	q, err := queue.OpenBytes("lines", &queue.Options{Dir: dir, MaxItem: 80})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	loan, err := q.TryLoan()
	if err != nil {
		log.Fatal(err)
	}
	n := copy(loan.Data(), "written in place")
	if err := loan.Push(n); err != nil {
		log.Fatal(err)
	}

	item, err := q.TryPop()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", item.Data())
	if err := item.Done(); err != nil {
		log.Fatal(err)
	}
	// Output: written in place
}
