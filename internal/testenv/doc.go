// Package testenv is what shmkit's tests stand on: other processes, private
// namespaces, and the proof that nothing was left behind. Only tests import it.
//
// A package that uses it has one TestMain:
//
//	func TestMain(m *testing.M) {
//		testenv.Main(m, map[string]testenv.Role{"holder": holder})
//	}
//
// Other processes. Start runs the test binary again as one of those roles and
// returns a Proc to talk to it, line by line, through its standard input and
// output. Every wait is for a condition and is bounded by Failsafe, which is not
// an expectation of speed: it turns a hang into a failure that shows the other
// side's standard error.
//
// Private namespaces. A test that starts with
//
//	if !testenv.InPrivateIPC(t) {
//		return
//	}
//
// goes on in a child that has the System V objects and limits all to itself.
// InPrivateMount does the same for what is mounted; there MountTmpfs can put a
// small file system over a folder, /dev/shm as well as another.
//
// Leaks. After the tests Main compares the process with what it was before them:
// descriptors, goroutines, shared mappings, children, and on the machine the
// /dev/shm names and System V ids that are surely this process's own. Packages
// are tested side by side on one machine, so "surely" matters: names carry the
// prefix of Name, keys come from Key, and shared memory segments also name their
// creator. A semaphore set or message queue without a key (IPC_PRIVATE) can't be
// told apart from a neighbour's, except in a private namespace, where everything
// left over counts. Run by root the whole test binary has one (OwnIPC): also what a
// killed one leaves goes with it then. To look inside from another terminal:
// nsenter --ipc --target PID ipcs.
//
// Traps:
//
//   - Fail only from the goroutine that runs the test, as with testing.T itself:
//     the methods of Proc call Fatal.
//   - In the child, InPrivateIPC runs the test from its first line again. Call it
//     before anything that must happen once.
//   - A role has no testing.TB; it reports by its exit code and standard error.
package testenv
