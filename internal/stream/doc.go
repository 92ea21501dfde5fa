// Package stream carries lines and files from many writers to many readers
// through shared memory. It is what the commands write, read, send and recv do, and
// the worked example of how the raw primitives are used well. A Site says where: a
// System V segment and a semaphore set under the same key (docs/abi/stream.md), or a
// file, named or by a descriptor (docs/abi/stream-file.md). The two documents have the
// layout and every step, with what happens if a participant dies between any two of
// them.
//
// Programs that want messages between Go processes want package topic, not this.
//
// A Writer or Reader belongs to one goroutine at a time. On a file that is also what
// makes its locks exclude others: those of an open file description do not exclude
// goroutines that share it. Two members never do.
//
// # Lock order
//
// turn, then lock; both are semaphores of the set, or locks of the file, and given back
// by the kernel when their holder dies. Nothing waits for another participant while it holds
// lock.
package stream
