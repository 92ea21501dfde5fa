package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// The explorer shows of the model that nobody needs the tick while nobody is
// killed. Here it is shown of the code, as far as chance goes: without ticks,
// whoever missed a wake-up hangs.
func TestWithoutKillsNobodyNeedsTheTick(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		withoutTick(t, dawdle)
		rounds := 150
		if testing.Short() || underRace || on == onMemfd {
			rounds = 60
		}
		key := on.spot(t)
		rng := rand.New(rand.NewPCG(5, 6))
		t.Run("lines", func(t *testing.T) {
			for i := range rounds {
				linesWithoutTick(t, i, rng, openWriter(t, key, linesSmall), openWriter(t, key, linesSmall), openReader(t, key, linesSmall), openReader(t, key, linesSmall))
				nothingUnder(t, key)
				if t.Failed() {
					t.Fatalf("round %d", i)
				}
			}
		})
		t.Run("line by line", func(t *testing.T) {
			r, w := openReader(t, key, linesSmall), openWriter(t, key, linesSmall)
			var echo errgroup.Group
			back := make(chan string)
			echo.Go(func() error {
				for {
					rec, err := r.Next(failsafe(t))
					if errors.Is(err, io.EOF) {
						return nil
					}
					if err != nil {
						return err
					}
					back <- string(rec.Data)
				}
			})
			for i := range 2 * rounds {
				put(t, w, fmt.Sprint(i))
				if got := <-back; got != fmt.Sprint(i) {
					t.Fatalf("%q", got)
				}
			}
			closeMember(t, w)
			if err := echo.Wait(); err != nil {
				t.Error(err)
			}
		})
		t.Run("files", func(t *testing.T) {
			o := Options{Content: Files, Capacity: MinCapacity}
			for i := range rounds {
				w := openWriter(t, key, o)
				var g errgroup.Group
				for n := range 2 {
					r := openReader(t, key, o)
					g.Go(func() error {
						// One of them leaves early.
						if n == 1 && i%2 == 0 {
							_, err := r.Next(failsafe(t))
							return several(err, r.Close())
						}
						_, err := r.ReceiveFile(failsafe(t), &sink{}, nil)
						return several(err, r.Close())
					})
				}
				if done := sendFile(t, w, fileName("x", i, rng.IntN(12_000))); done.Receivers != 2-(i+1)%2 {
					t.Errorf("%d receivers", done.Receivers)
				}
				closeMember(t, w)
				if err := g.Wait(); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
}

// withoutTick lets nobody wake by itself for the rest of the test, and calls at
// at every point.
func withoutTick(t *testing.T, at func(string)) {
	oldTick, oldPoint := tick, point
	tick, point = time.Hour, at
	t.Cleanup(func() { tick, point = oldTick, oldPoint })
}

// dawdle makes the time between two steps long, now and then.
func dawdle(name string) {
	often := 100
	switch name {
	case "sleep:empty", "sleep:marked", "sleep:looked", "space:full", "space:waiting", "await:waiting":
		often = 6 // here a wake-up is lost, if one is
	}
	if rand.IntN(often) == 0 {
		time.Sleep(time.Duration(rand.IntN(200)) * time.Microsecond) // sleep-ok: it is what is tested under
	}
}

// linesWithoutTick is two writers, a reader to the end, and one that leaves early.
func linesWithoutTick(t *testing.T, round int, rng *rand.Rand, a, b *Writer, all, some *Reader) {
	t.Helper()
	ctx := failsafe(t)
	lines := 1 + rng.IntN(60)
	early := int64(1 + rng.IntN(lines))
	var out bytes.Buffer
	var g errgroup.Group
	g.Go(func() error {
		_, err := all.ReadLines(ctx, &out, 0)
		return several(err, all.Close())
	})
	g.Go(func() error {
		_, err := some.ReadLines(ctx, io.Discard, early)
		return several(err, some.Close())
	})
	for i, w := range []*Writer{a, b} {
		g.Go(func() error {
			_, err := w.WriteLines(ctx, strings.NewReader(linesOf(fmt.Sprint("w", i), 0, lines, 20*(round%20))))
			return several(err, w.Close())
		})
	}
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
	checkMixed(t, out.String(), 2, lines, 20*(round%20))
}

// endedWithTick is a context that ends just when a tick does: whoever sleeps with it
// wakes for the tick and then finds it ended.
type endedWithTick struct{ context.Context }

func (endedWithTick) Err() error { return context.Canceled }

func TestContextThatEndsWithTheTickIsTheReason(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		r := openReader(t, on.spot(t), linesSmall)
		r.slots[r.index].sleeping.Store(asleep)
		if err := r.sleep(endedWithTick{context.Background()}, bell(r.index)); err != context.Canceled {
			t.Errorf("sleep: %v, want %v", err, context.Canceled)
		}
	})
}
