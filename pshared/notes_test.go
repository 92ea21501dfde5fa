package pshared_test

import (
	"fmt"
	"strings"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// A share is a Shared, whatever it is of.
type share interface {
	Close() error
	Dir() string
	Waiting() int
	Sleepers() int
	Dead() int
	Mutex(w *pshared.MutexWord) *pshared.Mutex
	RWMutex(w *pshared.RWMutexWord) *pshared.RWMutex
	Semaphore(w *pshared.SemaphoreWord, permits int64) (*pshared.Semaphore, error)
	CountingSemaphore(w *pshared.CountingWord) *pshared.CountingSemaphore
	Cond(w *pshared.CondWord) *pshared.Cond
	Event(w *pshared.EventWord) *pshared.Event
	AutoEvent(w *pshared.AutoEventWord) *pshared.Event
	Barrier(w *pshared.BarrierWord, parties int) *pshared.Barrier
	Once(w *pshared.OnceWord) *pshared.Once
}

// Notes are what a participant writes in a ledger about one thing. nil: nothing.
type notes struct {
	page  *shmtest.Page
	about string // before each line; "": it is the only thing
}

// takeNotes opens the page of who in the ledger at path.
func takeNotes(path string, who int64) (*notes, error) {
	page, err := shmtest.OpenLedger(path, fmt.Sprint(who))
	return &notes{page: page}, err
}

// of are the notes about one thing, on the same page.
func (n *notes) of(about string) *notes { return &notes{n.page, about + ": "} }

func (n *notes) note(format string, args ...any) error {
	if n == nil {
		return nil
	}
	return n.page.Note(n.about+format, args...)
}

func (n *notes) Close() error { return n.page.Close() }

// entriesAbout are the entries of a ledger about each thing.
func entriesAbout(entries []shmtest.Entry) map[string][]shmtest.Entry {
	all := map[string][]shmtest.Entry{}
	for _, e := range entries {
		about, text, _ := strings.Cut(e.Text, ": ")
		e.Text = text
		all[about] = append(all[about], e)
	}
	return all
}
