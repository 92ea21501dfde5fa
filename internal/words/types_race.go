//go:build race

package words

// noCopy and the fields below are what the types of sync/atomic have: a struct of such words
// is laid out, and named, the same with -race and without.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

type align64 struct{}

// Uint32 is as of types.go.
type Uint32 struct {
	_ noCopy
	v uint32
}

// Load is that of sync/atomic, like all that follow.
func (x *Uint32) Load() uint32                    { return Load32(&x.v) }
func (x *Uint32) Store(v uint32)                  { Store32(&x.v, v) }
func (x *Uint32) Swap(v uint32) uint32            { return Swap32(&x.v, v) }
func (x *Uint32) CompareAndSwap(o, v uint32) bool { return CompareAndSwap32(&x.v, o, v) }
func (x *Uint32) Add(delta uint32) uint32         { return Add32(&x.v, delta) }

func (x *Uint32) And(mask uint32) (old uint32) {
	for old = x.Load(); !x.CompareAndSwap(old, old&mask); old = x.Load() {
	}
	return old
}

func (x *Uint32) Or(mask uint32) (old uint32) {
	for old = x.Load(); !x.CompareAndSwap(old, old|mask); old = x.Load() {
	}
	return old
}

// Uint64 is as of types.go.
type Uint64 struct {
	_ noCopy
	_ align64
	v uint64
}

func (x *Uint64) Load() uint64                    { return Load64(&x.v) }
func (x *Uint64) Store(v uint64)                  { Store64(&x.v, v) }
func (x *Uint64) Swap(v uint64) uint64            { return Swap64(&x.v, v) }
func (x *Uint64) CompareAndSwap(o, v uint64) bool { return CompareAndSwap64(&x.v, o, v) }
func (x *Uint64) Add(delta uint64) uint64         { return Add64(&x.v, delta) }

func (x *Uint64) And(mask uint64) (old uint64) {
	for old = x.Load(); !x.CompareAndSwap(old, old&mask); old = x.Load() {
	}
	return old
}

func (x *Uint64) Or(mask uint64) (old uint64) {
	for old = x.Load(); !x.CompareAndSwap(old, old|mask); old = x.Load() {
	}
	return old
}

// Int64 is as of types.go.
type Int64 struct {
	_ noCopy
	_ align64
	v uint64
}

func (x *Int64) Load() int64                    { return int64(Load64(&x.v)) }
func (x *Int64) Store(v int64)                  { Store64(&x.v, uint64(v)) }
func (x *Int64) Swap(v int64) int64             { return int64(Swap64(&x.v, uint64(v))) }
func (x *Int64) CompareAndSwap(o, v int64) bool { return CompareAndSwap64(&x.v, uint64(o), uint64(v)) }
func (x *Int64) Add(delta int64) int64          { return int64(Add64(&x.v, uint64(delta))) }
