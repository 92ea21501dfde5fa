package stream

import (
	"crypto/sha256"
	"errors"
	"io"
)

// chunk is some bytes of a file.
type chunk struct {
	data []byte
	sum  [sha256.Size]byte // of the whole file, with io.EOF
	err  error             // of the file, after data
}

// readAhead reads src in pieces of at most size bytes, one ahead of the consumer,
// and sums them. The sum is taken of private memory: whoever changes what is
// shared is found out. A piece is good until the next is taken. The last piece has
// an error. It ends then, or at stop, or with the Read of src that stop comes in.
func readAhead(src io.Reader, size int, stop <-chan struct{}) <-chan chunk {
	chunks := make(chan chunk)
	go func() {
		sum := sha256.New()
		bufs := [2][]byte{make([]byte, size), make([]byte, size)}
		for i := 0; ; i++ {
			var c chunk
			b := bufs[i%len(bufs)] // the other is being used
			n, err := io.ReadFull(src, b)
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF
			}
			c.data, c.err = b[:n], err
			_, _ = sum.Write(c.data) // a hash does not fail
			if err != nil {
				sum.Sum(c.sum[:0])
			}
			select {
			case chunks <- c:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return chunks
}
