package shmtest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func TestMain(m *testing.M) {
	point = shmtest.Point
	shmtest.Main(m, map[string]shmtest.Role{
		"booker": booker, "dies booking": diesBooking, "noter": noter, "counter": counter, "quitter": quitter,
	})
}

func TestTheExample(t *testing.T) { testAccount(t) }

// diesBooking dies holding the lock.
func diesBooking(args []string) error {
	s, err := pshared.Open[account]("account", &pshared.Options{Dir: args[0]})
	if err != nil {
		return err
	}
	if err := s.Mutex(&s.Data().Mu).Lock(context.Background()); err != nil {
		return err
	}
	s.Data().Credit += 10
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// counter comes to a point as often as it is told.
func counter(args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	for i := range n {
		if err := shmtest.Say("%d", i); err != nil {
			return err
		}
		shmtest.Point("counter: said")
	}
	return nil
}

func TestKillsFirstMiddleAndLast(t *testing.T) {
	var said []int
	shmtest.KillAtEveryPoint(t, []shmtest.Play{{Name: "counter", Act: func(t *testing.T, v *shmtest.Victim) {
		p := v.Start("counter", "9")
		n := 0
		for {
			if _, err := p.ReadLine(); err != nil {
				break
			}
			n++
		}
		said = append(said, n)
	}}}, &shmtest.KillOptions{Points: []string{"counter: said"}, Times: 3})
	if !slices.Equal(said, []int{9, 1, 5, 9}) {
		t.Errorf("it said %v lines", said)
	}
}

func TestAPointCostsNothingWithoutAVictim(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { shmtest.Point("x") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPoint(b *testing.B) {
	for b.Loop() {
		shmtest.Point("x")
	}
}

func TestPointsAreFoundInTheSource(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.go":      "package a\nfunc f() { point(\"b:c\"); shmtest.Point(\"a\"); point(x); pointed(\"no\"); point(\"a\", 1) }\n",
		"a_test.go": "package a\nfunc g() { point(\"test\") }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := shmtest.PointsIn(t, dir); !slices.Equal(got, []string{"a", "b:c"}) {
		t.Errorf("%q", got)
	}
}

// noter notes numbers until it is dismissed, or killed.
func noter(args []string) error {
	page, err := shmtest.OpenLedger(args[0], args[1])
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		if err := page.Note("said %d", n); err != nil {
			return err
		}
		select {
		case <-shmtest.Dismissed():
			return page.Close()
		default:
		}
	}
}

func TestALedgerOutlivesItsWriters(t *testing.T) {
	shmtest.NoLeaks(t)
	l := shmtest.NewLedger(t)
	killed := shmtest.RandomKills(t, &shmtest.RandomOptions{Living: 3, Kills: 10, Ledger: l}, func(n int) *shmtest.Proc {
		return shmtest.Start(t, "noter", l.Path(), fmt.Sprint(n))
	})
	if len(killed) != 10 {
		t.Errorf("%d were killed", len(killed))
	}
	next := map[string]int{}
	var last time.Duration
	for _, e := range l.Entries(t) {
		if e.Text != fmt.Sprintf("said %d", next[e.Who]) || e.At < last {
			t.Fatalf("%+v after %d, %v", e, next[e.Who], last)
		}
		next[e.Who]++
		last = e.At
	}
	if len(next) < 3 {
		t.Errorf("only %d wrote anything", len(next))
	}
}

func TestATornLineIsLeftOut(t *testing.T) {
	l := shmtest.NewLedger(t)
	if err := os.WriteFile(filepath.Join(l.Path(), "a"), []byte("5 whole\n6 tor"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := l.Entries(t); len(got) != 1 || got[0] != (shmtest.Entry{Who: "a", At: 5, Text: "whole"}) {
		t.Errorf("%+v", got)
	}
}

// quitter ends by itself, with an error.
func quitter([]string) error { return errors.New("of its own accord") }

func TestAnEndOfItsOwnIsNoKill(t *testing.T) {
	p := shmtest.Start(t, "quitter")
	if err := p.Wait(); err == nil || p.ExitSignal() != 0 || !p.Ended() || !strings.Contains(p.Stderr(), "of its own accord") {
		t.Errorf("%v, %v, %s", err, p.ExitSignal(), p.Stderr())
	}
}
