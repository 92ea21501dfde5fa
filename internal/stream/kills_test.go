package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/shmkit/shmkit/internal/testenv"
)

// killsAtRandom is how many participants one of these tests kills. A memfd differs
// from a name only in how it begins and ends.
func killsAtRandom(on spot) int {
	switch {
	case testenv.Soaking():
		return 5000
	case testing.Short(), underRace, terrain(on.Terrain) == onMemfd:
		return 20
	case terrain(on.Terrain) == onSysV:
		return 200
	}
	return 50
}

// A crowd is participants of which some are killed at random moments and others
// take their places.
type crowd struct {
	t    *testing.T
	rng  *rand.Rand
	made int
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	return &crowd{t: t, rng: rand.New(rand.NewPCG(uint64(seed), 0))}
}

// tag is a new name for a participant.
func (c *crowd) tag() string {
	c.made++
	return fmt.Sprintf("p%d", c.made)
}

// pause waits for a random time, mostly short.
func (c *crowd) pause() {
	d := time.Duration(c.rng.ExpFloat64() * float64(6*time.Millisecond))
	time.Sleep(min(d, 60*time.Millisecond)) // sleep-ok: the moment of a kill is what is random
}

func TestRandomKillsOfWritersAndReaders(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, on terrain) {
		t.Parallel()
		for _, capacity := range []int64{MinCapacity, 256 << 10} {
			if on == onMemfd && capacity > MinCapacity {
				continue
			}
			t.Run(fmt.Sprintf("ring of %d", capacity), func(t *testing.T) { linesAmidKills(t, on.spot(t), capacity) })
		}
	})
}

func linesAmidKills(t *testing.T, key spot, capacity int64) {
	const longest = 500
	c, dir := newCrowd(t), t.TempDir()
	base := part{At: key, Content: Lines, Capacity: capacity, Longest: longest}
	logOf := func(tag string) string { return filepath.Join(dir, tag) }
	reader := func() (*testenv.Proc, string) {
		p := base
		p.Tag = c.tag()
		p.Log = logOf(p.Tag)
		return start(t, "reader", p), p.Tag
	}
	writer := func() (*testenv.Proc, string) {
		p := base
		p.Tag, p.Count = c.tag(), -1
		return start(t, "writer", p), p.Tag
	}

	// Who survives: a reader and a writer from the beginning, a reader from the
	// middle on.
	first, firstTag := reader()
	first.Expect("joined")
	steady, steadyTag := writer()
	steady.Expect("joined")

	type victim struct {
		*testenv.Proc
		tag    string
		writes bool
	}
	newVictim := func() victim {
		v := victim{writes: c.rng.IntN(3) > 0}
		if v.writes {
			v.Proc, v.tag = writer()
		} else {
			v.Proc, v.tag = reader()
		}
		return v
	}
	var late *testenv.Proc
	var lateTag string
	var dead []victim
	living := []victim{newVictim(), newVictim(), newVictim(), newVictim()}
	total := killsAtRandom(key)
	if capacity > MinCapacity { // where there is less to wait for, there is less to go wrong
		total = max(total/4, 25)
	}
	for n := range total {
		if n == total/2 {
			late, lateTag = reader()
			late.Expect("joined")
		}
		c.pause()
		i := c.rng.IntN(len(living))
		living[i].Kill()
		if sig := living[i].ExitSignal(); sig != syscall.SIGKILL {
			t.Fatalf("a victim ended before it was killed: %s", living[i].Stderr())
		}
		living[i].Release()
		dead = append(dead, living[i])
		living[i] = newVictim()
	}
	for _, v := range living {
		v.Release()
		dead = append(dead, v)
	}
	steady.CloseStdin()
	var wrote int
	if line, err := steady.ReadLine(); err != nil {
		t.Fatal(err)
	} else if _, err := fmt.Sscanf(line, "wrote %d", &wrote); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	for _, p := range []*testenv.Proc{steady, first, late} {
		if err := p.Wait(); err != nil {
			t.Fatalf("a survivor failed: %v\n%s", err, p.Stderr())
		}
	}
	nothingUnder(t, key)

	order := readLog(t, logOf(firstTag))
	t.Logf("%d lines, %d of them from the writer that survived", len(order), wrote)
	if wrote == 0 {
		t.Error("the surviving writer wrote nothing")
	}
	numbers := map[string]int{}
	for _, e := range order {
		if e.n != numbers[e.tag] {
			t.Fatalf("line %d of %s where line %d is next", e.n, e.tag, numbers[e.tag])
		}
		numbers[e.tag]++
	}
	if numbers[steadyTag] != wrote {
		t.Errorf("%d lines of the surviving writer, which wrote %d", numbers[steadyTag], wrote)
	}
	if got := readLog(t, logOf(lateTag)); len(got) == 0 || len(got) > len(order) || !slices.Equal(got, order[len(order)-len(got):]) {
		t.Errorf("the late reader has %d lines, which are not the last ones of the first reader", len(got))
	}
	at := map[entry]int{}
	for i, e := range order {
		at[e] = i
	}
	for _, v := range dead {
		if v.writes {
			continue
		}
		got := readLog(t, logOf(v.tag))
		if len(got) == 0 {
			continue
		}
		i, ok := at[got[0]]
		if !ok || i+len(got) > len(order) || !slices.Equal(got, order[i:i+len(got)]) {
			t.Errorf("what the killed reader %s had read is no piece of what the others read", v.tag)
		}
	}
}

