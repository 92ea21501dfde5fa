// Package object is the self-describing shared object: one file with a header, a
// table of members and a body, which processes join and leave, and whose members'
// deaths are noticed however they come. Locks, topics and queues are objects.
// docs/abi/object.md describes it byte for byte and step for step.
//
// An Object is this process's membership. It holds an open file description of its
// own, on which the kernel keeps its lifeline; two Objects of one name in one
// process are two members.
//
// Traps:
//
//   - Holding a slot's byte is the right to write its record. Read other records
//     freely, and believe nothing they say about time or identity but through Dead.
//   - The body is shared memory in a file that a peer may truncate. The methods here
//     run under shmkit.Guard; what works on the body itself sees to that as it can
//     afford.
//   - A member of a stopped process is alive.
//   - Annex(false) is memory that the kernel lets nobody here write; Annex(true) is for
//     those whom the mode of the second file lets. Both are memory that a peer may
//     truncate, as the body is.
//
// # Lock order
//
// J, then a lifeline, or Object.second.mu. In the process: locks.mu around every call that locks or
// probes, because locks of one description do not exclude goroutines. For the same
// reason Object.sweeping is held while dead members' records are cleaned.
package object
