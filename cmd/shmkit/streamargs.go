package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
)

// streamFlags are the flags of write, read, send and recv: how the memory is
// made if it has to be.
type streamFlags struct {
	size, mode textFlag
	content    stream.Content
	own        *kindFlags // of single kinds
}

func (f *streamFlags) register(a *app, cmd *cobra.Command, c stream.Content) {
	f.content = c
	f.own = newKindFlags(a, cmd, func(s kind.Streams) []kind.Option { return s.StreamOptions(c) })
	f.size, f.mode = textFlag{"4M", "BYTES"}, textFlag{"0600", "MODE"}
	cmd.Flags().Var(&f.size, "size", "memory to move through, if it is made")
	cmd.Flags().Var(&f.mode, "mode", "permission bits of the memory, octal, if it is made")
}

// options checks the flags.
func (f *streamFlags) options() (stream.Options, error) {
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
	return stream.Options{Content: f.content, Capacity: size, Mode: mode}, nil
}

// streamPlace is where a stream is, and how to join it.
type streamPlace struct {
	address.Address
	kind.Streams
	stream.Options
	own kind.Options
}

// writer joins as a writer, reader as a reader.
func (p *streamPlace) writer(ctx context.Context) (kind.StreamWriter, error) {
	return p.OpenWriter(ctx, p.Address, p.Options, p.own)
}

func (p *streamPlace) reader(ctx context.Context) (kind.StreamReader, error) {
	return p.OpenReader(ctx, p.Address, p.Options, p.own)
}

// streamArgs parses what the four commands have in common.
func (a *app) streamArgs(text, verb string, f *streamFlags) (p streamPlace, err error) {
	if p.Address, err = a.parseAddress(text); err != nil {
		return p, err
	}
	if p.Streams, err = kind.Find[kind.Streams](a.kinds, p.Address, verb, "way to carry lines or files"); err != nil {
		return p, err
	}
	if p.own, _, err = f.own.options(p.Address); err != nil {
		return p, err
	}
	p.Options, err = f.options()
	return p, err
}

// streamMemory is what the help of the four commands says of the memory.
func streamMemory(members string) string {
	return `ADDRESS is the NAME of a topic, or topic:NAME; sysv:KEY; posix:NAME; file:PATH
of a file that is made for it; or memfd:PID/FD of memory that a process holds,
all zero and writable.

The memory is made when needed and removed by the last ` + members + ` to
leave; a memfd is made all zero again, and a topic of shmkit create stays. Who
may not remove what another user made leaves it to the next to come on the same
address, or to shmkit rm.`
}

// misplaced is wrong usage if what stands where the address belongs names no kind, and what stands where the
// file belongs does, and is no file: then they are the wrong way around.
func misplaced(addr, file, hint string) error {
	if address.HasKind(addr) || !address.HasKind(file) {
		return nil
	}
	if _, err := os.Lstat(file); err == nil {
		return nil
	}
	return usagef("%q is an address, and stands where a file belongs; %s", file, hint)
}