// entry is a line in the log of a reader.
type entry struct {
	tag string
	n   int
}

// readLog reads the log of a reader. If that was killed, the log may be missing,
// and its last line torn.
func readLog(t *testing.T, path string) []entry {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	b = b[:strings.LastIndexByte(string(b), '\n')+1]
	var all []entry
	tags := map[string]string{} // one string for each
	for in := bufio.NewScanner(strings.NewReader(string(b))); in.Scan(); {
		tag, n, err := whose(in.Text())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := tags[tag]; !ok {
			tags[tag] = tag
		}
		all = append(all, entry{tags[tag], n})
	}
	return all
}

func TestRandomKillsOfSendersAndReceivers(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, on terrain) {
		t.Parallel()
		c, key := newCrowd(t), on.spot(t)
		base := part{At: key, Content: Files, Capacity: 16 << 10, Count: -1, Longest: 300_000}
		participant := func(role string) *testenv.Proc {
			p := base
			p.Tag = c.tag()
			return start(t, role, p)
		}

		receiver := participant("receiver")
		receiver.Expect("joined") // before anybody sends: from now on there always is one
		sender := participant("sender")
		sender.Expect("joined")
		// Their reports are read as they come, for a pipe holds only so many.
		received, sent := collect(receiver), collect(sender)

		roles := []string{"sender", "receiver"}
		var living [4]*testenv.Proc
		for i := range living {
			living[i] = participant(roles[i%2])
		}
		for range killsAtRandom(key) {
			c.pause()
			i := c.rng.IntN(len(living))
			living[i].Kill()
			if sig := living[i].ExitSignal(); sig != syscall.SIGKILL {
				t.Fatalf("a victim ended before it was killed: %s", living[i].Stderr())
			}
			living[i].Release()
			living[i] = participant(roles[c.rng.IntN(2)])
		}
		for _, p := range living {
			p.Release()
		}
		sender.CloseStdin()
		for _, p := range []*testenv.Proc{sender, receiver} {
			if err := p.Wait(); err != nil {
				t.Fatalf("a survivor failed: %v\n%s", err, p.Stderr())
			}
		}
		nothingUnder(t, key)

		all := <-received
		var mine []string // of the files received: those of the surviving sender
		whole := map[string]bool{}
		for _, line := range all {
			name, ok := strings.CutPrefix(line, "received ")
			if !ok || whole[name] {
				t.Errorf("the receiver says %q", line)
			}
			whole[name] = true
			if strings.HasPrefix(name, "p2.") {
				mine = append(mine, name)
			}
		}
		var reported []string
		for _, line := range <-sent {
			var name string
			var receivers int
			if _, err := fmt.Sscanf(line, "sent %s %d", &name, &receivers); err != nil || receivers < 1 {
				t.Errorf("the sender says %q", line)
			}
			reported = append(reported, name)
		}
		t.Logf("%d files received, %d of them from the sender that survived", len(all), len(mine))
		if !slices.Equal(mine, reported) {
			t.Errorf("received %q\nof those sent %q", mine, reported)
		}
	})
}

