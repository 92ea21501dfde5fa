// Package doctor finds what is wrong with the shared memory of a machine: what was left behind,
// what is about to run out, and settings that bite. It mends what is provably unused, if asked to.
//
//	findings, err := doctor.Examine(ctx, nil)
//	for _, f := range findings {
//		if f.Fixable {
//			err = doctor.Fix(ctx, f)
//		}
//	}
//
// # What unused means
//
// A segment of System V is unused when it is attached nowhere (the kernel counts, over all
// namespaces), the process that made it and the last one that attached or detached it are gone,
// nobody locked it into memory, and nothing was done with it for Options.Age. Who knows its
// identifier and is not attached can't be seen: that is what the two processes and the age are for.
//
// A POSIX object is unused when the kernel grants a write lease on it, which it does only while no
// open file description of it exists anywhere, and so no mapping; when it has one name; when no
// process is seen to have a descriptor of it that the lease does not see (O_PATH); and when nothing was
// done with it for Options.Age: who made it and closed it may be about to map it.
//
// An object of shmkit is unused when no member holds its lifeline and it is neither persistent nor
// has something to tell: its own protocol removes it then, and that is what Fix does.
//
// Semaphore sets and message queues have no users that the kernel knows, and files in directories of
// /dev/shm are closed most of the time: of both Fix removes none.
//
// # What Fix promises
//
// Fix proves all of it again, at once before it acts. What is open, mapped, attached or in a socket at
// that moment stays, whoever has it. Who opens a POSIX object at the very same moment waits for
// some microseconds, and then the object has its name still, or again. Who has already looked the
// name up and has not come to open the file gets a file without a name, as with every way of
// removing it; and while it is given back, the name is missing for a moment. Who attaches a segment
// between the proof and the removal keeps it, without its key.
//
// # Traps
//
//   - Examine opens POSIX objects that look unused, for reading, and takes a lease on each for some
//     microseconds. Who opens one with O_NONBLOCK just then gets EAGAIN. Two that examine at one
//     time take each other for users.
//   - A process in another PID namespace, that made a segment, has no number here. Nothing it made is
//     called unused.
//   - The age is told by the clock of the machine. Who sets it forward makes everything older.
//   - A bind mount of an object itself is no descriptor: only its name goes, the mount goes on.
package doctor
