package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/kind"
)

func newDumpCommand(a *app) *cobra.Command {
	var f rangeFlags
	cmd := &cobra.Command{
		Use:   "dump ADDRESS [flags]",
		Short: "Show memory in hexadecimal",
		Long: `Dump shows the memory of an object (a segment, a POSIX object, a file, a memfd), or
a part of it, as hexdump -C would: the offset into the object, 16 bytes, and what of
them is text. Lines that repeat the one before are a single *.

It takes one look after the other: somebody may write meanwhile. Pages that
nobody has touched are given memory by looking at them.`,
		Example: `  shmkit dump sysv:0x5eed
  shmkit dump sysv:0x5eed --offset 0x1000 --length 256
  shmkit dump posix:/frames --length 64
  shmkit dump file:index.db --offset 4K
  shmkit dump memfd:812/5`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Memory](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withMemory(args[0], "dump", "memory to dump", false, func(m *shmkit.Mapping) error {
				from, to, err := f.in(m)
				if err != nil {
					return err
				}
				out := bufio.NewWriterSize(a.out, chunk)
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
	return cmd
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
