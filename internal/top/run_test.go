package top

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"go.uber.org/goleak"

	"github.com/shmkit/shmkit/internal/testenv"
)

// scripted is a source of a test.
type scripted struct {
	sample func(n int) (*Sample, error)
	look   func(i Item) ([]string, error)
	mu     sync.Mutex
	n      int // protected by mu, as the next one
	times  []time.Time
	busy   atomic.Int32
	most   atomic.Int32 // at once
}

func (s *scripted) Sample(context.Context) (*Sample, error) {
	defer s.busy.Add(-1)
	if n := s.busy.Add(1); n > s.most.Load() {
		s.most.Store(n)
	}
	s.mu.Lock()
	s.n++
	n := s.n
	s.times = append(s.times, time.Now())
	s.mu.Unlock()
	return s.sample(n)
}

func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *scripted) Look(_ context.Context, i Item) ([]string, error) { return s.look(i) }

// running is Run on a simulated terminal.
type running struct {
	t       *testing.T
	screen  tcell.SimulationScreen
	signals chan os.Signal
	stops   chan bool
	end     context.CancelFunc
	done    chan struct{}
	err     error // when done is closed
	crash   any   // likewise: what it panicked with
}

func begin(t *testing.T, source Source, interval time.Duration) *running {
	t.Helper()
	r := &running{t: t, screen: tcell.NewSimulationScreen("UTF-8"), signals: make(chan os.Signal, 1), stops: make(chan bool, 9), done: make(chan struct{})}
	if err := r.screen.Init(); err != nil {
		t.Fatal(err)
	}
	r.screen.SetSize(80, 24)
	ctx, end := context.WithCancel(t.Context())
	r.end = end
	go func() {
		defer close(r.done)
		defer func() { r.crash = recover() }()
		r.err = Run(ctx, r.screen, source, NewView(Choice{Sort: "resident"}, interval),
			Options{Stop: func(group bool) { r.stops <- group }, Signals: r.signals})
	}()
	t.Cleanup(func() {
		end()
		<-r.done
		r.screen.Fini()
	})
	return r
}

// sees waits until the screen has a text.
func (r *running) sees(want string) {
	r.t.Helper()
	var text string
	defer func() {
		if r.t.Failed() {
			r.t.Logf("the screen is\n%s", text)
		}
	}()
	testenv.Eventually(r.t, "the screen has "+want, func() bool {
		text = seen(r.screen)
		return strings.Contains(text, want)
	})
}

func (r *running) rune(c rune) { r.screen.InjectKey(tcell.KeyRune, c, 0) }

// ends waits until Run returns.
func (r *running) ends() error {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(testenv.Failsafe):
		r.t.Fatal("it does not end")
	}
	return r.err
}

