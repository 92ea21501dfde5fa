// Package memfd is anonymous memory that has no name and belongs to nobody but the
// processes that hold a descriptor of it: memfd_create(2), with seals, and the three
// ways to hand it to another process.
//
//	f, err := memfd.Create("scratch", 1<<20, memfd.SealShrink|memfd.SealGrow)
//	m, err := f.Map(nil)                        // *shmkit.Mapping
//
//	err = memfd.Send(conn, f)                   // over a Unix socket …
//	f, err := memfd.Receive(conn, nil)          // … which checks what came
//
//	_, err = memfd.Pass(cmd, "scratch", f)      // to a child …
//	f, err := memfd.Inherited("scratch", nil)   // … which finds it by name
//
//	f, err := memfd.OpenPID(812, 5, nil)        // out of /proc/812/fd/5
//
// The memory goes when the last descriptor and the last mapping of it are gone,
// however the processes end. Nothing is ever left behind.
//
// # Seals
//
// A seal takes a possibility away for good, from everybody: to make the file shorter
// or longer, to write it, to add seals. It belongs to the memory, not to a
// descriptor. That is what makes memory from somebody else safe to touch: a file
// that is sealed against shrinking cannot be truncated under a mapping, so that no
// touch faults. Create seals against shrinking and against further seals unless told
// otherwise, and Receive, Inherited and OpenPID refuse what is not sealed against
// shrinking unless told otherwise.
//
// Memory whose content must not change once it is made is written by Options.Init
// and sealed with SealWrite. Memory that only its maker may write is mapped first and
// then sealed with SealFutureWrite: mappings that exist go on.
//
// # Traps
//
// Sealed size is not sealed content: without SealWrite a peer may change what you
// read while you read it. Read a value once, check the copy, use the copy.
//
// A descriptor that was sent or inherited is the sender's open file description:
// file offset, status flags and open-file-description locks are shared with it. This
// package uses none of them; whoever does takes Reopen, which makes a description of
// one's own.
//
// A descriptor opened read-only does not keep anybody from writing who may open the
// memory again: Reopen, and /proc/PID/fd/N, go by the mode of the memory, which the
// kernel sets to 0777 and Create to 0600. So a process of another user that was sent
// a read-only descriptor cannot write, but one of the same user can, and a mode like
// 0666 lets everybody who holds a descriptor. Only seals bind all.
//
// A huge page that nobody has reserved is missed when it is touched. Create reserves.
package memfd
