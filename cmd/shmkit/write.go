package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
)

func newWriteCommand(a *app) *cobra.Command {
	var o streamFlags
	var readers int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "write ADDRESS [flags]",
		Short: "Put lines into shared memory, for read to print",
		Long: `Write takes lines from standard input, a terminal or a pipe, and puts them into
shared memory, from where every "shmkit read" of the same address takes them.

It waits for its first reader (or --readers of them), and later for the slowest
one that is alive. Any number of writers may write at once: their lines are
never torn or mixed. It ends at the end of its input. Lines that no reader took
and none was left for are counted and reported; what a reader that is there at
the end does not take any more is not.

A line of a topic is a message, as programs publish and receive them (package
topic), of at most --max-message bytes; elsewhere a line has at most 1 MiB. With
--history readers that come later get the last lines of each writer.

` + streamMemory("writer or reader"),
		Example: `  shmkit write log
  tail -f app.log | shmkit write log --readers 0 --max-message 64K
  shmkit write sysv:0x5eed
  shmkit write posix:/log
  shmkit write file:/run/log.stream
  shmkit write memfd:812/5`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Streams](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			if readers < 0 || readers > stream.MaxReaders {
				return usagef("--readers must be 0 to %d, not %d", stream.MaxReaders, readers)
			}
			p, err := a.streamArgs(args[0], "write", &o)
			if err != nil {
				return err
			}
			if err := a.canRead(); err != nil {
				return err
			}
			w, err := p.writer(cmd.Context())
			if err != nil {
				return err
			}
			done, err := a.writeLines(cmd.Context(), w, readers, "shmkit read "+p.Address.String())
			if err = errors.Join(err, w.Close()); err != nil || !asJSON {
				return err
			}
			return a.printJSON(writtenJSON{p.Address.String(), done.Lines, done.Bytes, done.Unread})
		},
	}
	o.register(a, cmd, stream.Lines)
	cmd.Flags().IntVar(&readers, "readers", 1, "wait for `N` readers before the first line; 0: for none")
	jsonFlag(cmd, &asJSON, "print one JSON object at the end")
	return cmd
}

// writtenJSON is what was written, for programs. The keys are stable.
type writtenJSON struct {
	Address string `json:"address"`
	Lines   int64  `json:"lines"`
	Bytes   int64  `json:"bytes"`        // of the lines, a newline each included
	Unread  int64  `json:"unread_lines"` // those that may not have been read: no reader was left for them
}

func (a *app) writeLines(ctx context.Context, w kind.StreamWriter, readers int, peer string) (stream.LinesWritten, error) {
	if err := a.awaitReaders(ctx, w, readers, "reader", peer); err != nil {
		return stream.LinesWritten{}, err
	}
	done, err := w.WriteLines(ctx, &input{ctx, a.in})
	if done.Unread > 0 {
		fmt.Fprintf(a.err, "shmkit write: %d of %d lines may not have been read: there was no reader left for them\n", done.Unread, done.Lines)
	}
	return done, err
}

// awaitReaders waits for n readers, and tells a person that it does: what they are
// called, and the command that is one.
func (a *app) awaitReaders(ctx context.Context, w kind.StreamWriter, n int, noun, peer string) error {
	have, err := w.Readers()
	if err != nil {
		return err
	}
	if have < n && a.errIsTerminal() {
		fmt.Fprintf(a.err, "waiting for %s: %s\n", count(n-have, noun), oneLine(peer))
	}
	return w.WaitReaders(ctx, n)
}

// count is a number with its noun: "1 reader", "2 readers".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
