package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newDumpCommand(a *app) *cobra.Command {
	var f rangeFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "dump ADDRESS [flags]",
		Short: "Show memory in hexadecimal",
		Long: `Dump shows the memory of an object (a segment, a POSIX object, a file, a memfd), or
a part of it, as hexdump -C would: the offset into the object, 16 bytes, and what of
them is text. Lines that repeat the one before are a single *.

It takes one look after the other: somebody may write meanwhile. Pages that
nobody has touched are given memory by looking at them.

With --json it prints the bytes, in base64, with the address, the offset and the
length they have.`,
		Example: `  shmkit dump sysv:0x5eed
  shmkit dump sysv:0x5eed --offset 0x1000 --length 256
  shmkit dump posix:/frames --length 64
  shmkit dump posix:/frames --length 64 --json | jq -r .base64 | base64 -d
  shmkit dump file:index.db --offset 4K
  shmkit dump memfd:812/5`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Memory](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withMemory(args[0], "dump", "memory to dump", false, func(addr address.Address, m *shmkit.Mapping) error {
				from, to, err := f.in(m)
				if err != nil {
					return err
				}
				out := bufio.NewWriterSize(a.out, chunk)
				if asJSON {
					return dumpJSON(cmd.Context(), out, addr, m, from, to)
				}
				d := &dumper{w: out, offset: from}
				if err := readRange(cmd.Context(), m, from, to, d.add); err != nil {
					return err
				}
				d.end()
				return out.Flush()
			})
		},
	}
	f.registerOffset(cmd)
	f.registerLength(cmd)
	jsonFlag(cmd, &asJSON, "print one JSON object, the bytes in base64")
	return cmd
}

// dumpJSON writes a range for programs: address, offset, length and base64. The keys are
// stable. The bytes go out as they are read, for memory may be larger than a string can be.
func dumpJSON(ctx context.Context, out *bufio.Writer, addr address.Address, m *shmkit.Mapping, from, to int64) error {
	fmt.Fprintf(out, "{\n  \"address\": %s,\n  \"offset\": %d,\n  \"length\": %d,\n  \"base64\": \"", bytes.TrimSpace(jsonLine(addr.String())), from, to-from)
	enc := base64.NewEncoder(base64.StdEncoding, out)
	err := readRange(ctx, m, from, to, func(p []byte) error {
		_, err := enc.Write(p)
		return err
	})
	if err == nil {
		err = enc.Close()
	}
	if err != nil {
		return err
	}
	fmt.Fprint(out, "\"\n}\n")
	return out.Flush()
}

// dumper writes lines of 16 bytes. Failures to write are left to the writer,
// which remembers them.
type dumper struct {
	w       io.Writer
	offset  int64 // of the next line
	line    []byte
	last    []byte // the line before, nil if there was none
	starred bool   // and a * stands for its repetitions
	text    []byte // scratch
}

const dumpWidth = 16

// add dumps the bytes that come next.
func (d *dumper) add(p []byte) error {
	for len(p) > 0 {
		n := min(dumpWidth-len(d.line), len(p))
		d.line, p = append(d.line, p[:n]...), p[n:]
		if len(d.line) < dumpWidth {
			return nil
		}
		if err := d.flush(); err != nil {
			return err
		}
	}
	return nil
}

// end dumps a last, shorter line, and the offset of the end.
func (d *dumper) end() {
	if len(d.line) > 0 {
		_ = d.flush()
	}
	fmt.Fprintf(d.w, "%08x\n", d.offset)
}

func (d *dumper) flush() (err error) {
	if bytes.Equal(d.line, d.last) {
		if !d.starred {
			_, err = io.WriteString(d.w, "*\n")
		}
		d.starred = true
	} else {
		d.starred = false
		_, err = d.w.Write(d.format())
		d.last = append(d.last[:0], d.line...)
	}
	d.offset += int64(len(d.line))
	d.line = d.line[:0]
	return err
}

// format is the line: "00000010  68 65 6c 6c 6f …  |hello…|".
func (d *dumper) format() []byte {
	const digits = "0123456789abcdef"
	b := fmt.Appendf(d.text[:0], "%08x ", d.offset)
	for i := range dumpWidth {
		if i%8 == 0 {
			b = append(b, ' ')
		}
		if i < len(d.line) {
			b = append(b, digits[d.line[i]>>4], digits[d.line[i]&15], ' ')
		} else {
			b = append(b, "   "...)
		}
	}
	b = append(b, " |"...)
	for _, c := range d.line {
		if c < ' ' || c > '~' {
			c = '.'
		}
		b = append(b, c)
	}
	d.text = append(b, "|\n"...)
	return d.text
}
