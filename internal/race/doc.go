// Package race tells the race detector what a lock in shared memory orders. The
// detector sees atomics on mapped memory neither as synchronisation nor as anything
// else, so that heap data guarded by such a lock would be reported. Without -race
// nothing of it is compiled.
//
// A Key stands for one word of shared memory, whatever address it is mapped at: what is
// released under a key happens before what is acquired under it later. Keys are
// hashed into a fixed table; two words that share an entry are ordered more than they
// need be, which can hide a race and never invents one.
package race

// Key is a place in the table.
type Key uint32

const entries = 4096

// KeyOf returns the key of the word at an offset of a file.
func KeyOf(device, inode uint64, offset int64) Key {
	h := uint64(14695981039346656037) // FNV-1a, of words
	for _, w := range []uint64{device, inode, uint64(offset)} {
		h = (h ^ w) * 1099511628211
	}
	return Key(h>>32) % entries
}
