// Package pshared is locks between processes that survive the death of whoever holds
// them. They live in shared memory; the kernel knows of them only when somebody has to
// sleep.
//
//	mu, err := pshared.OpenMutex("orders", nil)
//	switch err := mu.Lock(ctx); {
//	case errors.Is(err, pshared.ErrOwnerDead): // we hold it; whoever held it died
//		repair()
//		err = mu.MakeConsistent()
//	case err != nil:
//		return err
//	}
//	defer mu.Unlock()
//
// A lock is found by its name, or stands in a struct of the caller's own that has a
// name (Open). A handle is a member of the object: it holds a lock of the kernel's on
// the object's file, and when its process dies, however it dies, the kernel gives
// that back, and the others know. No process id is ever compared, there is no daemon,
// and nothing needs to be cleaned up: the last one to leave removes the name, and if
// that one was killed, the next to come does.
//
// # What is promised
//
// Whoever holds a Mutex may be killed at any instruction: the next one to lock it gets
// it, with ErrOwnerDead, within 100 ms of the kernel having taken the dead process
// apart. A holder that is merely stopped keeps it. An operation whose context ends
// returns its error, and does not hold the lock.
//
// An RWMutex promises the same to writers, and gives nobody the lock for reading who would
// see what a dead writer left: readers get ErrWriterDead, without the lock, until a
// writer has repaired it:
//
//	switch err := rw.RLock(ctx); {
//	case errors.Is(err, pshared.ErrWriterDead): // we hold nothing
//		return lockRepairUnlock(ctx)
//	case err != nil:
//		return err
//	}
//	defer rw.RUnlock()
//
// Readers that die are in nobody's way. Readers and writers take turns: a reader waits for
// two writers at most, a writer for the readers that were there before it, so that neither
// keeps the other out. (BenchmarkRWMutexWaiting, two processes of each that never pause, on
// two cores: of 10,000 tries 99.9 % took a reader at most 5 ms and a writer 17 ms; with a
// dozen other busy programs 7 and 52 ms.) Readers of different processes write to no common
// cache line.
//
// A Semaphore is permits that belong to a member, as of golang.org/x/sync/semaphore: those of
// one who dies come back, once, within 100 ms to whoever waits for them. Nobody gets permits past
// one who waits. A CountingSemaphore is tokens that belong to nobody, as of sem_post(3): what
// one who died had taken and not posted, one who waits is told, and posts what is missing:
//
//	switch err := tokens.Wait(ctx); {
//	case errors.As(err, &lost): // a *TokensLostError; we got no token
//		return tokens.Post(lost.N)
//	case err != nil:
//		return err
//	}
//
// A Cond loses no signal with a waiter that is killed, unless that had locked the mutex, which
// then tells the next one. An Event that resets itself goes to one who waits, and is lost
// only with that one. A Barrier is broken by the death of a party: everybody gets ErrBroken
// until Reset. A Once whose runner dies is run by another, from the beginning.
//
// # Traps
//
// A Mutex is held by the handle, not by a goroutine: any goroutine of the process may
// unlock it through the same handle, and a second handle in the same process is
// another member. Locking twice through one handle waits for the first to be
// unlocked, as with sync.Mutex.
//
// The same goes for an RWMutex: Lock by a handle that holds it for reading waits for
// itself, and RLock by one that does may wait for a writer that waits for it.
//
// What a CountingSemaphore tells of is never too little, and may be too much by what the dead
// one was just taking or posting. Who takes tokens that it does not post settles them
// (Settle), or all that it ever took is told of when it dies.
//
// A lock is not a sync.Locker: it can fail, and an error of Lock other than
// ErrOwnerDead means that it is not held.
//
// The memory may be used until Close, and what is in it is the peers' as well: check
// what you read. Lock and Unlock without contention touch the memory unguarded: a peer
// that truncates the file under them ends the program with a fault. Whoever may open
// the file for writing may also hold the lock for ever: its mode is the access
// control.
//
// With -race, what a Mutex guards in this process's own memory is not reported. What
// lies in shared memory the race detector does not see.
package pshared
