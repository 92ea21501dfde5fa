package main

import (
	"errors"
	"io"
	"testing"

	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/testenv"
)

// holdsPageRole maps a file shared, stores to its first page, says at which address, and holds it until its
// input ends.
func holdsPageRole(args []string) error {
	f, err := filemap.Open(args[0], &filemap.Options{Writable: true})
	if err != nil {
		return err
	}
	if _, err := f.Mapping().WriteAt([]byte{1}, 0); err != nil {
		return err
	}
	if err := testenv.Say("%x", f.Mapping().Addr()); err != nil {
		return err
	}
	if _, err := testenv.Hear(); !errors.Is(err, io.EOF) {
		return err
	}
	return f.Close()
}

// pageHolder is a process in that role.
type pageHolder struct {
	*testenv.Proc
	addr string
}

func startPageHolder(t testing.TB, path string) *pageHolder {
	t.Helper()
	p := testenv.Start(t, "holds-page", path)
	addr, err := p.ReadLine()
	if err != nil {
		t.Fatalf("%v: %s", err, p.Stderr())
	}
	return &pageHolder{p, addr}
}
