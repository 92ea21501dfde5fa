package object

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// goldenFile is an object as docs/abi/object.md describes it, in hexadecimal: OFFSET: BYTES,
// all zero elsewhere. It is written by hand from that page, and never by this program.
const goldenFile = "testdata/object.golden"

// readGolden returns the bytes of a golden image of so many bytes.
func readGolden(t *testing.T, size int64) []byte {
	t.Helper()
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	image := make([]byte, size)
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		at, words, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		var offset int
		if _, err := fmt.Sscanf(at, "%d", &offset); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		b, err := hex.DecodeString(strings.ReplaceAll(words, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		copy(image[offset:], b)
	}
	return image
}

// goldenConfig is what the image is of: 2 members, 8192 bytes and a body of 8 in a page.
func goldenConfig() Config {
	c := Config{Kind: Lock, Type: "pshared.MutexWord", Fingerprint: 0x1122334455667788, BodySize: 8, Members: 2, Stride: 128, Persistent: true}
	c.Words[0], c.Words[15] = 1, 0xffff
	return c
}

// needsLittle skips where the golden image is written the other way round.
func needsLittle(t *testing.T) {
	t.Helper()
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 || os.Getpagesize() != 4096 {
		t.Skip("the golden image is that of a little-endian machine with pages of 4 KiB")
	}
}

func TestAnObjectIsByteForByteAsDocumented(t *testing.T) {
	needsLittle(t)
	d := newDir(t)
	o, err := Create(ctx, d, "x", goldenConfig())
	if err != nil {
		t.Fatal(err)
	}
	path := o.place.path
	r := o.record(0)
	if r.pid.Load() != uint32(os.Getpid()) || r.start.Load() == 0 || r.pidns.Load() == 0 || r.joined.Load() == 0 || r.uid.Load() != uint32(os.Geteuid()) {
		t.Errorf("the record does not say who this is")
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// What is different each time is what the image has it as.
	for _, varies := range [][2]int{{32, 48}, {48, 56}, {56, 72}, {4096 + 4, 4096 + 36}, {4096 + 40, 4096 + 56}} {
		clear(got[varies[0]:varies[1]])
	}
	want := readGolden(t, int64(len(got)))
	for _, varies := range [][2]int{{32, 48}, {48, 56}, {56, 72}, {4096 + 4, 4096 + 36}, {4096 + 40, 4096 + 56}} {
		clear(want[varies[0]:varies[1]])
	}
	if len(got) != 12288 {
		t.Errorf("%d bytes", len(got))
	}
	for i := range got {
		if got[i] != want[i] && (i < 4096+32 || i >= 4096+36) {
			t.Errorf("byte %d is %#x, documented as %#x", i, got[i], want[i])
		}
	}
	closeOK(t, o)
	if err := Remove(d, Lock, "x"); err != nil {
		t.Error(err)
	}
}

func TestTheGoldenImageOpens(t *testing.T) {
	needsLittle(t)
	d := newDir(t)
	path := d.path + "/lock.x"
	golden := readGolden(t, 12288)
	c := goldenConfig()
	c.Words = [16]uint64{}
	open := func(image []byte) (*Object, error) {
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		return Open(ctx, d, "x", c)
	}
	o, err := open(golden)
	if err != nil {
		t.Fatal(err)
	}
	i, err := Look(d, Lock, "x", nil)
	if err != nil || i.Err != nil || len(i.Members) != 2 {
		t.Fatalf("%+v, %v", i, err)
	}
	i.Members[0].Part = nil
	if want := (MemberInfo{Slot: 0, Generation: 1, PID: 42, PIDNS: 4026531836, Start: 1000, UID: 1000, Command: "golden",
		Joined: time.Unix(1_700_000_000, 0)}); !reflect.DeepEqual(i.Members[0], want) {
		t.Errorf("its first member is %+v", i.Members[0])
	}
	if b := o.h.boot; b[0] != 16 || b[15] != 31 {
		t.Errorf("boot id %x", b)
	}
	if o.Words()[0] != 1 || o.Words()[15] != 0xffff || o.typeName != "pshared.MutexWord" || !o.persistent ||
		!o.created.Equal(time.Unix(1_700_000_000, 0)) || o.id[15] != 15 || o.gen != 1 || o.slot != 1 {
		t.Errorf("%+v, slot %d, generation %d", o.shape, o.slot, o.gen)
	}
	closeOK(t, o)

	// A minor version more is another program's, and no obstacle.
	minor := bytes.Clone(golden)
	binary.NativeEndian.PutUint32(minor[12:], 7)
	o, err = open(minor)
	if err != nil {
		t.Fatalf("minor version 7: %v", err)
	}
	if o.minor != 7 {
		t.Errorf("minor version %d", o.minor)
	}
	closeOK(t, o)

	// Another major version is refused, persistent or left behind, and nothing is written.
	for _, flags := range []uint32{0, flagPersistent} {
		major := bytes.Clone(golden)
		binary.NativeEndian.PutUint32(major[8:], 2)
		binary.NativeEndian.PutUint32(major[72:], flags)
		for i, f := range []func() error{
			func() error { _, err := open(major); return err },
			func() error { _, err := OpenOrCreate(ctx, d, "x", c); return err },
			func() error { _, err := Create(ctx, d, "x", c); return err },
			func() error { i, err := Look(d, Lock, "x", nil); return errors.Join(err, i.Err) },
		} {
			if err := f(); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "2.0") {
				t.Errorf("%d: major version 2: %v", i, err)
			}
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, major) {
			t.Errorf("another version's object was written to: %v", err)
		}
	}
	if err := Remove(d, Lock, "x"); err != nil {
		t.Error(err)
	}
}
