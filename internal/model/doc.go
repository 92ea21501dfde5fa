// Package model says what the Linux kernel does when processes share memory, as
// sequential Go that can be read from top to bottom. It makes no system call.
//
// A World holds everything: objects with their pages, the registry of System V
// segments, and processes with descriptors, an address space and a page table. World.Do
// executes one operation and returns what the kernel would answer: a value, an errno,
// SIGSEGV or SIGBUS, and why in a sentence or two.
//
// # Reading order
//
//	page.go       the unit of everything
//	object.go     what can be mapped, and the page cache: why memory is shared
//	area.go       a range of addresses and where its bytes come from
//	space.go      the areas of a process, split and removed
//	merge.go      when areas become one
//	table.go      the page table: what has really been touched
//	fault.go      what happens when a program touches memory
//	process.go    descriptors and privileges
//	mmap.go       making a mapping
//	munmap.go     taking it away
//	mprotect.go   changing what may be done
//	mremap.go     growing, shrinking, moving
//	madvise.go    orders called advice: forget, punch, guard, populate
//	mlock.go      keeping pages in memory, and what that counts
//	look.go       what a process sees of its own memory
//	msync.go      what writing back does, and what it does not
//	files.go      the same objects through descriptors
//	filesize.go   cutting off and growing under a mapping, reserving, holes
//	seal.go       rights taken away for good
//	registry.go   System V: keys, ids, permissions, limits
//	shm.go        shmget
//	shmat.go      attaching and detaching
//	shmctl.go     stat, removal, mode, locking
//	world.go      all of it together
//	outcome.go    answers
//	op.go         operations as lines of text; calls.go lists them; script.go: several
//
// # How it is known to be right
//
// Scripts run on the model and on the kernel they are tested on, in two processes and a
// private IPC namespace, and after every operation must agree in the outcome, in the
// list of mappings (/proc/self/maps), in the page table (/proc/self/pagemap), in ids,
// and in attach counts, modes and pages of all segments (/proc/sysvipc/shm); at the end
// in all memory and all files. Random scripts do (differential_test.go), with every
// reason in this package given at least once; and the behaviours of other suites
// written down as scripts, in testdata. Each disagreement ever found is kept there.
// Package live plays them on the kernel.
//
// # Rules
//
// The rules are those of Linux 6.17 and later. Since 6.16 areas merge whether or not
// their memory was touched, and since 6.17 mremap moves several areas at once; before,
// some of what the model says about the list of mappings is not so.
//
// # Not in the model
//
// fork, huge pages, swapping and reclaim, userfaultfd, memory policies, execution rights
// of file systems, limits of address space and of mappings, time stamps, groups of users,
// and where the kernel puts a mapping whose place it may choose: scripts say where, and
// what ends up elsewhere is unmapped at once.
package model
