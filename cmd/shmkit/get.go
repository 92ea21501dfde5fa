package main

import (
	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/kind"
)

func newGetCommand(a *app) *cobra.Command {
	var f rangeFlags
	cmd := &cobra.Command{
		Use:        "get ADDRESS [flags]",
		SuggestFor: []string{"cat"},
		Short:      "Write memory to standard output",
		Long: `Get writes the bytes of an object (a segment, a POSIX object, a file, a memfd), or a
part of it, to standard output as they are. It takes one look after the other:
somebody may write meanwhile.`,
		Example: `  shmkit get sysv:0x5eed > image
  shmkit get sysv:0x5eed --offset 4K --length 64 | xxd
  shmkit get posix:/frames > image
  shmkit get file:index.db --length 64 | xxd
  shmkit get memfd:812/5 | sha256sum`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Memory](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.canPrint(); err != nil {
				return err
			}
			return a.withMemory(args[0], "get", "memory to get", false, func(m *shmkit.Mapping) error {
				from, to, err := f.in(m)
				if err != nil {
					return err
				}
				return readRange(cmd.Context(), m, from, to, func(p []byte) error {
					_, err := a.out.Write(p)
					return err
				})
			})
		},
	}
	f.registerOffset(cmd)
	f.registerLength(cmd)
	return cmd
}
