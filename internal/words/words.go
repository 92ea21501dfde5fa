// Package words has atomic operations on words that may fault: in memory that a file
// stands behind, which anybody may cut off at any moment.
//
// sync/atomic would do, but for programs built with -race: there it calls C, and a fault
// in C ends the program, whatever Guard and debug.SetPanicOnFault say. (It touches the word
// once before, in Go; memory that is cut off between the two is not helped by that.) For the
// race detector nothing is lost, because it takes no notice of memory that is not Go's.
//
// Structs in shared memory are made of the types; the functions are for words at any address.
//
// Every operation is sequentially consistent. Words are aligned to their size; else the
// hardware may fault, or tear them.
package words

// Load32 reads *p.
//
//go:noescape
func Load32(p *uint32) (v uint32)

// Load64 reads *p.
//
//go:noescape
func Load64(p *uint64) (v uint64)

// Store32 writes *p.
func Store32(p *uint32, v uint32) { Swap32(p, v) }

// Store64 writes *p.
func Store64(p *uint64, v uint64) { Swap64(p, v) }

// Swap32 writes *p and returns what it was.
//
//go:noescape
func Swap32(p *uint32, v uint32) (old uint32)

// Swap64 writes *p and returns what it was.
//
//go:noescape
func Swap64(p *uint64, v uint64) (old uint64)

// Add32 adds delta to *p and returns the sum.
//
//go:noescape
func Add32(p *uint32, delta uint32) (sum uint32)

// Add64 adds delta to *p and returns the sum.
//
//go:noescape
func Add64(p *uint64, delta uint64) (sum uint64)

// CompareAndSwap32 writes *p if it is old, and reports whether it was.
//
//go:noescape
func CompareAndSwap32(p *uint32, old, v uint32) (swapped bool)

// CompareAndSwap64 writes *p if it is old, and reports whether it was.
//
//go:noescape
func CompareAndSwap64(p *uint64, old, v uint64) (swapped bool)
