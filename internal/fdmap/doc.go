// Package fdmap maps memory that has a file descriptor: regular files, POSIX shared
// memory objects and memfds. The sources of memory filemap, posixshm and memfd stand
// on it, and differ in how they come by their descriptor and in what they promise.
//
// A File holds the descriptor. It stays open until Close was called and the last
// mapping is gone, because a mapping needs it: to grow, to start write-back, and to
// say why a page could not be had. Nobody else sees the number, and it is never
// duplicated: open-file-description locks belong to it.
package fdmap
