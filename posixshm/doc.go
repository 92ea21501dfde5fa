// Package posixshm is POSIX shared memory, as shm_open(3) gives it: objects with a
// name, which are files in /dev/shm and which every language opens.
//
//	obj, err := posixshm.Create("/frames", 64<<20, &posixshm.Options{
//		Init: func(m *shmkit.Mapping) error { … },
//	})
//	m, err := obj.Map(nil)                   // *shmkit.Mapping
//	defer m.Close()
//
//	obj, err := posixshm.Open("/frames", nil) // elsewhere
//
// An object lives until its name was removed and the last mapping and handle are
// gone, or the machine goes down, whoever made it. Close ends a handle and never
// removes the name; Remove removes the name and nothing else. Mappings need no
// handle.
//
// # What Create promises
//
// An object is born whole. It has no name until its memory is there and Init has
// returned, and gets it in one step. So nobody ever opens half of one, of many
// processes that create one name one wins, and one that is killed leaves nothing.
//
// Its memory is reserved. A tmpfs that is too full is ENOSPC (shmkit.ErrNoSpace) at
// Create, and no later touch faults for want of space; Options.Sparse gives that
// promise up.
//
// Options.Replace puts a new object in the place of an old one: whoever opens the
// name finds the old or the new one. Mappings of the old one stay.
//
// # What Open refuses
//
// /dev/shm is writable for all, so anybody may have put something there. Open follows
// no symbolic link, opens no pipe, directory or device (ErrNotObject), and no object
// of a user other than this process's or root (ErrForeign) but with
// OpenOptions.AnyOwner.
//
// Whoever may write an object may also cut it short, and then a touch behind its new
// end faults. The accessors of Mapping turn that into shmkit.ErrTruncated, Guard does
// so for other code.
//
// # Traps
//
// The umask counts: Options.Mode 0660 under the usual umask of 022 makes 0640. See
// Options.ExactMode.
//
// C makes an object in two steps, shm_open and ftruncate, and between them it has no
// bytes. Map answers ErrEmpty then; WaitSize waits.
//
// A Python process before 3.13 that attaches to an object with
// multiprocessing.shared_memory removes its name when it ends, made by it or not,
// unless it unregisters the name from its resource tracker.
//
// POSIX semaphores live in the same directory, under names that begin with "sem.".
//
// # Temporary names
//
// Replacing needs a second name for a moment. It stands in a directory .posixshm-UID
// beside the objects (mode 0700, of the user who replaces), which goes when it is
// empty. A process that is killed in that moment leaves its temporary name, and the
// next creation by the same user in the same directory removes it: a lock that the
// kernel drops with the process tells who is dead.
//
// # Lock order
//
// The package has no locks of its own.
package posixshm
