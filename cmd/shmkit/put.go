package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// putAhead is how much input is read before anything is written, so that input
// that is only a little too long changes nothing.
const putAhead = 1 << 20

func newPutCommand(a *app) *cobra.Command {
	var f rangeFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "put ADDRESS [flags]",
		Short: "Write standard input into memory",
		Long: `Put writes standard input into the memory of an object (a segment, a POSIX object,
a file, a memfd), and says how many bytes that were. What lies behind them stays as
it is, and no object becomes longer: shmkit set --size does that.

Input that doesn't fit is an error. Of a file, or of up to 1 MiB from a pipe,
that is known beforehand, and nothing is written; else what fits is, and the
error says so.`,
		Example: `  echo hello | shmkit put sysv:0x5eed
  shmkit put sysv:0x5eed --offset 4K < image
  shmkit put posix:/frames < image
  shmkit put file:index.db --offset 64 < header
  echo hello | shmkit put memfd:812/5`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Memory](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withMemory(args[0], "put", "memory to put into", true, func(addr address.Address, m *shmkit.Mapping) error {
				from, to, err := f.in(m)
				if err != nil {
					return err
				}
				if left, ok := remaining(a.in); ok && left > to-from {
					return tooLong(m, from, fmt.Sprintf("standard input, %s,", plural(int(left), "byte", "bytes")))
				}
				n, err := put(cmd.Context(), &input{cmd.Context(), a.in}, m, from)
				if err != nil {
					return err
				}
				if asJSON {
					return a.printJSON(putJSON{addr.String(), from, n})
				}
				_, err = fmt.Fprintf(a.out, "%s written to %s at offset %d\n", plural(int(n), "byte", "bytes"), oneLine(m.Name()), from)
				return err
			})
		},
	}
	f.registerOffset(cmd)
	jsonFlag(cmd, &asJSON, "print one JSON object")
	return cmd
}

// putJSON is what was written, for programs. The keys are stable.
type putJSON struct {
	Address string `json:"address"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
}

// remaining is how much can still be read from a regular file.
func remaining(in io.Reader) (int64, bool) {
	f, ok := in.(*os.File)
	if !ok {
		return 0, false
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return 0, false
	}
	at, err := f.Seek(0, io.SeekCurrent)
	return st.Size() - at, err == nil
}

// put writes everything from in to m, from offset from, and returns how much that
// was.
func put(ctx context.Context, in io.Reader, m *shmkit.Mapping, from int64) (int64, error) {
	room := int64(m.Len()) - from
	buf := make([]byte, min(putAhead, room+1))
	for done := int64(0); ; {
		n, err := io.ReadFull(in, buf)
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			if done > 0 && ctx.Err() == nil {
				err = fmt.Errorf("%w; %d bytes were written before", err, done)
			}
			return done, err
		}
		long := int64(n) > room-done
		if long && done == 0 {
			return 0, tooLong(m, from, "standard input")
		}
		n = int(min(int64(n), room-done))
		if _, err := m.WriteAt(buf[:n], from+done); err != nil {
			return done, err
		}
		done += int64(n)
		switch {
		case long:
			return done, fmt.Errorf("standard input is longer than the %d bytes of %s from offset %d on; these were written", room, m.Name(), from)
		case ended:
			return done, nil
		}
	}
}

// tooLong says that nothing was written.
func tooLong(m *shmkit.Mapping, from int64, what string) error {
	return fmt.Errorf("%s does not fit: %s has %d bytes from offset %d on; nothing was written", what, m.Name(), int64(m.Len())-from, from)
}