func TestRunShowsSamplesAndEnds(t *testing.T) {
	source := func() Source {
		return &scripted{sample: func(n int) (*Sample, error) { return zooAt(uint64(n)), nil },
			look: func(i Item) ([]string, error) { return []string{"all about " + i.Address}, nil }}
	}
	for name, c := range map[string]struct {
		end  func(r *running)
		want func(err error) bool
	}{
		"q":         {func(r *running) { r.rune('q') }, func(err error) bool { return err == nil }},
		"Ctrl-C":    {func(r *running) { r.screen.InjectKey(tcell.KeyCtrlC, 0, 0) }, func(err error) bool { return err == ErrInterrupted }},
		"context":   {func(r *running) { r.end() }, func(err error) bool { return errors.Is(err, context.Canceled) }},
		"a signal":  {func(r *running) { r.signals <- syscall.SIGQUIT }, func(err error) bool { var e *Ended; return errors.As(err, &e) && e.Signal == syscall.SIGQUIT }},
		"a hang-up": {func(r *running) { _ = r.screen.PostEvent(tcell.NewEventError(syscall.EIO)) }, func(err error) bool { return err != nil && strings.Contains(err.Error(), "input/output") }},
	} {
		t.Run(name, func(t *testing.T) {
			r := begin(t, source(), 20*time.Millisecond)
			r.sees("+1M") // a rate
			r.screen.InjectKey(tcell.KeyEnter, 0, 0)
			r.sees("all about map:812/7f12a0000000")
			c.end(r)
			if err := r.ends(); !c.want(err) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

func TestNothingIsLeftRunning(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	source := &scripted{sample: func(n int) (*Sample, error) { return many(n), nil }, look: func(Item) ([]string, error) { return nil, nil }}
	r := begin(t, source, 20*time.Millisecond)
	r.sees("object-0001")
	r.rune('q')
	if err := r.ends(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, ignore)
}

// Keys are answered while a sample takes its time, and there is one at a time.
func TestASlowSourceKeepsNobodyWaiting(t *testing.T) {
	blocked := make(chan struct{})
	source := &scripted{sample: func(n int) (*Sample, error) {
		if n == 3 {
			<-blocked
		}
		return many(n), nil
	}, look: func(i Item) ([]string, error) { return []string{"all about " + i.Address}, nil }}
	r := begin(t, source, time.Millisecond)
	testenv.Eventually(t, "the third sample is being taken", func() bool { return source.count() == 3 })
	r.screen.InjectKey(tcell.KeyEnter, 0, 0)
	r.sees("all about posix:/object-")
	r.rune('?')
	r.sees("Help")
	r.rune('x')
	r.screen.InjectKey(tcell.KeyEscape, 0, 0)
	r.rune('/')
	r.sees("filter:")
	close(blocked)
	testenv.Eventually(t, "samples go on", func() bool { return source.count() > 5 })
	if n := source.most.Load(); n != 1 {
		t.Errorf("%d samples at once", n)
	}
}

// Looking takes a quarter of the time at most, whatever the interval.
func TestThereIsAPauseBehindASlowSample(t *testing.T) {
	const took = 40 * time.Millisecond
	source := &scripted{sample: func(n int) (*Sample, error) {
		time.Sleep(took) // sleep-ok: it is the work that takes long
		return many(n), nil
	}}
	r := begin(t, source, time.Millisecond)
	testenv.Eventually(t, "there are some", func() bool { return source.count() > 4 })
	r.end()
	for i := 1; i < 4; i++ {
		if d := source.times[i].Sub(source.times[i-1]); d < (share+1)*took {
			t.Errorf("from sample %d to the next it takes %v", i, d)
		}
	}
}

func TestPauseStopsLookingAndGoesOn(t *testing.T) {
	source := &scripted{sample: func(n int) (*Sample, error) { return many(n), nil }}
	r := begin(t, source, time.Millisecond)
	testenv.Eventually(t, "there are some", func() bool { return source.count() > 3 })
	r.rune(' ')
	r.sees("paused")
	n := source.count()
	time.Sleep(300 * time.Millisecond)        // sleep-ok: nothing must happen in it
	if more := source.count() - n; more > 1 { // one may be on its way
		t.Errorf("%d more samples", more)
	}
	n = source.count()
	r.rune('j') // keys go on
	r.rune(' ')
	testenv.Eventually(t, "it goes on", func() bool { return source.count() > n+2 })
}

func TestAChangedIntervalCountsAtOnce(t *testing.T) {
	source := &scripted{sample: func(n int) (*Sample, error) { return many(n), nil }}
	r := begin(t, source, time.Hour)
	testenv.Eventually(t, "there are two", func() bool { return source.count() == 2 })
	r.rune('i')
	r.sees("interval:")
	r.screen.InjectKey(tcell.KeyCtrlU, 0, 0)
	for _, c := range "0.1" {
		r.rune(c)
	}
	r.screen.InjectKey(tcell.KeyEnter, 0, 0)
	testenv.Eventually(t, "there are more", func() bool { return source.count() > 4 })
}

func TestAFailedSampleIsSaidAndTriedAgain(t *testing.T) {
	fail := atomic.Bool{}
	source := &scripted{sample: func(n int) (*Sample, error) {
		if fail.Load() {
			return nil, fmt.Errorf("no /proc")
		}
		return many(3), nil
	}}
	r := begin(t, source, 20*time.Millisecond)
	r.sees("object-0002")
	fail.Store(true)
	r.sees("could not look: no /proc")
	r.sees("object-0002")
	fail.Store(false)
	r.sees(hints)
}

// Who has the terminal must be the one to panic.
func TestAPanicInTheBackgroundComesToTheFront(t *testing.T) {
	for name, source := range map[string]*scripted{
		"sample": {sample: func(n int) (*Sample, error) {
			if n == 2 {
				panic("sample fell")
			}
			return many(1), nil
		}},
		"look": {sample: func(int) (*Sample, error) { return many(1), nil }, look: func(Item) ([]string, error) { panic("look fell") }},
	} {
		t.Run(name, func(t *testing.T) {
			r := begin(t, source, 20*time.Millisecond)
			r.sees("object-0000")
			if name == "look" {
				r.screen.InjectKey(tcell.KeyEnter, 0, 0)
			}
			_ = r.ends()
			if text := fmt.Sprint(r.crash); !strings.Contains(text, name+" fell") || !strings.Contains(text, "run_test.go") {
				t.Errorf("it panicked with %s", text)
			}
		})
	}
}

func TestStoppingAndBeingContinued(t *testing.T) {
	source := &scripted{sample: func(n int) (*Sample, error) { return many(1), nil }}
	r := begin(t, source, 20*time.Millisecond)
	r.sees("object-0000")
	r.screen.InjectKey(tcell.KeyCtrlZ, 0, 0)
	if group := <-r.stops; !group {
		t.Error("the key stops only the process")
	}
	r.signals <- syscall.SIGTSTP
	if group := <-r.stops; group {
		t.Error("the signal stops the group")
	}
	r.signals <- syscall.SIGCONT
	r.rune('q')
	if err := r.ends(); err != nil {
		t.Error(err)
	}
}

func TestTheScreenIsResized(t *testing.T) {
	source := &scripted{sample: func(n int) (*Sample, error) { return many(100), nil }}
	r := begin(t, source, 20*time.Millisecond)
	r.sees("object-0099")
	for _, size := range [][2]int{{200, 60}, {20, 5}, {1, 1}, {80, 24}} {
		r.screen.SetSize(size[0], size[1])
		_ = r.screen.PostEvent(tcell.NewEventResize(size[0], size[1]))
		testenv.Eventually(t, "it is drawn at its size", func() bool {
			lines := strings.Split(strings.TrimSuffix(seen(r.screen), "\n"), "\n")
			return len(lines) == size[1] && (size[1] < 5 || strings.HasPrefix(lines[size[1]-1], "q quit"))
		})
	}
}

// seen is shown while the screen is in use.
func seen(s tcell.Screen) string {
	width, height := s.Size()
	var b strings.Builder
	for y := range height {
		var line strings.Builder
		for x := 0; x < width; {
			text, _, w := s.Get(x, y)
			line.WriteString(text)
			x += max(w, 1)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
