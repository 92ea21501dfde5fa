// Package shmtest finds out whether something in shared memory survives the death of
// those who use it. It runs the test binary again as other processes, kills them between
// any two steps or at random moments, and looks at what they did until then. It is for
// tests only; shmkit's own locks are tested with it.
//
// A test package that uses it has one TestMain, and the roles that its other processes
// can play:
//
//	func TestMain(m *testing.M) {
//		point = shmtest.Point // a variable of the package's, see below
//		shmtest.Main(m, map[string]shmtest.Role{"worker": worker})
//	}
//
// Main also fails when the tests leave anything behind: descriptors, goroutines,
// shared mappings, processes, names in /dev/shm, System V ids.
//
// # Kill points
//
// Between any two steps that another process can tell apart, the code under test names
// the place:
//
//	var point = func(name string) {} // tests put shmtest.Point here
//
//	func (s *stack) push(v uint64) {
//		n := s.top.Load()
//		s.slots[n].Store(v)
//		point("push:stored")
//		s.top.Store(n + 1)
//		point("push:done")
//	}
//
// A Play is a scene in which one process, the victim, comes to such points while others
// look on. KillAtEveryPoint plays it once to see which points the victim comes to, and
// then again for each of them, killing the victim there the first time, in the middle
// and the last time. The play itself says what must hold for the survivors. PointsIn reads
// the names of all points from the source, so that none is forgotten.
//
// # Random kills
//
// RandomKills keeps some participants at work and kills them at random moments. What each
// did it writes in a Ledger, which loses nothing when its writer dies; afterwards the test
// adds it up: nothing lost, nothing done twice.
//
// # Traps
//
// Proc and what takes a testing.TB belong to the goroutine that runs the test, as
// testing.T itself does. A role has no testing.TB: it returns an error.
//
// SIGKILL leaves memory as it is, in whatever order the processor and compiler made the
// stores visible. That is the order all others see, too: a kill is never worse than being
// stopped for ever. A crash of the machine is another matter, and not tested here.
package shmtest
