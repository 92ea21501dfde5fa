package words

// What follows is for words with one writer, whose readers find out by another word whether
// they saw what they should. No fence is paid for where the hardware keeps the order anyway.

// Release64 writes *p behind all reads and writes that were made before. Others may see it
// later than what its writer reads next.
//
//go:noescape
func Release64(p *Uint64, v uint64)

// Release32 is Release64 of 32 bits.
//
//go:noescape
func Release32(p *Uint32, v uint32)

// CopyIn writes n words of 8 bytes, each whole, to dst, which others read: behind all writes that
// were made before, and in front of the next operation of this package or of sync/atomic. dst is
// aligned to 8.
//
//go:noescape
func CopyIn(dst, src *byte, n int)

// CopyOut reads n words of 8 bytes, each whole, from src, which others write to: in front of all
// reads that are made later. src is aligned to 8.
//
//go:noescape
func CopyOut(dst, src *byte, n int)

// Prefetch has n bytes fetched that will be read soon, and PrefetchWrite such that will be
// written. They never fault.
//
//go:noescape
func Prefetch(p *byte, n int)

// PrefetchWrite is as of Prefetch.
//
//go:noescape
func PrefetchWrite(p *byte, n int)

// PutMessage writes what to slot + 8, n words of 8 bytes from src to slot + at, and then word to
// slot: in this order for who reads them, and behind all writes that were made before. slot and at are
// multiples of 8.
//
//go:noescape
func PutMessage(slot, src *byte, word, what uint64, at, n int)
