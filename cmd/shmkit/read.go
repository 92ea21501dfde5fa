package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
)

func newReadCommand(a *app) *cobra.Command {
	var o streamFlags
	var follow, asJSON bool
	var lines int64
	cmd := &cobra.Command{
		Use:   "read ADDRESS [flags]",
		Short: "Print the lines that write puts into shared memory",
		Long: `Read prints every line that any "shmkit write" of the same address writes after
read has joined, once and in order. Any number of readers may read at once, and
each prints every line: those of one writer in order, over a topic those of
several in any. From a topic that keeps history, the last lines of each writer
come first.

With --json each line is an object on a line of its own,
{"line":TEXT,"base64":null} or, of what is not UTF-8,
{"line":null,"base64":BYTES}.

It waits for a writer, and ends when every writer it has seen has ended and
their lines are printed.

` + streamMemory("writer or reader"),
		Example: `  shmkit read log
  shmkit read log --follow | grep error
  shmkit read sysv:0x5eed
  shmkit read posix:/log
  shmkit read posix:/log --json | jq -r .line
  shmkit read file:/run/log.stream --lines 10
  shmkit read memfd:812/5`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Streams](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			if lines < 1 && cmd.Flags().Changed("lines") {
				return usagef("--lines must be at least 1, not %d", lines)
			}
			p, err := a.streamArgs(args[0], "read", &o)
			if err != nil {
				return err
			}
			if err := a.canPrint(); err != nil {
				return err
			}
			p.Follow = follow
			r, err := p.reader(cmd.Context())
			if err != nil {
				return err
			}
			out := a.out
			if asJSON {
				out = &jsonLines{w: a.out}
			}
			_, err = r.ReadLines(cmd.Context(), out, lines)
			return errors.Join(err, r.Close())
		},
	}
	o.register(a, cmd, stream.Lines)
	cmd.Flags().BoolVar(&follow, "follow", false, "go on when no writer is left, until interrupted")
	cmd.Flags().Int64Var(&lines, "lines", 0, "end after `N` lines (default: no bound)")
	jsonFlag(cmd, &asJSON, "print each line as a JSON object on a line")
	return cmd
}
