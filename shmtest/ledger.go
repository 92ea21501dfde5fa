package shmtest

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// A Ledger is what the participants of a test say that they did. Each writes in a file of
// its own, and what it has written is there whatever happens to it afterwards.
type Ledger struct{ dir string }

// An Entry is a line in a Ledger.
type Entry struct {
	Who string
	// At is the monotonic time when it was written. It can be compared between the
	// processes of one machine.
	At   time.Duration
	Text string
}

// NewLedger makes an empty one, which is removed when the test ends.
func NewLedger(t testing.TB) *Ledger {
	t.Helper()
	l := &Ledger{t.TempDir()}
	if err := os.Chmod(l.dir, 0o777); err != nil { // participants may be other users
		t.Fatal(err)
	}
	return l
}

// Path is what a role needs for OpenLedger.
func (l *Ledger) Path() string { return l.dir }

// Entries returns what was written, by time. A line that its writer was killed in the
// middle of is left out.
func (l *Ledger) Entries(t testing.TB) []Entry {
	t.Helper()
	files, err := os.ReadDir(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []Entry
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(l.dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line, whole := strings.CutSuffix(line, "\n")
			if !whole {
				continue
			}
			at, rest, _ := strings.Cut(line, " ")
			ns, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				t.Fatalf("ledger of %s: %q: %v", f.Name(), line, err)
			}
			all = append(all, Entry{f.Name(), time.Duration(ns), rest})
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return cmp.Compare(a.At, b.At) })
	return all
}

// writers returns how many have written something.
func (l *Ledger) writers(t testing.TB) (n int) {
	t.Helper()
	files, err := os.ReadDir(l.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Size() > 0 {
			n++
		}
	}
	return n
}

// A Page is where one participant writes.
type Page struct {
	mu sync.Mutex
	f  *os.File
}

// OpenLedger is for roles: it opens the page of who, a name for a file, in the ledger at
// path.
func OpenLedger(path, who string) (*Page, error) {
	f, err := os.OpenFile(filepath.Join(path, who), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	return &Page{f: f}, nil
}

// Note writes a line, in one system call. When it returns the line is in the ledger, and
// carries a time between the call and the return.
func (p *Page) Note(format string, args ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := fmt.Fprintf(p.f, "%d %s\n", sys.MonotonicNow(), fmt.Sprintf(format, args...))
	return err
}

// Close closes the page.
func (p *Page) Close() error { return p.f.Close() }