// collect reads everything a process says, up to its end.
func collect(p *testenv.Proc) <-chan []string {
	all := make(chan []string, 1)
	go func() {
		var lines []string
		for {
			line, err := p.ReadLine()
			if errors.Is(err, io.EOF) {
				all <- lines
				return
			}
			if err != nil {
				all <- append(lines, err.Error())
				return
			}
			lines = append(lines, line)
		}
	}()
	return all
}

// All participants killed at once leave what the next one to come removes.
func TestNextOneCleansUpWhenAllWereKilled(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, on terrain) {
		t.Parallel()
		c := newCrowd(t)
		rounds := 5
		if testenv.Soaking() {
			rounds = 30
		}
		key := on.spot(t)
		for range rounds {
			var all []*testenv.Proc
			for _, role := range []string{"writer", "reader", "writer"} {
				all = append(all, start(t, role, part{At: key, Content: Lines, Capacity: MinCapacity, Tag: c.tag(), Count: -1, Longest: 50}))
			}
			c.pause()
			c.pause()
			for _, p := range all {
				if err := p.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range all {
				p.Kill()
			}
			joinAndLeave(t, key, linesAny)
		}
	})
}

func TestStoppedReaderMakesWriterWait(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("killed=%t", killed), func(t *testing.T) {
				t.Parallel()
				key := on.spot(t)
				log := filepath.Join(t.TempDir(), "log")
				p := start(t, "reader", part{At: key, Content: Lines, Capacity: MinCapacity, Log: log, Longest: 100})
				p.Expect("joined")
				w := openWriter(t, key, linesSmall)
				if err := p.Signal(syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
				testenv.Eventually(t, "the reader is stopped", func() bool { return testenv.Stopped(t, p.Pid()) })

				// Within some sleeps the writer gets no further than the ring.
				const lines = 500
				ctx, cancel := context.WithTimeout(failsafe(t), 4*tick)
				defer cancel()
				done, err := w.WriteLines(ctx, strings.NewReader(linesOf("w", 0, lines, 100)))
				if !errors.Is(err, context.DeadlineExceeded) || done.Lines == 0 || w.h.tail.Load() > MinCapacity {
					t.Fatalf("%+v, %v, up to %d in a ring of %d", done, err, w.h.tail.Load(), MinCapacity)
				}
				var rest LinesWritten
				var writing errgroup.Group
				writing.Go(func() (err error) {
					rest, err = w.WriteLines(failsafe(t), strings.NewReader(linesOf("w", int(done.Lines), lines, 100)))
					return err
				})
				if killed {
					p.Kill()
				} else if err := p.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
				if err := writing.Wait(); err != nil {
					t.Fatal(err)
				}
				if done.Lines+rest.Lines != lines || (rest.Unread != 0) != killed {
					t.Errorf("%+v, then %+v", done, rest)
				}
				closeMember(t, w)
				if !killed {
					if err := p.Wait(); err != nil {
						t.Fatalf("%v\n%s", err, p.Stderr())
					}
					if got := readLog(t, log); len(got) != lines || got[0].n != 0 || got[lines-1].n != lines-1 {
						t.Errorf("%d lines", len(got))
					}
				}
				nothingUnder(t, key)
			})
		}
	})
}
