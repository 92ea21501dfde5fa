package testenv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
)

// A lineReader reads a pipe line by line, each with a limit of time.
type lineReader struct {
	pipe *os.File
	buf  *bufio.Reader
}

func newLineReader(pipe *os.File) lineReader { return lineReader{pipe, bufio.NewReader(pipe)} }

// next returns the next line without its newline. A last line that has none is a
// line too; after it comes io.EOF. Past the limit it is os.ErrDeadlineExceeded.
func (r lineReader) next(limit time.Duration) (string, error) {
	if err := r.pipe.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	line, err := r.buf.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	return strings.TrimSuffix(line, "\n"), err
}

// unlinkedFile makes a file that exists only as long as its descriptors do. A
// child that writes to it, instead of to a pipe, can neither be blocked by its
// reader nor keep the reader waiting.
func unlinkedFile() (*os.File, error) {
	f, err := os.CreateTemp("", "shmkit-test-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// readAllAt returns the content of f and leaves alone its offset, which a child
// that writes to f shares.
func readAllAt(f *os.File) (string, error) {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, math.MaxInt64))
	return string(text), err
}

// stdin is a role's standard input. Only Hear reads it.
var stdin = bufio.NewReader(os.Stdin)

// Say is for roles: it writes one line to standard output, where the test's
// Expect or ReadLine finds it.
func Say(format string, args ...any) error {
	_, err := fmt.Printf(format+"\n", args...)
	return err
}

// Hear is for roles: it waits for the next line from the test's Send and returns
// it without its newline. After CloseStdin, or when the test is gone, it is io.EOF.
func Hear() (string, error) {
	line, err := stdin.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}
