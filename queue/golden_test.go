package queue_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/shmtest"
)

// goldenFile is a queue as docs/abi describes it, in hexadecimal: OFFSET: BYTES, all zero
// elsewhere. It is written by hand from those pages, and never by this program.
const goldenFile = "testdata/queue.golden"

func readGolden(t *testing.T) []byte {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 || os.Getpagesize() != 4096 {
		t.Skip("the golden image is that of a little-endian machine with pages of 4 KiB")
	}
	text, err := os.ReadFile(goldenFile)
	must(t, err)
	image := make([]byte, 12288)
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		at, words, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		var offset int
		_, err := fmt.Sscanf(at, "%d", &offset)
		must(t, err)
		b, err := hex.DecodeString(strings.ReplaceAll(words, " ", ""))
		must(t, err)
		copy(image[offset:], b)
	}
	return image
}

// goldenOptions is what the image is of.
func goldenOptions(dir string) *queue.Options {
	return &queue.Options{Dir: dir, Capacity: 2, MaxItem: 8, Deliveries: 1, DeadLetters: 1, Members: 2, Persistent: true}
}

func TestAQueueIsByteForByteAsDocumented(t *testing.T) {
	want := readGolden(t)
	dir := shmtest.Dir(t)
	removed(t, dir)
	q, err := queue.OpenBytes("jobs", goldenOptions(dir))
	must(t, err)
	must(t, q.TryPush([]byte("one")))
	it, err := q.TryPop()
	must(t, err)
	must(t, it.Retry())
	must(t, q.TryPush([]byte("two")))
	it, err = q.TryPop()
	must(t, err)
	must(t, q.TryPush([]byte("six")))
	got, err := os.ReadFile(q.Path())
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d bytes", len(got))
	}
	// What is different each time: id, when it was made, boot, and who its member is.
	for _, varies := range [][2]int{{32, 72}, {4096 + 4, 4096 + 36}, {4096 + 40, 4096 + 56}} {
		clear(got[varies[0]:varies[1]])
		clear(want[varies[0]:varies[1]])
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("byte %d is %#x, documented as %#x", i, got[i], want[i])
		}
	}
	must(t, it.Done())
	must(t, q.Close())
}

// The member of the image is dead. What it had was delivered as often as is allowed, and is a
// dead letter now, in the place of the older one.
func TestTheGoldenImageOpensAndIsRepaired(t *testing.T) {
	image := readGolden(t)
	dir := shmtest.Dir(t)
	removed(t, dir)
	must(t, os.WriteFile(filepath.Join(dir, "queue.jobs"), image, 0o600))
	i, err := queue.Look("jobs", dir)
	must(t, err)
	if i.Ready != 1 || i.Claimed != 1 || i.Dead != 1 || i.Orphaned != 1 || i.Capacity != 2 || i.MaxItem != 8 || len(i.Members) != 1 ||
		i.Members[0].PID != 42 || i.Members[0].Held != 1 {
		t.Errorf("%+v", i)
	}
	q, err := queue.OpenBytes("jobs", &queue.Options{Dir: dir, Existing: true})
	must(t, err)
	s, err := q.Stat()
	must(t, err)
	if want := (queue.Stat{Capacity: 2, MaxItem: 8, Deliveries: 1, DeadLetters: 1, Ready: 1, Dead: 1, Free: 1, Pushed: 3, Dropped: 1, Size: 12288}); s != want {
		t.Errorf("%+v", s)
	}
	for _, next := range []struct {
		pop  func() (queue.BytesItem, error)
		want string
	}{{q.TryPop, "six 3 1"}, {q.PopDead, "two 2 1"}} {
		it, err := next.pop()
		must(t, err)
		if got := fmt.Sprint(string(it.Data()), " ", it.Sequence(), " ", it.Deliveries()); got != next.want {
			t.Errorf("%q, want %q", got, next.want)
		}
		must(t, it.Done())
	}
	must(t, q.Close())
}
