package topic_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

// readGolden writes a golden image to the two files of a topic. It is written by hand from
// docs/abi/topic.md, and never by this program.
func readGolden(t *testing.T, name string, body, messages []byte) {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the golden images are those of a little-endian machine")
	}
	text, err := os.ReadFile("testdata/" + name)
	must(t, err)
	clear(body)
	clear(messages)
	for line := range strings.Lines(string(text)) {
		line, _, _ := strings.Cut(line, "#")
		at, words, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		var file string
		var offset int
		if _, err := fmt.Sscanf(at, "%s %d", &file, &offset); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		b, err := hex.DecodeString(strings.ReplaceAll(words, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		copy(map[string][]byte{"body": body, "messages": messages}[file][offset:], b)
	}
}

func createBytes(t *testing.T, o topic.Options) *topic.Bytes {
	t.Helper()
	o.Dir = shmtest.Dir(t)
	b, err := topic.CreateBytes("news", &o)
	must(t, err)
	t.Cleanup(func() { mustClose(t, b) })
	return b
}

func goldenSlots() topic.Options {
	return topic.Options{MaxMessage: 40, Publishers: 2, Subscribers: 1, Depth: 2, History: 2, Held: 1, Loans: 1}
}

func TestATopicIsByteForByteAsDocumented(t *testing.T) {
	b := createBytes(t, goldenSlots())
	body, messages, err := b.Raw()
	must(t, err)
	wantBody, wantMessages := make([]byte, len(body)), make([]byte, len(messages))
	readGolden(t, "slots.golden", wantBody, wantMessages)
	if len(body) != 448 || len(messages) != 4096 {
		t.Errorf("%d and %d bytes", len(body), len(messages))
	}
	p, err := b.Publisher()
	must(t, err)
	q, err := b.Publisher()
	must(t, err)
	defer mustClose(t, q)
	must(t, errors.Join(p.TrySend([]byte("hello")), p.TrySend([]byte("good-bye")), p.Close()))
	must(t, q.TrySend([]byte(strings.Repeat("a", 40))))
	s, err := b.Subscriber(nil)
	must(t, err)
	defer mustClose(t, s)
	if n, _, err := s.TryRead(make([]byte, 40)); n != 5 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for i := range body {
		if body[i] != wantBody[i] {
			t.Errorf("byte %d of the body is %#x, documented as %#x", i, body[i], wantBody[i])
		}
	}
	for i := range messages {
		if messages[i] != wantMessages[i] {
			t.Errorf("byte %d of the messages is %#x, documented as %#x", i, messages[i], wantMessages[i])
		}
	}
}

func TestTheGoldenImageOfSlotsIsRead(t *testing.T) {
	b := createBytes(t, goldenSlots())
	body, messages, err := b.Raw()
	must(t, err)
	readGolden(t, "slots.golden", body, messages)
	stat, err := b.Stat()
	must(t, err)
	if want := fmt.Sprint([]topic.Lane{{Publisher: 1, Member: -1, Sent: 2, Free: 2}, {Publisher: 2, Alive: true, Sent: 1, Free: 3}}); fmt.Sprint(stat.Lanes) != want {
		t.Errorf("%+v, want %s", stat.Lanes, want)
	}
	if want := fmt.Sprint([]topic.Seat{{Alive: true, Reliable: true, Behind: 2}}); fmt.Sprint(stat.Seats) != want {
		t.Errorf("%+v, want %s", stat.Seats, want)
	}
	// Without the subscriber, and with another publisher in lane 0.
	clear(body[256:264])
	s, err := b.Subscriber(nil)
	must(t, err)
	defer mustClose(t, s)
	p, err := b.Publisher()
	must(t, err)
	defer mustClose(t, p)
	must(t, p.TrySend([]byte("again")))
	var got []string
	into := make([]byte, 40)
	for {
		n, i, err := s.TryRead(into)
		if err == topic.ErrEmpty {
			break
		}
		must(t, err)
		got = append(got, fmt.Sprintf("%d.%d %s", i.Publisher, i.Sequence, into[:n]))
	}
	if want := []string{"1.1 hello", "2.1 " + strings.Repeat("a", 40), "1.2 good-bye", "3.3 again"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestTheGoldenImageOfChunksIsRead(t *testing.T) {
	b := createBytes(t, topic.Options{MaxMessage: 300, Publishers: 1, Subscribers: 1, Depth: 1, History: 1, Held: 1, Loans: 1, Timestamps: true})
	body, messages, err := b.Raw()
	must(t, err)
	if len(body) != 384 || len(messages) != 4096+133*320 {
		t.Errorf("%d and %d bytes", len(body), len(messages))
	}
	readGolden(t, "chunks.golden", body, messages)
	s, err := b.Subscriber(nil)
	must(t, err)
	defer mustClose(t, s)
	m, err := s.TryReceive()
	must(t, err)
	if string(m.Data()) != "abc" || m.Sequence != 10 || m.Publisher != 5 || m.Time != 123456 || m.Missed != 0 {
		t.Errorf("%q, %+v", m.Data(), m.Info)
	}
	word := func(b []byte, at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
	if word(body, 320) != 8 || word(body, 256) != 22 || word(body, 64) != 10 || body[196] != 5 || binary.NativeEndian.Uint32(body) != 7 {
		t.Errorf("hazard %d, cursor %d, joins %d, mode %d, bell %d", word(body, 320), word(body, 256), word(body, 64), body[196], body[0])
	}
	p, err := b.Publisher()
	must(t, err)
	defer mustClose(t, p)
	if p.ID() != 6 || p.Tail() != 10 {
		t.Errorf("publisher %d behind message %d", p.ID(), p.Tail())
	}
	for n := range 10 {
		must(t, p.TrySend([]byte(fmt.Sprint(n))))
		if k, i, err := s.TryRead(make([]byte, 300)); k != 1 || i.Sequence != uint64(11+n) || err != nil {
			t.Fatalf("%d bytes, %+v, %v", k, i, err)
		}
	}
	if string(m.Data()) != "abc" { // it is still held
		t.Errorf("%q", m.Data())
	}
	must(t, m.Release())
	if word(body, 320) != 0 || binary.NativeEndian.Uint32(body) != 8 || word(messages, 192) != 40 {
		t.Errorf("hazard %d, bell %d, tail %d", word(body, 320), body[0], word(messages, 192))
	}
}
