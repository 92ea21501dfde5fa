// Package inspect tells what shared memory there is on the machine, and who uses it: System V
// segments, semaphores and queues, POSIX objects, memfds, files mapped shared, memory that
// processes share without any name, and the objects that shmkit's own packages make.
//
//	for o, err := range inspect.Objects(nil) {
//
// [Objects] looks once. A program that looks for more than one thing, or again and again, takes
// a [Snapshot]: one walk over /proc, from which [Snapshot.Objects] and [Snapshot.Object] answer.
// [MappingsOf] is about one process. [PagesOf] is about the pages of an object, one by one, as it has
// them itself and as each process has them that maps it.
//
// # Looking changes nothing
//
// Nothing is attached, opened for writing, leased or locked, and no page is touched that is not
// in memory. Files are opened for reading where only that tells how much of them is in memory, with
// O_NOATIME where the kernel allows it, and not at all while somebody has a lease on them. Of
// shmkit's own objects the header and what follows it are read, as their packages' Look does; the
// time of the last access of another user's object may change by it.
//
// # Traps
//
//   - Nothing of this is one moment: processes and objects come and go while it is read. What went
//     meanwhile is left out, without an error.
//   - A process that does not let this user look is counted ([Object.Hidden], [Snapshot.Hidden]), and
//     nothing is called [Unused] by not having been seen while there is one. Root sees all processes of its
//     own PID namespace, and of those below it; inside a container that is not all who may share memory.
//   - [Unused] by what /proc shows is no promise: a descriptor may be on its way through a socket, and a
//     file may be opened the next moment. Before memory is removed a write lease asks the kernel.
//   - Segments of different IPC namespaces have the same identifiers, device and inode number. A process
//     of another namespace is never counted for a segment of this one; where the kernel counts more
//     attachments than were seen, [Segment.Unseen] says how many.
//   - The inode number of a memfd and of a segment can be equal, on one device: [ID] has a class.
//   - Names of commands and files are what others chose: they may hold newlines and escape sequences.
//     They are given as they are.
//   - An [Amount] that is not known says why. Its zero is no number then.
//
// # Privileges
//
//	any user             System V objects of the IPC namespace, all facts; POSIX objects and files by name, all
//	                     but what is resident and dirty of files that are not the user's own and that he may not write;
//	                     who uses them among his own processes; his own memfds and nameless memory; objects of shmkit
//	                     that he may read
//	CAP_SYS_PTRACE       the same of all processes
//	CAP_SYS_ADMIN        the frame numbers of pages; with the right to read /proc/kpageflags their state
//	CAP_SYS_ADMIN or     how much of nameless memory, of which nobody has a descriptor, is allocated and resident
//	CAP_CHECKPOINT_RESTORE
//	root                 all of it, and objects of shmkit in the directories of all users
package inspect
