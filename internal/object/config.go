package object

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/shmkit/shmkit"
)

// Config is what an object is made with, or must be like to be opened.
type Config struct {
	Kind Kind
	// Type and Fingerprint name what stands in the body; another fingerprint is refused
	// on opening unless this one is 0.
	Type        string
	Fingerprint uint64
	BodySize    int64 // bytes, at least 1; on opening 0 takes any
	// AnySize says that BodySize is only that of a new object, and opening takes any.
	AnySize bool
	// Members is how many slots a new object gets, 1 to MaxMembers.
	Members int
	// Stride is the size of a member record: RecordHeader and the kind's part.
	Stride     int
	Persistent bool // the object stays when nobody has it open
	Mode       fs.FileMode
	// Annex is how many bytes the second file of a new object has, 0 for none; AnnexMode its
	// permission bits, 0 as Mode.
	Annex     int64
	AnnexMode fs.FileMode
	// Words are the kind's own settings of a new object.
	Words [16]uint64
	// Init fills in the body of a new object, and its annex, before anybody can see it.
	Init func(o *Object) error
	// Recover makes good what a dead member's record says; it must come out right if it
	// is done twice. The caller of it holds the dead member's slot.
	Recover func(o *Object, slot int) error
	// Keep says that an object that nobody living has open still tells the next one to come
	// something, so that it is joined and not removed.
	Keep func(o *Object) bool
	// AnyOwner opens objects of users other than this one, root and the directory's owner.
	AnyOwner bool
}

// shape is the part of a header that describes the layout, checked.
type shape struct {
	kind        Kind
	size        int64
	members     int
	stride      int
	body        int64
	bodySize    int64
	annex       int64 // bytes of the second file, 0: there is none
	persistent  bool
	fingerprint uint64
	typeName    string
	words       [16]uint64
	id          [16]byte
	created     time.Time
	minor       uint32
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// shape returns what a new object looks like, or why there cannot be one.
func (c *Config) shape() (shape, error) {
	s := shape{kind: c.Kind, members: c.Members, stride: c.Stride, bodySize: c.BodySize, annex: c.Annex, persistent: c.Persistent,
		fingerprint: c.Fingerprint, typeName: c.Type, words: c.Words}
	page := int64(os.Getpagesize())
	switch {
	case s.members < 1 || s.members > MaxMembers:
		return s, fmt.Errorf("%d members are not between 1 and %d: %w", s.members, MaxMembers, syscall.EINVAL)
	case s.stride < RecordHeader || s.stride > maxStride || s.stride%64 != 0:
		return s, fmt.Errorf("a record of %d bytes: %w", s.stride, syscall.EINVAL)
	case s.bodySize < 1 || s.bodySize > maxSize/2:
		return s, fmt.Errorf("a body of %d bytes: %w", s.bodySize, syscall.EINVAL)
	case s.annex < 0 || s.annex > maxSize:
		return s, fmt.Errorf("a second file of %d bytes: %w", s.annex, syscall.EINVAL)
	}
	s.body = roundUp(headerSize+int64(s.members)*int64(s.stride), max(page, headerSize))
	s.size = roundUp(s.body+s.bodySize, page)
	return s, nil
}

// format writes the header of a new object into zero memory, ready last.
func (o *Object) format(c *Config) error {
	h := o.h
	h.major.Store(Major)
	h.minor.Store(Minor)
	h.kind.Store(uint32(o.kind))
	h.size.Store(uint64(o.size))
	if _, err := rand.Read(h.id[:]); err != nil {
		return err
	}
	h.created.Store(time.Now().UnixNano())
	copy(h.boot[:], bootID())
	if o.persistent {
		h.flags.Store(flagPersistent)
	}
	h.members.Store(uint32(o.members))
	h.stride.Store(uint32(o.stride))
	h.body.Store(uint64(o.body))
	h.bodySize.Store(uint64(o.bodySize))
	h.fingerprint.Store(o.fingerprint)
	for i, w := range o.words {
		h.config[i].Store(w)
	}
	copy(h.typeName[:typeName-1], o.typeName)
	h.annex.Store(uint64(o.shape.annex))
	h.magic.Store(magic)
	h.ready.Store(1)
	o.id = h.id
	return nil
}

// bootID returns the random id of this boot, nil where /proc does not tell.
func bootID() []byte {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil
	}
	var id []byte
	if _, err := fmt.Sscanf(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""), "%x", &id); err != nil {
		return nil
	}
	return id
}

