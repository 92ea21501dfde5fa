package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/kind"
)

func newFlushCommand(a *app) *cobra.Command {
	var f rangeFlags
	var async, invalidate, asJSON bool
	cmd := &cobra.Command{
		Use:        "flush ADDRESS [flags]",
		SuggestFor: []string{"sync", "msync"},
		Short:      "Write what was stored in memory back to the device",
		Long: `Flush writes a mapped file, or a part of it, back to the device it is on: what
any process stored there before survives a power failure when flush has ended
(msync with MS_SYNC). Whole pages are written, and only those that changed.

With --async the kernel begins to write and flush does not wait. With --invalidate
other processes' mappings see what was written to the file (MS_INVALIDATE); on
Linux they do in any case, and it fails while a part is locked.

Only a file has a device to be written back to. Segments, POSIX objects and memfds
are in memory alone, and gone with the machine: shmkit get saves what is in them.

The name of a new file becomes durable by itself, or by syncing its directory.`,
		Example: `  shmkit flush file:prices.dat
  shmkit flush file:prices.dat --offset 4K --length 64K
  shmkit flush file:prices.dat --async
  shmkit get posix:/frames > frames.saved`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Flusher](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			mode, name, done := shmkit.FlushSync, "sync", "on the device"
			switch {
			case async && invalidate:
				return usagef("--async and --invalidate exclude each other")
			case async:
				mode, name, done = shmkit.FlushAsync, "async", "on the way to the device"
			case invalidate:
				mode, name, done = shmkit.FlushInvalidate, "invalidate", "what every mapping shows"
			}
			addr, err := a.parseAddress(args[0])
			if err != nil {
				return err
			}
			flusher, err := kind.Find[kind.Flusher](a.kinds, addr, "flush", "device to write it back to")
			if err != nil {
				return err
			}
			m, err := flusher.OpenToFlush(addr)
			if err != nil {
				return err
			}
			from, to, err := f.in(m)
			if err == nil {
				_, err = interruptible(cmd.Context(), func() (struct{}, error) { return struct{}{}, m.Flush(from, to-from, mode) })
			}
			if cmd.Context().Err() != nil {
				return err // the mapping may still be in use
			}
			if cerr := m.Close(); err == nil {
				err = cerr
			}
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(flushedJSON{addr.String(), from, to - from, name})
			}
			_, err = fmt.Fprintf(a.out, "%s of %s from offset %d on: %s\n", formatSize(uint64(to-from)), oneLine(addr.String()), from, done)
			return err
		},
	}
	f.registerOffset(cmd)
	f.registerLength(cmd)
	cmd.Flags().BoolVar(&async, "async", false, "begin to write, and don't wait")
	cmd.Flags().BoolVar(&invalidate, "invalidate", false, "make mappings show what the file has")
	jsonFlag(cmd, &asJSON, "print one JSON object")
	return cmd
}

// flushedJSON is what was flushed, for programs. The keys are stable.
type flushedJSON struct {
	Address string `json:"address"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
	Mode    string `json:"mode"` // "sync", "async" or "invalidate"
}
