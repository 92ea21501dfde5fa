package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A stage is a play in which one participant, the victim, is a process that may
// kill itself at a point. The others are in this process and must not suffer.
type stage struct {
	name  string
	role  string
	alone bool // nobody who could clean up is there at the end
	on    []terrain
	play  func(t *testing.T, key spot, victim startVictim) *testenv.Proc
}

// startVictim starts the victim with a part; who plays the stage does not know
// whether it will be killed.
type startVictim func(*testenv.StartOptions, part) *testenv.Proc

var stages = []stage{
	{"a writer alone", "writer", true, all, playAlone},
	{"a writer on what was made by hand", "writer", true, all, playAdopting},
	{"a writer after the dead", "writer", true, all, playAfterTheDead},
	{"a writer after another user's dead", "writer", true, []terrain{onSysV, onName}, playAfterAnothersDead},
	{"the last reader", "reader", true, named, playLastReader},
	{"a writer among others", "writer", false, named, playWriterAmongOthers},
	{"a writer that waits for its turn", "writer", false, []terrain{onName}, playWriterWaiting},
	{"a reader among others", "reader", false, named, playReaderAmongOthers},
	{"a sender among others", "sender", false, named, playSenderAmongOthers},
	{"a receiver among others", "receiver", false, named, playReceiverAmongOthers},
}

var (
	all   = []terrain{onSysV, onName, onMemfd}
	named = []terrain{onSysV, onName} // on a memfd the same steps follow
)

// TestKilledAtEveryPoint kills each kind of participant at every point it comes
// to, the first time it comes there; with SHMKIT_SOAK=1 also later ones.
func TestKilledAtEveryPoint(t *testing.T) {
	var mu sync.Mutex
	killed := map[string]int{} // by point
	t.Run("stages", func(t *testing.T) {
		for _, s := range stages {
			for _, on := range s.on {
				t.Run(s.name+"/"+string(on), func(t *testing.T) {
					t.Parallel()
					hits := s.unharmed(t, on)
					for _, name := range slices.Sorted(maps.Keys(hits)) {
						for _, hit := range slices.Compact([]int{1, hits[name]/2 + 1, hits[name]}) {
							if hit > 1 && !testenv.Soaking() {
								continue
							}
							t.Run(fmt.Sprintf("%s#%d", name, hit), func(t *testing.T) {
								if s.killed(t, on, name, hit) {
									mu.Lock()
									killed[name]++
									mu.Unlock()
								}
							})
						}
					}
				})
			}
		}
	})
	for _, name := range pointsInSource(t) {
		if killed[name] == 0 && (name != "take:wiped" || os.Geteuid() == 0) {
			t.Errorf("nobody was killed at point %q", name)
		}
	}
}

// pointsInSource finds the names of all points.
func pointsInSource(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`\bpoint\("([^"]+)"\)`)
	names := map[string]bool{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(text), -1) {
			if names[m[1]] {
				t.Errorf("two points are named %q", m[1])
			}
			names[m[1]] = true
		}
	}
	if len(names) < 10 {
		t.Fatalf("only %d points found", len(names))
	}
	return slices.Sorted(maps.Keys(names))
}

// unharmed plays the stage without a kill and returns what points the victim came
// to, and how often.
func (s *stage) unharmed(t *testing.T, on terrain) map[string]int {
	t.Helper()
	key := on.spot(t).sized(t, linesSmall)
	p := s.play(t, key, func(o *testenv.StartOptions, p part) *testenv.Proc {
		p.Report = true
		return startWith(t, o, s.role, p)
	})
	if err := p.Wait(); err != nil {
		t.Fatalf("the victim, without a kill: %v\n%s", err, p.Stderr())
	}
	joinAndLeave(t, key, linesSmall)
	hits := map[string]int{}
	for {
		line, err := p.ReadLine()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var n int
		if before, name, ok := strings.Cut(line, " "); ok {
			if _, err := fmt.Sscanf(before, "%d", &n); err == nil {
				hits[name] = n
			}
		}
	}
	if len(hits) == 0 {
		t.Fatal("the victim came to no point")
	}
	return hits
}

// killed plays the stage with a kill, and reports whether it happened.
func (s *stage) killed(t *testing.T, on terrain, name string, hit int) bool {
	key := on.spot(t).sized(t, linesSmall)
	p := s.play(t, key, func(o *testenv.StartOptions, p part) *testenv.Proc {
		p.KillAt, p.KillHit = name, hit
		return startWith(t, o, s.role, p)
	})
	dead := p.ExitSignal() == syscall.SIGKILL
	if !dead && p.ExitCode() != 0 {
		t.Errorf("the victim failed: %s", p.Stderr())
	}
	if !s.alone {
		nothingUnder(t, key)
	}
	joinAndLeave(t, key, linesSmall)
	return dead
}

