// Package live plays the operations of the model (package model) on the kernel that it
// runs on, so that both can be compared.
//
// The operations of one process are executed by a process of its own, which calls Play.
// A Cast speaks to such processes: it knows which number of the kernel is which name of a
// script, and returns what the kernel answered and what it shows afterwards, in the words
// of the model.
//
//	calls.go    how each call is made; flags.go has the numbers
//	player.go   a process that plays
//	proc.go     /proc/self/maps and pagemap, in the words of the model
//	view.go     the same as it stands there, with frame numbers and faults
//	cast.go     several processes
//	segments.go /proc/sysvipc/shm, in the words of the model
//	machine.go  limits, users and what kernels differ in
//	text.go     operations as a C program would write them
//
// The tests of the model compare random scripts with it, package explain its experiments.
package live
