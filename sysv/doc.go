// Package sysv is System V IPC, complete: shared memory segments, semaphore sets
// and message queues, as shmget(2), semget(2), msgget(2) and their families give
// them, with Go types and without the traps.
//
//	seg, err := sysv.OpenOrCreate(0x5eed, 1<<20, 0o600)
//	m, err := seg.Attach(nil)                // *shmkit.Mapping
//	defer m.Close()                          // detaches
//	info, err := seg.Stat()
//	err = seg.Remove()                       // goes when the last has detached
//
//	sem, err := sysv.CreateSemaphores(0x5eed, 2, 0o600)
//	err = sem.Op(ctx, sysv.Wait(0).Undo(), sysv.Post(1))   // one atomic step
//
//	q, err := sysv.OpenOrCreateQueue(0x5eed, 0o600)
//	err = q.Send(ctx, 1, []byte("hello"))
//
// An object lives in the kernel until it is removed or the machine goes down,
// whoever made it and whether anybody uses it. Segment, SemaphoreSet and
// MessageQueue hold its identifier and nothing else, so there is nothing to
// close. The three kinds have separate keys: segment 0x5eed and semaphore set
// 0x5eed have nothing to do with each other.
//
// # Traps
//
// A key chosen by hand, or by FromPath out of 16 bits of an inode number, may be
// somebody else's. Check what you open.
//
// Creating and initialising are two steps. Another process may find the object
// between them; that all of a new object is zero is the one state it can count
// on.
//
// Undo makes the kernel take back what a process did to a semaphore when it
// ends, however it ends. SetValue and SetValues forget what was to be taken back.
//
// SetMode and SetOwner change who may open an object; mappings that exist stay.
//
// # Waiting
//
// Op, Send and Receive block an OS thread in the kernel. When the context ends
// they return its error at once: the thread is woken with SIGURG, the signal of
// the Go runtime's own preemption. A program that is notified of SIGURG sees it; in
// one that ignores it, as after signal.Ignore without arguments, the first call that
// has to wait makes it heard again, which changes nothing else.
// Deadlines run on the monotonic clock. EINTR never surfaces. An operation that
// took effect is reported as done even if the context ended meanwhile, so nothing
// is lost by cancelling.
package sysv