// playAlone is a victim that nobody sees.
func playAlone(_ *testing.T, key spot, victim startVictim) *testenv.Proc {
	p := victim(nil, part{At: key, Content: Lines, Capacity: MinCapacity, Tag: "victim", Count: 3, Longest: 100})
	p.ExitCode()
	return p
}

// playAdopting is a victim that uses what somebody made.
func playAdopting(t *testing.T, key spot, victim startVictim) *testenv.Proc {
	key.blank(t, ringOffset+MinCapacity)
	return playAlone(t, key, victim)
}

// playAfterTheDead is a victim that comes after others were killed.
func playAfterTheDead(t *testing.T, key spot, victim startVictim) *testenv.Proc {
	leaveBehind(t, key, 0)
	return playAlone(t, key, victim)
}

// playAfterAnothersDead is a victim that may not remove what others left.
func playAfterAnothersDead(t *testing.T, key spot, victim startVictim) *testenv.Proc {
	nobody := &testenv.StartOptions{Credential: testenv.Nobody(t)}
	leaveBehind(t, key, 0o666)
	p := victim(nobody, part{At: key, Content: Lines, Capacity: MinCapacity, Mode: 0o666, Tag: "victim", Count: 3, Longest: 100})
	p.ExitCode()
	return p
}

// leaveBehind leaves a stream whose only user was killed in the middle of its
// work, and which carried something else.
func leaveBehind(t *testing.T, key spot, mode uint32) {
	t.Helper()
	dead := start(t, "sender", part{
		At: key, Content: Files, Mode: mode, Tag: "dead", Count: 1, Longest: 1000,
		KillAt: "file:data", KillHit: 1,
	})
	if sig := dead.ExitSignal(); sig != syscall.SIGKILL {
		t.Fatalf("ended by %v: %s", sig, dead.Stderr())
	}
	if key.left(t) == "" {
		t.Fatal("nothing is left behind")
	}
}

// joined waits until a participant has joined, and reports false if it died.
func joined(p *testenv.Proc) bool {
	line, err := p.ReadLine()
	return err == nil && line == "joined"
}

// playLastReader is a victim that outlives its writer.
func playLastReader(t *testing.T, key spot, victim startVictim) *testenv.Proc {
	w := openWriter(t, key, linesSmall)
	put(t, w, "nobody's") // so that what the next one reads lies behind a gap
	r := openReader(t, key, linesSmall)
	put(t, w, "read")
	next(t, r)
	if err := r.Advance(); err != nil {
		t.Error(err)
	}
	closeMember(t, r)
	p := victim(nil, part{At: key, Content: Lines, Tag: "victim", Hold: true})
	if joined(p) {
		put(t, w, "x", "y", "z")
		closeMember(t, w)
		p.Send("go")
	}
	closeMember(t, w)
	p.ExitCode()
	return p
}

func playWriterAmongOthers(t *testing.T, key spot, victim startVictim) *testenv.Proc {
	const mine, its = 100, 200
	r := openReader(t, key, linesSmall)
	w := openWriter(t, key, linesSmall)
	put(t, w, lineOf("first", 0, 50))
	var out bytes.Buffer
	var reading errgroup.Group
	reading.Go(func() error {
		_, err := r.ReadLines(failsafe(t), &out, 0)
		return err
	})
	p := victim(nil, part{At: key, Content: Lines, Capacity: MinCapacity, Tag: "victim", Count: its, Longest: 100, Hold: true})
	if joined(p) {
		testenv.Eventually(t, "the reader sleeps", func() bool { return r.slots[r.index].sleeping.Load() == asleep })
		p.Send("go")
	}
	p.ExitCode()
	if done := write(t, w, linesOf("survivor", 0, mine, 100)); done.Lines != mine {
		t.Errorf("%d lines written", done.Lines)
	}
	closeMember(t, w)
	if err := reading.Wait(); err != nil {
		t.Fatal(err)
	}
	closeMember(t, r)

	got := out.String()
	got, ok := strings.CutPrefix(got, lineOf("first", 0, 50)+"\n")
	if !ok {
		t.Error("the first line is missing")
	}
	got, ok = strings.CutSuffix(got, linesOf("survivor", 0, mine, 100))
	if !ok {
		t.Error("the survivor's lines are not all there")
	}
	if got != linesOf("victim", 0, strings.Count(got, "\n"), 100) {
		t.Errorf("the victim's lines are no beginning of what it wrote: %q", got)
	}
	return p
}

// playWriterWaiting is a victim that finds the turn taken.
func playWriterWaiting(t *testing.T, key spot, victim startVictim) *testenv.Proc {
	w := openWriter(t, key, linesSmall)
	if err := w.Begin(failsafe(t)); err != nil {
		t.Fatal(err)
	}
	p := victim(nil, part{At: key, Content: Lines, Capacity: MinCapacity, Tag: "victim", Count: 3, Longest: 100})
	testenv.Eventually(t, "the victim waits, or is dead", func() bool {
		select {
		case <-p.Exited():
			return true
		default:
			return w.h.turns.Load()&1 == 1
		}
	})
	if err := w.End(); err != nil {
		t.Error(err)
	}
	p.ExitCode()
	put(t, w, "x")
	closeMember(t, w)
	return p
}

