package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
)

// streamFlags are the flags of write, read, send and recv: how the memory is
// made if it has to be.
type streamFlags struct{ size, mode textFlag }

func (f *streamFlags) register(cmd *cobra.Command) {
	f.size, f.mode = textFlag{"4M", "BYTES"}, textFlag{"0600", "MODE"}
	cmd.Flags().Var(&f.size, "size", "memory to move through, if it is made")
	cmd.Flags().Var(&f.mode, "mode", "permission bits of the memory, octal, if it is made")
}

// options checks the flags.
func (f *streamFlags) options(c stream.Content) (stream.Options, error) {
	size, err := parseSize(f.size.text)
	if err != nil {
		return stream.Options{}, usagef("--size: %v", err)
	}
	if size < stream.MinCapacity || size > stream.MaxCapacity {
		return stream.Options{}, usagef("--size %s is outside %d to %d bytes", f.size.text, stream.MinCapacity, int64(stream.MaxCapacity))
	}
	mode, err := parseMode(f.mode.text)
	if err != nil {
		return stream.Options{}, usagef("--mode: %v", err)
	}
	return stream.Options{Content: c, Capacity: size, Mode: mode}, nil
}

// streamArgs parses what the four commands have in common.
func (a *app) streamArgs(text, verb string, f *streamFlags, c stream.Content) (address.Address, kind.Streams, stream.Options, error) {
	addr, err := a.parseAddress(text)
	if err != nil {
		return addr, nil, stream.Options{}, err
	}
	s, err := kind.Find[kind.Streams](a.kinds, addr, verb, "way to carry lines or files")
	if err != nil {
		return addr, nil, stream.Options{}, err
	}
	o, err := f.options(c)
	return addr, s, o, err
}

// streamMemory is what the help of the four commands says of the memory.
func streamMemory(members string) string {
	return `ADDRESS is sysv:KEY, posix:NAME, file:PATH of a file that is made for it, or
memfd:PID/FD of memory that a process holds, all zero and writable.

The memory is made when needed and removed by the last ` + members + ` to
leave; a memfd is made all zero again. Who may not remove what another user made
leaves it to the next to come on the same address, or to shmkit rm.`
}

// swapped is err, of an argument that is no address, with a hint if the other one is.
func swapped(err error, other, hint string) error {
	var bad *address.Error
	if !errors.As(err, &bad) {
		return err
	}
	if _, no := address.Parse(other); no != nil {
		return err
	}
	return usagef("%w; %s", err, hint)
}
