package stream

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

// part is what a participant in another process does.
type part struct {
	At       spot
	Content  Content
	Capacity int64
	Mode     uint32

	Tag     string // of its lines, or files
	Count   int    // lines or files; -1: until its standard input ends
	Longest int    // of its lines; of its files, the size
	Log     string // reader: file for what it read
	Hold    bool   // goes on after joining when it hears a line
	Await   bool   // reader: reads when a writer waits for space, or hears the end of its input

	KillAt  string // point at which it kills itself
	KillHit int    // and at which time it comes there, from 1
	Report  bool   // it says at the end which points it came to how often
}

func (p *part) options() Options {
	return Options{Content: p.Content, Capacity: p.Capacity, Mode: os.FileMode(p.Mode)}
}

// start starts a participant.
func start(t testing.TB, role string, p part) *testenv.Proc {
	t.Helper()
	return startWith(t, nil, role, p)
}

func startWith(t testing.TB, o *testenv.StartOptions, role string, p part) *testenv.Proc {
	t.Helper()
	p.At = p.At.sized(t, p.options())
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return testenv.StartWith(t, o, role, string(b))
}

// asRole makes the role of a participant.
func asRole(play func(*part) error) testenv.Role {
	return func(args []string) error {
		var p part
		if err := json.Unmarshal([]byte(args[0]), &p); err != nil {
			return err
		}
		hits := p.watchPoints()
		if err := play(&p); err != nil {
			return err
		}
		if p.Report {
			seen := hits()
			for _, name := range slices.Sorted(maps.Keys(seen)) {
				if err := testenv.Say("%d %s", seen[name], name); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// watchPoints counts the points this process comes to, and kills it at one.
func (p *part) watchPoints() (hits func() map[string]int) {
	var mu sync.Mutex
	seen := map[string]int{}
	point = func(name string) {
		mu.Lock()
		defer mu.Unlock()
		seen[name]++
		if name == p.KillAt && seen[name] == p.KillHit {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Kill()
			}
			if err != nil {
				panic(err)
			}
			select {} // until the signal arrives
		}
	}
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(seen)
	}
}

// stopped is true when the process's standard input has ended.
func stopped() *atomic.Bool {
	var over atomic.Bool
	go func() {
		for {
			if _, err := testenv.Hear(); err != nil {
				over.Store(true)
				return
			}
		}
	}()
	return &over
}

// hold waits for a line, if that is the part.
func (p *part) hold() error {
	if !p.Hold {
		return nil
	}
	_, err := testenv.Hear()
	return err
}

func playWriter(p *part) error {
	ctx := context.Background()
	w, err := OpenWriter(ctx, p.At.site(), p.options())
	if err != nil {
		return err
	}
	if err := several(testenv.Say("joined"), p.hold()); err != nil {
		return err
	}
	var in io.Reader = strings.NewReader(linesOf(p.Tag, 0, p.Count, p.Longest))
	if p.Count < 0 {
		in = &endless{p: p, over: stopped()}
	}
	done, err := w.WriteLines(ctx, in)
	return several(err, w.Close(), testenv.Say("wrote %d", done.Lines))
}

// endless is the lines of a writer until its standard input ends.
type endless struct {
	p    *part
	over *atomic.Bool
	n    int
	rest []byte
}

func (e *endless) Read(b []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.over.Load() {
			return 0, io.EOF
		}
		e.rest = []byte(linesOf(e.p.Tag, e.n, e.n+16, e.p.Longest))
		e.n += 16
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func playReader(p *part) error {
	ctx := context.Background()
	r, err := OpenReader(ctx, p.At.site(), p.options())
	if err != nil {
		return err
	}
	if err := several(testenv.Say("joined"), p.hold()); err != nil {
		return err
	}
	if p.Await {
		over := stopped()
		for tick := time.NewTicker(time.Millisecond); r.h.waiting.Load() == awake && !over.Load(); {
			<-tick.C
		}
	}
	var out io.Writer = io.Discard
	if p.Log != "" {
		f, err := os.Create(p.Log)
		if err != nil {
			return err
		}
		defer f.Close()
		l := &ledger{out: bufio.NewWriter(f), longest: p.Longest}
		defer l.out.Flush()
		out = l
	}
	n, err := r.ReadLines(ctx, out, max(int64(p.Count), 0))
	return several(err, r.Close(), testenv.Say("read %d", n))
}

// ledger checks every line it gets, and writes down whose it is and which.
type ledger struct {
	out     *bufio.Writer
	longest int
	part    []byte // of a line
}

func (l *ledger) Write(b []byte) (int, error) {
	l.part = append(l.part, b...)
	for {
		i := bytes.IndexByte(l.part, '\n')
		if i < 0 {
			return len(b), nil
		}
		line := string(l.part[:i])
		l.part = append(l.part[:0], l.part[i+1:]...)
		tag, n, err := whose(line)
		if err != nil || line != lineOf(tag, n, l.longest) {
			return 0, fmt.Errorf("not a line that anybody wrote: %q", line)
		}
		fmt.Fprintf(l.out, "%s %d\n", tag, n)
	}
}

// whose tells the writer of a line and its number.
func whose(line string) (tag string, n int, err error) {
	f := strings.SplitN(line, " ", 3)
	if len(f) < 2 {
		return "", 0, fmt.Errorf("line %q", line)
	}
	n, err = strconv.Atoi(f[1])
	return f[0], n, err
}

// fileName is the name of a test file, which says its size.
func fileName(tag string, n, size int) string { return fmt.Sprintf("%s.%d.%d", tag, n, size) }

// sizeOf is the size that a test file's name says.
func sizeOf(name string) (int, error) { return strconv.Atoi(name[strings.LastIndexByte(name, '.')+1:]) }

func playSender(p *part) error {
	ctx := context.Background()
	w, err := OpenWriter(ctx, p.At.site(), p.options())
	if err != nil {
		return err
	}
	if err := several(testenv.Say("joined"), p.hold()); err != nil {
		return err
	}
	over := new(atomic.Bool)
	if p.Count < 0 {
		over = stopped()
	}
	for i := 0; (p.Count < 0 || i < p.Count) && !over.Load(); i++ {
		name := fileName(p.Tag, i, p.Longest)
		data := fileOf(name, p.Longest)
		done, err := w.SendFile(ctx, bytes.NewReader(data), FileInfo{Name: name, Size: int64(len(data))}, nil)
		if err != nil {
			return several(err, w.Close())
		}
		if err := testenv.Say("sent %s %d", name, done.Receivers); err != nil {
			return err
		}
	}
	return w.Close()
}

func playReceiver(p *part) error {
	ctx := context.Background()
	r, err := OpenReader(ctx, p.At.site(), p.options())
	if err != nil {
		return err
	}
	if err := several(testenv.Say("joined"), p.hold()); err != nil {
		return err
	}
	for i := 0; p.Count < 0 || i < p.Count; i++ {
		var s sink
		_, err := r.ReceiveFile(ctx, &s, nil)
		if errors.Is(err, ErrIncomplete) {
			break // all senders have ended
		}
		if err == nil {
			err = checkFile(&s)
		}
		if err != nil {
			return several(err, r.Close())
		}
		if err := testenv.Say("received %s", s.info.Name); err != nil {
			return err
		}
	}
	return r.Close()
}

// checkFile compares what was received with what the file's name says.
func checkFile(s *sink) error {
	size, err := sizeOf(s.info.Name)
	if err != nil {
		return err
	}
	if !bytes.Equal(s.Bytes(), fileOf(s.info.Name, size)) {
		return fmt.Errorf("%s: %d bytes, not those that were sent", s.info.Name, s.Len())
	}
	return nil
}

// playCramped joins as a reader where no address space is left for the segment.
func playCramped(p *part) error {
	var text []byte
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[0])
	if err != nil {
		return err
	}
	limit := uint64(pages*os.Getpagesize()) + 16<<20
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	r, err := OpenReader(context.Background(), p.At.site(), p.options())
	if err == nil {
		return several(errors.New("it can be attached"), r.Close())
	}
	return testenv.Say("%v", err)
}
