package stream

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// payload is n bytes that nothing else looks like.
func payload(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed + i*7 + i>>8)
	}
	return b
}

// exchange appends a record and reads it.
func exchange(t testing.TB, w *Writer, r *Reader, b []byte) {
	t.Helper()
	ctx := failsafe(t)
	if err := w.Put(ctx, Line, b); err != nil {
		t.Fatal(err)
	}
	rec, err := r.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Kind != Line || !bytes.Equal(rec.Data, b) || rec.End != w.tail {
		t.Fatalf("record %d of %d bytes at %d to %d, tail %d, not the %d bytes put", rec.Kind, len(rec.Data), rec.Pos, rec.End, w.tail, len(b))
	}
	// A record that is being read takes space: the next may need all there is.
	if err := r.Advance(); err != nil {
		t.Fatal(err)
	}
}

// pair is a writer that has the turn and a reader.
func pair(t testing.TB, key spot, o Options) (*Writer, *Reader) {
	t.Helper()
	r, w := openReader(t, key, o), openWriter(t, key, o)
	if err := w.Begin(failsafe(t)); err != nil {
		t.Fatal(err)
	}
	return w, r
}

func TestEveryRecordSizeAtEveryOffset(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		step := 1
		if testing.Short() || underRace || on != onSysV { // the ring is the same everywhere
			step = 17
		}
		for _, capacity := range []int64{MinCapacity, MinCapacity + 8, MinCapacity + 40} {
			t.Run(fmt.Sprint(capacity), func(t *testing.T) {
				w, r := pair(t, on.spot(t), Options{Content: Lines, Capacity: capacity})
				most := w.MaxPayload()
				sizes := []int{0, 1, 7, 8, 9, 15, 16, 17, 100, 1000, most/2 + 3, most - 9, most - 8, most - 7, most - 1, most}
				// fill appends up to an offset of the ring.
				fill := func(offset uint64) {
					for at := w.tail % w.capacity; at != offset; at = w.tail % w.capacity {
						n := (offset + w.capacity - at) % w.capacity
						n = min(n, uint64(most)+recordHeader, w.capacity-at)
						exchange(t, w, r, payload(int(at), int(n-recordHeader)))
					}
				}
				for offset := uint64(0); offset < w.capacity; offset += uint64(8 * step) {
					for i, n := range sizes {
						fill(offset)
						exchange(t, w, r, payload(i+int(offset), n))
					}
				}
			})
		}
	})
}

// Whatever sizes and however many at once: what comes out is what went in.
func TestRandomRecords(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		rapid.Check(t, func(rt *rapid.T) {
			key := on.spot(t)
			capacity := rapid.Int64Range(MinCapacity, 3*MinCapacity).Draw(rt, "capacity")
			w, r := pair(t, key, Options{Content: Lines, Capacity: capacity})
			defer closeMember(t, r)
			defer closeMember(t, w)
			if w.capacity != uint64(capacity+7)&^7 {
				rt.Fatalf("ring of %d", w.capacity)
			}
			ctx := failsafe(t)
			var waiting [][]byte // put and not yet read
			room := func(n int) bool {
				used := recordSize(n) + w.capacity/2 // a pad at most
				for _, b := range waiting {
					used += recordSize(len(b))
				}
				return used < w.capacity/2+w.capacity/4
			}
			seed := 0
			rt.Repeat(map[string]func(*rapid.T){
				"put": func(rt *rapid.T) {
					n := rapid.IntRange(0, w.MaxPayload()).Draw(rt, "size")
					if !room(n) {
						return
					}
					seed++
					if err := w.Put(ctx, Line, payload(seed, n)); err != nil {
						rt.Fatal(err)
					}
					waiting = append(waiting, payload(seed, n))
				},
				"commit less than reserved": func(rt *rapid.T) {
					n := rapid.IntRange(0, w.MaxPayload()).Draw(rt, "size")
					if !room(n) {
						return
					}
					b, err := w.Reserve(ctx, n)
					if err != nil || len(b) != n || cap(b) != n {
						rt.Fatal(len(b), cap(b), err)
					}
					seed++
					less := rapid.IntRange(0, n).Draw(rt, "of it")
					copy(b, payload(seed, less))
					w.Commit(Line, less)
					waiting = append(waiting, payload(seed, less))
				},
				"read": func(rt *rapid.T) {
					for range rapid.IntRange(1, 20).Draw(rt, "records") {
						if r.Pending() != (len(waiting) > 0) {
							rt.Fatalf("pending %t, %d records wait", r.Pending(), len(waiting))
						}
						if len(waiting) == 0 {
							return
						}
						rec, err := r.Next(ctx)
						if err != nil || !bytes.Equal(rec.Data, waiting[0]) {
							rt.Fatalf("%d bytes, %v; not the %d put", len(rec.Data), err, len(waiting[0]))
						}
						waiting = waiting[1:]
					}
					if err := r.Advance(); err != nil { // so that room knows what is free
						rt.Fatal(err)
					}
				},
				"turn": func(rt *rapid.T) {
					if err := several(w.End(), w.Begin(ctx)); err != nil {
						rt.Fatal(err)
					}
				},
			})
		})
	})
}

// A ring may have any size, whoever made the segment.
func TestRingsOfOddSizes(t *testing.T) {
	everywhere(t, func(t *testing.T, on terrain) {
		for _, extra := range []int64{0, 1, 7, 8, 9, 4095, 12345} {
			t.Run(fmt.Sprint(extra), func(t *testing.T) {
				for name, o := range map[string]Options{
					"made":    {Content: Lines, Capacity: MinCapacity + extra},
					"adopted": {Content: Lines},
				} {
					key := on.spot(t)
					want := uint64(MinCapacity+extra+7) &^ 7
					if name == "adopted" {
						key.blank(t, ringOffset+MinCapacity+extra)
						want = uint64(MinCapacity+extra) &^ 7
					}
					w, r := pair(t, key, o)
					if w.capacity != want {
						t.Errorf("%s: a ring of %d, not %d", name, w.capacity, want)
					}
					for i := range 100 {
						exchange(t, w, r, payload(i, i*97%(w.MaxPayload()+1)))
					}
					closeMember(t, w)
					closeMember(t, r)
					nothingUnder(t, key)
				}
			})
		}
	})
}
