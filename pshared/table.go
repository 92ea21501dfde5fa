package pshared

import (
	"bytes"
	"encoding/binary"

	"github.com/shmkit/shmkit/internal/object"
)

// A struct is followed by a table of the words in it, so that an outsider can tell of
// them who knows nothing of the type (docs/abi/struct.md). Nobody else reads it.
const (
	tableLine  = 64 // bytes: offset (u32), kind (u32), path
	tableWords = 4096
	tablePath  = tableLine - 8
)

// tableAt returns where the table of a struct begins.
func tableAt(size int64) int64 { return (size + 7) / 8 * 8 }

// addTable makes room in an object's configuration for the table of places.
func addTable(c *object.Config, places []place) {
	places = places[:min(len(places), tableWords)]
	at := tableAt(c.BodySize)
	c.Words[0], c.Words[1] = uint64(at), uint64(len(places))
	c.BodySize = at + int64(len(places))*tableLine
	c.Init = func(o *object.Object) error {
		b := o.Body()[at:]
		for _, p := range places {
			binary.NativeEndian.PutUint32(b, uint32(p.offset))
			binary.NativeEndian.PutUint32(b[4:], uint32(p.kind))
			copy(b[8:tableLine], p.path)
			b = b[tableLine:]
		}
		return nil
	}
}

// A description is what an object says of itself, for who knows nothing of it.
type description struct {
	kind     object.Kind
	typeName string
	words    [16]uint64
	bodySize int64
	read     func(p []byte, offset int64) error // from the body
}

// places returns where the words of the object are: by its table if it is a struct, or by
// the name of its type. What a table says is checked by who uses it, but for its size.
func (d *description) places() (places []place, err error) {
	if d.kind == object.Struct {
		return d.readTable()
	}
	for t, w := range wordTypes {
		if t.String() == d.typeName {
			p := place{kind: w.kind, entry: -1}
			if w.entry {
				p.entry = 0
			}
			places = append(places, p)
		}
	}
	return places, nil
}

func (d *description) readTable() (places []place, err error) {
	at, n := d.words[0], d.words[1]
	if at > uint64(d.bodySize) || n > tableWords || n*tableLine > uint64(d.bodySize)-at {
		return nil, ErrCorrupt
	}
	entries := 0
	line := make([]byte, tableLine)
	for k := range int64(n) {
		if err := d.read(line, int64(at)+k*tableLine); err != nil {
			return nil, err
		}
		path, _, _ := bytes.Cut(line[8:], []byte{0})
		p := place{offset: int64(binary.NativeEndian.Uint32(line)), kind: wordKind(binary.NativeEndian.Uint32(line[4:])), path: string(path), entry: -1}
		w, known := wordTypeOf[p.kind]
		if !known || p.offset+w.size > int64(at) || p.offset%w.align != 0 {
			return nil, ErrCorrupt
		}
		if w.entry {
			p.entry = entries
			entries++
		}
		places = append(places, p)
	}
	return places, nil
}
