package proc

import (
	"bytes"
	"errors"
	"io"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// A Buffer is memory for one reading after the other: of a walk over thousands of processes, say.
// What is read lies in it until the next reading. It is for one goroutine.
type Buffer struct {
	text []byte
	dir  []byte
	link []byte
	name sys.Name
}

// NewBuffer returns a buffer.
func NewBuffer() *Buffer {
	return &Buffer{text: make([]byte, 32<<10), dir: make([]byte, 8<<10), link: make([]byte, 4096)}
}

// mostFile is how much of a file is read that is read as a whole.
const mostFile = 4 << 20

// file reads a whole file, which lies in the buffer then.
func (b *Buffer) file(dir sys.Dir, name sys.Name) ([]byte, error) {
	fd, err := dir.Open(name, syscall.O_RDONLY|syscall.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	n := 0
	for {
		if n == len(b.text) {
			if n >= mostFile {
				return nil, errors.New("more text than there can be")
			}
			b.text = append(b.text, make([]byte, n)...)
		}
		got, err := sys.Read(fd, b.text[n:])
		if err != nil {
			return nil, err
		}
		if got == 0 {
			return b.text[:n], nil
		}
		n += got
	}
}

// lines calls f with every line of a file, without its newline, until that returns false. It reads
// piece by piece. A last line without a newline is none. The error is one of reading: the lines before it have been told.
func (b *Buffer) lines(dir sys.Dir, name sys.Name, f func(line []byte) bool) error {
	fd, err := dir.Open(name, syscall.O_RDONLY|syscall.O_NONBLOCK)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return b.linesOf(func(p []byte) (int, error) { return sys.Read(fd, p) }, f)
}

// mostLine is the longest line that is understood. A path of 4,096 bytes, all of them newlines, has 16,384.
const mostLine = 32 << 10

// linesOf is lines for any way to read; no bytes are the end. A line that is too long is left out.
func (b *Buffer) linesOf(read func([]byte) (int, error), f func(line []byte) bool) error {
	have, skipping := 0, false
	for {
		n, err := read(b.text[have:min(len(b.text), mostLine)])
		if err != nil && err != io.EOF {
			return err
		}
		have += n
		rest := b.text[:have]
		for {
			line, more, found := bytes.Cut(rest, newline)
			if !found {
				break
			}
			rest = more
			if !skipping && !f(line) {
				return nil
			}
			skipping = false
		}
		if n == 0 { // what is left has no newline: it was cut short, and nobody knows what it would be
			return nil
		}
		have = copy(b.text, rest)
		if have == min(len(b.text), mostLine) {
			have, skipping = 0, true
		}
	}
}

var newline = []byte("\n")