// readShape reads the header of an object in a file of size bytes, and checks it.
// Every word is read once.
func readShape(h *header, size int64) (shape, error) {
	corrupt := func(format string, args ...any) (shape, error) {
		return shape{}, fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
	}
	if m := h.magic.Load(); m != magic {
		return shape{}, notBegun(size, binary.LittleEndian.AppendUint64(nil, m))
	}
	if v := h.major.Load(); v != Major {
		return shape{}, fmt.Errorf("%w: %d.%d, this program knows %d", ErrVersion, v, h.minor.Load(), Major)
	}
	if h.ready.Load() != 1 {
		return corrupt("it was never finished")
	}
	s := shape{
		kind: Kind(h.kind.Load()), members: int(h.members.Load()), stride: int(h.stride.Load()), minor: h.minor.Load(),
		persistent: h.flags.Load()&flagPersistent != 0, fingerprint: h.fingerprint.Load(), created: time.Unix(0, h.created.Load()), id: h.id,
	}
	total, body, bodySize, annex := h.size.Load(), h.body.Load(), h.bodySize.Load(), h.annex.Load()
	for i := range s.words {
		s.words[i] = h.config[i].Load()
	}
	name := h.typeName
	text, _, terminated := bytes.Cut(name[:], []byte{0})
	s.typeName = string(text)
	switch {
	case total != uint64(size):
		return corrupt("its header says %d bytes, it has %d", total, size)
	case s.members < 1 || s.members > MaxMembers || s.stride < RecordHeader || s.stride > maxStride || s.stride%64 != 0:
		return corrupt("%d members of %d bytes", s.members, s.stride)
	case !terminated:
		return corrupt("its type has no name")
	case body%headerSize != 0 || body < headerSize+uint64(s.members)*uint64(s.stride) || body > total || bodySize < 1 || bodySize > total-body:
		return corrupt("a body of %d bytes at %d in %d", bodySize, body, total)
	case annex > maxSize:
		return corrupt("a second file of %d bytes", annex)
	}
	s.size, s.body, s.bodySize, s.annex = size, int64(body), int64(bodySize), int64(annex)
	return s, nil
}

// fits reports why an object of this shape is not what c wants.
func (s *shape) fits(c *Config) error {
	switch {
	case c.Kind != 0 && s.kind != c.Kind:
		return fmt.Errorf("%w: it is a %s, not a %s", ErrType, s.kind, c.Kind)
	case c.Fingerprint != 0 && s.fingerprint != c.Fingerprint:
		return fmt.Errorf("%w: it holds a %q, not a %q of the same layout", ErrType, s.typeName, c.Type)
	case c.BodySize != 0 && !c.AnySize && s.bodySize < c.BodySize:
		return fmt.Errorf("%w: its body has %d bytes, not %d", ErrType, s.bodySize, c.BodySize)
	case c.Stride > s.stride:
		return fmt.Errorf("%w: its member records have %d bytes, not %d", ErrType, s.stride, c.Stride)
	}
	return nil
}

// guard runs f with faults in shared memory as errors.
func guard(f func() error) (err error) {
	if fault := shmkit.Guard(func() { err = f() }); fault != nil {
		return fault
	}
	return err
}

// Size returns how many bytes a new object has, its annex not counted.
func (c *Config) Size() (int64, error) {
	s, err := c.shape()
	return s.size, err
}
