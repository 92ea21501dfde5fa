// Package shmkit is shared memory for Go on Linux.
//
// The root package holds Mapping: one process's view of a piece of shared
// memory, whatever made it. The packages that make it are sources of memory:
// sysv (segments of System V), filemap (files), posixshm (named objects) and memfd.
//
//	seg, err := sysv.OpenOrCreate(0x5eed, 1<<20, 0o600)
//	m, err := seg.Attach(nil)
//	defer m.Close()
//	n, err := m.WriteAt([]byte("hello"), 0)
//
// There are three ways to touch the memory, from the most to the least guarded:
//
//   - ReadAt, WriteAt and the atomic methods (Load32, Add64, …) copy. They check
//     bounds, hold the mapping while they work, and turn a fault into an error.
//   - View and ViewSlice place a pointer-free type over the memory and hold the
//     mapping until the view is closed. They check size, alignment and layout
//     once; after that an access costs what an access to Go memory costs. A
//     fault stops the program, unless the code runs in Guard.
//   - Bytes gives the raw slice and holds nothing.
//
// What went wrong in a fault is a *FaultError: which mapping and offset, reading or
// writing where that is known, and the cause (ErrTruncated, ErrNoSpace, ErrReadOnly, …).
//
// # Page control
//
// Protect, Lock, LockOnFault, Unlock, Advise, Collapse, Prefault, Resident and Flush work
// on a range of bytes of any mapping. The kernel knows whole pages only: what harms no
// neighbour is done to all pages that the range touches, the rest wants a range that ends
// where pages do.
//
// Resize makes a mapping show more or less of its object; Split makes two mappings of
// one, so that a part can be closed, or replaced by something else, while the rest stays.
// Both leave views in use alone: they refuse (ErrInUse) what a view would notice.
//
// # Traps
//
// Nothing here synchronises. Two processes that write the same bytes need
// atomic words or a lock between them.
//
// Never put a Go pointer, string, slice, map, channel, function or interface
// into shared memory: it means nothing in another process, and the garbage
// collector does not see it. View refuses such types. A bool, or an index, that
// a peer wrote may hold any bits: check what you read.
//
// Detach is not remove: Close ends this process's view, the segment stays.
//
// A Go pointer or slice into a mapping (from Bytes, or from Data of a view) that
// is used after Close does not reach somebody else's memory: the addresses stay
// reserved and a use of them faults, in Guard with ErrClosed. So do those that Resize
// left, with ErrUnmapped: a slice from Bytes does not follow a mapping that moves. The
// reservation is dropped after maxQuarantined later closes (4,096) or maxQuarantinedBytes
// of address space (1 TiB, or an eighth of RLIMIT_AS).
//
// The cause of a fault is asked for after the fact. What has passed meanwhile is taken for
// a file that was cut off and has grown again: ErrTruncated, whose text says so.
//
// Protection is one value for the mapping. When Protect changed a part, it is what some
// part may be used for, and an accessor that it lets through may fault (*FaultError)
// where otherwise it would be refused (*AccessError).
//
// Guard covers the loads and stores of its own goroutine only; see Guard. In a program
// built with -race it does not cover sync/atomic on a view. The atomic methods are covered.
//
// # Lock order
//
// Shrink takes its own lock, then those of the views of every mapping of an object, then
// the registry's. Resize and Protect take the lock of their mapping's views, then the
// registry's; Mapping.Close takes the registry's and no other. Nothing calls out, or
// waits for a mapping that is being replaced, split or moved, with the registry's lock
// held.
package shmkit
