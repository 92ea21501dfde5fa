package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// chunk is how much of an object's memory is in ours at a time.
const chunk = 256 << 10

// rangeFlags are the flags of what acts on a part of an object's memory.
type rangeFlags struct{ offset, length sizeFlag }

func (f *rangeFlags) registerOffset(cmd *cobra.Command) {
	cmd.Flags().Var(&f.offset, "offset", "begin this far into the object, such as 0x1000 or 4K")
}

func (f *rangeFlags) registerLength(cmd *cobra.Command) {
	cmd.Flags().Var(&f.length, "length", "end after so much (default: at the end of the object)")
}

// in returns the range of m that is meant.
func (f *rangeFlags) in(m *shmkit.Mapping) (from, to int64, err error) {
	size := int64(m.Len())
	switch {
	case f.offset.n > size:
		return 0, 0, fmt.Errorf("offset %d is outside: %s has %d bytes", f.offset.n, m.Name(), size)
	case f.length.given && f.length.n > size-f.offset.n:
		return 0, 0, fmt.Errorf("%d bytes at offset %d are outside: %s has %d bytes", f.length.n, f.offset.n, m.Name(), size)
	case f.length.given:
		return f.offset.n, f.offset.n + f.length.n, nil
	}
	return f.offset.n, size, nil
}

// withMemory opens the memory that an address names, runs f on it, and closes it.
func (a *app) withMemory(text, verb, lacks string, write bool, f func(address.Address, *shmkit.Mapping) error) error {
	addr, err := a.parseAddress(text)
	if err != nil {
		return err
	}
	memory, err := kind.Find[kind.Memory](a.kinds, addr, verb, lacks)
	if err != nil {
		return err
	}
	m, err := memory.OpenMemory(addr, write)
	if err != nil {
		return err
	}
	err = f(addr, m)
	if cerr := m.Close(); err == nil {
		err = cerr
	}
	return err
}

// readRange reads the range of m piece by piece; f may use what it gets until it
// returns.
func readRange(ctx context.Context, m *shmkit.Mapping, from, to int64, f func(p []byte) error) error {
	buf := make([]byte, min(chunk, to-from))
	for from < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := m.ReadAt(buf[:min(int64(len(buf)), to-from)], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if err := f(buf[:n]); err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}
