// Command screens makes the screens that the README shows: it sets up a small world of processes that
// share memory, in namespaces of its own, runs shmkit in it, and puts what that prints between marks of
// the README, and pictures into docs/screens. `make screens` runs it.
//
// The namespaces (processes, mounts, System V objects) have two reasons: nothing of the machine shows on
// the screens, and nothing of this world is left on the machine. An ordinary user gets them where the
// kernel lets him have a user namespace.
package main
