package pshared_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/shmkit/shmkit/pshared"
)

// prices is a struct of the caller's own, with a lock in it.
type prices struct {
	RW       pshared.RWMutexWord
	_        [48]byte // the lock's cache line is its own
	Bid, Ask float64
}

// setPrices is what a writer does. Who finds that the one before died half way makes it whole,
// here by writing all of it.
func setPrices(ctx context.Context, s *pshared.Shared[prices], bid, ask float64) error {
	p, rw := s.Data(), s.RWMutex(&s.Data().RW)
	err := rw.Lock(ctx)
	died := errors.Is(err, pshared.ErrOwnerDead)
	if err != nil && !died {
		return err
	}
	p.Bid, p.Ask = bid, ask
	if died {
		if err := rw.MakeConsistent(); err != nil {
			return err
		}
	}
	return rw.Unlock()
}

func ExampleRWMutex() {
	s, err := pshared.Open[prices]("example-prices", nil) // in any number of processes
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if err := setPrices(ctx, s, 99.5, 100.5); err != nil {
		log.Fatal(err)
	}

	rw := s.RWMutex(&s.Data().RW)
	switch err := rw.RLock(ctx); {
	case errors.Is(err, pshared.ErrWriterDead): // this process does not hold the lock
		fmt.Println("no prices: a writer died, and the next has not come yet")
	case err != nil:
		log.Fatal(err)
	default:
		fmt.Println(s.Data().Bid, s.Data().Ask)
		if err := rw.RUnlock(); err != nil {
			log.Fatal(err)
		}
	}
	// Output: 99.5 100.5
}