func playReaderAmongOthers(t *testing.T, key spot, victim startVictim) *testenv.Proc {
	const lines = 200
	r := openReader(t, key, linesSmall)
	r.Follow = true // it is there when the victim ends
	mine := &r.slots[r.index]
	w := openWriter(t, key, linesSmall)
	var out bytes.Buffer
	var busy errgroup.Group
	ctx, cancel := context.WithCancel(failsafe(t))
	defer cancel()
	busy.Go(func() error {
		_, err := r.ReadLines(ctx, &out, 0)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	})
	p := victim(nil, part{At: key, Content: Lines, Capacity: MinCapacity, Tag: "victim", Await: true})
	joined(p)
	if done := write(t, w, linesOf("survivor", 0, lines, 100)); done.Lines != lines {
		t.Errorf("%d lines written", done.Lines)
	}
	testenv.Eventually(t, "the victim sleeps, or is dead", func() bool {
		select {
		case <-p.Exited():
			return true
		default:
			return w.slots[1-r.index].sleeping.Load() == asleep
		}
	})
	closeMember(t, w)
	p.ExitCode() // while the other reader is there
	testenv.Eventually(t, "the other reader has read all", func() bool { return mine.cursor.Load() == r.h.tail.Load() })
	cancel()
	if err := busy.Wait(); err != nil {
		t.Fatal(err)
	}
	closeMember(t, r)
	if out.String() != linesOf("survivor", 0, lines, 100) {
		t.Errorf("the survivors exchanged %d lines, or others", strings.Count(out.String(), "\n"))
	}
	return p
}

// receiveUntil receives files up to the one with a name, and checks them all.
func receiveUntil(t *testing.T, r *Reader, name string) (names []string, err error) {
	for !slices.Contains(names, name) {
		var s sink
		if _, err := r.ReceiveFile(failsafe(t), &s, nil); err != nil {
			return names, err
		}
		if err := checkFile(&s); err != nil {
			return names, err
		}
		names = append(names, s.info.Name)
	}
	return names, nil
}

// sendFile sends a test file.
func sendFile(t *testing.T, w *Writer, name string) Transferred {
	t.Helper()
	size, err := sizeOf(name)
	if err != nil {
		t.Fatal(err)
	}
	done, err := w.SendFile(failsafe(t), bytes.NewReader(fileOf(name, size)), FileInfo{Name: name, Size: int64(size)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func playSenderAmongOthers(t *testing.T, key spot, victim startVictim) *testenv.Proc {
	o := Options{Content: Files, Capacity: MinCapacity}
	r, w := openReader(t, key, o), openWriter(t, key, o)
	last := fileName("survivor", 0, 10_000)
	var names []string
	var receiving errgroup.Group
	receiving.Go(func() (err error) {
		names, err = receiveUntil(t, r, last)
		return err
	})
	p := victim(nil, part{At: key, Content: Files, Capacity: MinCapacity, Tag: "victim", Count: 2, Longest: 20_000})
	joined(p)
	p.ExitCode()
	if done := sendFile(t, w, last); done.Receivers != 1 {
		t.Errorf("%d receivers", done.Receivers)
	}
	if err := receiving.Wait(); err != nil {
		t.Fatal(err)
	}
	whole := []string{fileName("victim", 0, 20_000), fileName("victim", 1, 20_000)}
	if n := len(names) - 1; n > len(whole) || !slices.Equal(names[:n], whole[:n]) {
		t.Errorf("received %q", names)
	}
	closeMember(t, w)
	closeMember(t, r)
	return p
}

func playReceiverAmongOthers(t *testing.T, key spot, victim startVictim) *testenv.Proc {
	o := Options{Content: Files, Capacity: MinCapacity}
	r, w := openReader(t, key, o), openWriter(t, key, o)
	first, last := fileName("survivor", 0, 20_000), fileName("survivor", 1, 10_000)
	var names []string
	var receiving errgroup.Group
	receiving.Go(func() (err error) {
		names, err = receiveUntil(t, r, last)
		return err
	})
	p := victim(nil, part{At: key, Content: Files, Capacity: MinCapacity, Tag: "victim", Count: 1})
	joined(p)
	if n := sendFile(t, w, first).Receivers; n < 1 || n > 2 {
		t.Errorf("%d receivers", n)
	}
	p.ExitCode()
	if n := sendFile(t, w, last).Receivers; n != 1 {
		t.Errorf("%d receivers", n)
	}
	if err := receiving.Wait(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(names, []string{first, last}) {
		t.Errorf("received %q", names)
	}
	closeMember(t, w)
	closeMember(t, r)
	return p
}
