package shmtest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// What is tested: an account whose two sides must agree, whoever is killed when.
type account struct {
	Mu            pshared.MutexWord
	_             [56]byte
	Credit, Debit int64
}

var point = func(name string) {} // TestMain puts shmtest.Point here

// book enters an amount on both sides. Who finds that the one before died half way
// finishes, from the side that is written first.
func book(ctx context.Context, s *pshared.Shared[account], amount int64) error {
	a, mu := s.Data(), s.Mutex(&s.Data().Mu)
	switch err := mu.Lock(ctx); {
	case errors.Is(err, pshared.ErrOwnerDead):
		a.Debit = a.Credit
		point("book:repaired")
		if err := mu.MakeConsistent(); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	point("book:locked")
	a.Credit += amount
	point("book:credited")
	a.Debit += amount
	point("book:debited")
	return mu.Unlock()
}

// The other process. TestMain knows it as the role "booker":
//
//	func TestMain(m *testing.M) {
//		point = shmtest.Point
//		shmtest.Main(m, map[string]shmtest.Role{"booker": booker})
//	}
func booker(args []string) error {
	s, err := pshared.Open[account]("account", &pshared.Options{Dir: args[0]})
	if err != nil {
		return err
	}
	for range 3 {
		if err := book(context.Background(), s, 10); err != nil {
			return err
		}
	}
	return s.Close()
}

// testAccount would be TestAccount. The victim books, and may die anywhere; the test books
// after it, and looks whether the sides agree.
func testAccount(t *testing.T) {
	scene := func(afterDeath bool) func(t *testing.T, victim *shmtest.Victim) {
		return func(t *testing.T, victim *shmtest.Victim) {
			dir := shmtest.Dir(t)
			s, err := pshared.Open[account]("account", &pshared.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if afterDeath {
				<-shmtest.Start(t, "dies booking", dir).Exited()
			}
			<-victim.Start("booker", dir).Exited()
			if err := book(context.Background(), s, 1); err != nil {
				t.Fatal(err)
			}
			if a := s.Data(); a.Credit != a.Debit || a.Credit%10 != 1 {
				t.Errorf("credit %d, debit %d", a.Credit, a.Debit)
			}
		}
	}
	plays := []shmtest.Play{{Name: "alone", Act: scene(false)}, {Name: "after a death", Act: scene(true)}}
	shmtest.KillAtEveryPoint(t, plays, &shmtest.KillOptions{
		Points:   []string{"book:repaired", "book:locked", "book:credited", "book:debited"}, // or PointsIn(t, ".")
		Parallel: true,
	})
}

func Example() {
	// In a test:
	//
	//	func TestAccount(t *testing.T) { testAccount(t) }
	_ = testAccount
}
