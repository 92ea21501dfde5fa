// Package proc parses what the kernel tells of processes and System V objects below a root, which
// is /proc, or a directory that looks like it.
//
// Parsers take bytes and are for any bytes: of other kernels, cut short, or made up. What cannot be
// understood is an error of the line or the file, never a panic, and never more memory than the text has.
//
// A [Process] is a directory that is held open: all that is read through it is of one process, even if
// its number has come to mean another one.
package proc
