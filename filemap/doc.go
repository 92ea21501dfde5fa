// Package filemap maps regular files into memory: whole or a part, shared or private,
// and lets file and mapping grow and shrink together.
//
//	f, err := filemap.Open("prices.dat", &filemap.Options{Writable: true})
//	defer f.Close()
//	n, err := f.WriteAt([]byte("12.50"), 64)      // a copy into memory, no write(2)
//	err = f.Flush(64, 5, filemap.Sync)            // on the device when it returns
//	v, err := shmkit.View[Header](f.Mapping(), 0) // typed, in place
//
// A File has one main mapping, which its methods work on, and any number of further
// ones (Map). Offsets of ReadAt, WriteAt, Flush and of views count from the beginning of
// the mapping; sizes of Resize, Truncate and Size are those of the file. Both may have any
// value: that the kernel maps whole pages is dealt with here.
//
// # What is durable after which call
//
// Storing to a shared mapping changes the file for everybody at once: other mappings and
// read(2) see it in the same moment, also when the process is killed in the next. Only a
// power failure, or a crash of the kernel, asks for more:
//
//	Flush(off, n, Sync)        those bytes, and the file's length as far as it is needed
//	                           to find them; they were written when it returns
//	Flush(off, n, Async)       nothing; the kernel has begun to write
//	Flush(off, n, Invalidate)  nothing; on Linux it has nothing to do
//	Sync()                     all bytes of the file, and its times, mode and owner
//	Close()                    nothing; the kernel writes within half a minute or so
//
// None of them makes the *name* of a new file durable: open its folder and Sync that.
// A private mapping never writes to the file, whatever is called.
//
// # Traps
//
// Mapped memory ends with the file. When somebody makes the file shorter, touching what
// is cut off is a fault: an error (ErrTruncated) in ReadAt, WriteAt and the other methods,
// a panic that ends the program in code that works on Bytes or a view outside
// shmkit.Guard. It works again when the file has grown again. Resize refuses to cut what
// a view of this process shows; another process does not ask.
//
// Writing to a hole of a sparse file needs room on the device, and a fault is a late
// moment to learn that there is none. Create and Resize therefore reserve the blocks,
// unless told otherwise (Sparse).
//
// An empty file cannot be mapped. A File of one has no mapping until Resize gives it one:
// Mapping is nil, ReadAt answers io.EOF.
//
// The times of the file change when the kernel notices a store, which is at the first
// one to each page after it was written back, not at each.
//
// # Lock order
//
// File.mu is held while the file or its main mapping change size, and while both are
// closed; the locks of package shmkit come after it.
package filemap
