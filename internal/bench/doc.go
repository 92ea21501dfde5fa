// Package bench measures what it costs to hand something from one process to another, by the ways of
// the kernel and by those of shmkit, all in one run; "shmkit bench" shows it.
//
// # How it measures
//
// A Trial is one row: two processes of their own, A and B, that do one thing. The command, which
// starts them, sleeps meanwhile. Each is a program in Go whose goroutine is locked to its thread, and
// the thread is bound to a CPU, unless Options.Unpinned; everything else is as a program would have it.
//
// All trials that are to be compared live at the same time, and sleep in read(2) but for the one that
// is measured. They are measured by turns, some ten milliseconds each, in another order each time: what the
// machine does meanwhile hits all alike. Processes are started anew some times, for the addresses
// of their memory, and with them how far cores are from it, are a matter of luck.
//
// Verified first. Before it is timed each pair runs in the same way with all bytes of all messages made anew
// and looked at. A transport that loses, doubles, or changes something has no figures.
//
// System calls are counted in a pass of its own, in which a third process traces the two threads (ptrace(2)):
// less what a pass with fewer operations has. Where tracing is not allowed they are unknown.
//
// # What one operation is
//
// latency: a message there and one back. throughput: a message one way; a slice ends when the last has come.
// sync: a lock taken and given back (with nobody else, and with both processes at it, where it is one of either's);
// both had a turn; a sleeper that surely sleeps was woken and ran, from just before the call that wakes. fanout: a
// message that all receivers have, who are in one process; they take a burst while the sender, whose CPU time is told, waits.
// file: the file gone through once, or a thousand short reads.
//
// # To add a way
//
// A file with a function that returns a way (way.go says what its fields are), and its line in allWays.
// The end that it opens sends and receives one message; latency.go and stream.go make round trips and
// streams of it. Something that is no message, such as a lock, is a side (side.go) of its own.
package bench
