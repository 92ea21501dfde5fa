package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
)

func newGetCommand(a *app) *cobra.Command {
	var g get
	cmd := &cobra.Command{
		Use:        "get ADDRESS [flags]",
		SuggestFor: []string{"cat"},
		Short:      "Write memory to standard output or a file",
		Long: `Get writes the bytes of an object (a segment, a POSIX object, a file, a memfd), or a
part of it, to standard output as they are. It takes one look after the other:
somebody may write meanwhile.

With --output they go to a file, which appears whole or not at all, also if get is
killed; what it replaces stays until then. Into a named pipe or a device they go as
they come. It says then how many bytes that were, and as JSON with --json, for which
standard output has no room otherwise.`,
		Example: `  shmkit get sysv:0x5eed > image
  shmkit get sysv:0x5eed --offset 4K --length 64 | xxd
  shmkit get posix:/frames --output image
  shmkit get file:index.db --length 64 | xxd
  shmkit get memfd:812/5 | sha256sum`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Memory](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			g.toFile = cmd.Flags().Changed("output") && g.output.text != "-"
			switch {
			case g.asJSON && !g.toFile:
				return usagef("--json needs --output FILE: standard output is the content")
			case g.toFile && g.output.text == "":
				return usagef("FILE of --output is empty")
			}
			if !g.toFile {
				if err := a.canPrint(); err != nil {
					return err
				}
			}
			return a.withMemory(args[0], "get", "memory to get", false, func(addr address.Address, m *shmkit.Mapping) error {
				return g.get(cmd.Context(), a, addr, m)
			})
		},
	}
	g.registerOffset(cmd)
	g.registerLength(cmd)
	g.output = textFlag{"", "FILE"}
	cmd.Flags().Var(&g.output, "output", "write them to this file, - is standard output")
	jsonFlag(cmd, &g.asJSON, "with --output: print one JSON object")
	return cmd
}

type get struct {
	rangeFlags
	output         textFlag
	toFile, asJSON bool
}

// gotJSON is what was written to a file, for programs. The keys are stable.
type gotJSON struct {
	Address string `json:"address"`
	Offset  int64  `json:"offset"`
	Bytes   int64  `json:"bytes"`
	Output  string `json:"output"` // the file, as it was said
}

func (g *get) get(ctx context.Context, a *app, addr address.Address, m *shmkit.Mapping) error {
	from, to, err := g.in(m)
	if err != nil {
		return err
	}
	if !g.toFile {
		return readRange(ctx, m, from, to, func(p []byte) error {
			_, err := a.out.Write(p)
			return err
		})
	}
	if err := g.save(ctx, a, m, from, to); err != nil {
		return err
	}
	if g.asJSON {
		return a.printJSON(gotJSON{addr.String(), from, to - from, g.output.text})
	}
	_, err = fmt.Fprintf(a.out, "%s of %s at offset %d written to %s\n", plural(int(to-from), "byte", "bytes"),
		oneLine(m.Name()), from, oneLine(g.output.text))
	return err
}

// save writes a range to the file.
func (g *get) save(ctx context.Context, a *app, m *shmkit.Mapping, from, to int64) error {
	if st, err := os.Stat(g.output.text); err == nil && st.IsDir() {
		return fmt.Errorf("%s is a directory", g.output.text)
	}
	t, err := a.newTarget(ctx, g.output.text)
	if err != nil {
		return err
	}
	err = t.Begin(stream.FileInfo{Size: to - from, Mode: 0o666})
	if err == nil {
		err = readRange(ctx, m, from, to, func(p []byte) error {
			_, err := t.Write(p)
			return err
		})
	}
	if err != nil {
		return errors.Join(err, t.abort())
	}
	return t.commit()
}
