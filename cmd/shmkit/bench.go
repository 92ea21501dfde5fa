package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/bench"
	"github.com/shmkit/shmkit/internal/bench/report"
)

// benching is one run of shmkit bench.
type benching struct {
	*app
	options        bench.Options
	sizes          string
	duration       durationFlag
	toJSON, toPage string // files, "" none
	progress       *progress
	printed        bool
}

func newBenchCommand(a *app) *cobra.Command {
	b := &benching{app: a}
	suites := bench.Suites()
	cmd := &cobra.Command{
		Use:        "bench [" + strings.Join(append(slices.Clone(suites), "all"), "|") + "]… [flags]",
		SuggestFor: []string{"benchmark", "measure"},
		Short:      "Measure every way from process to process here",
		Long: `Bench measures what it costs on this machine to hand something from one process to
another: by pipe, sockets, message queues, a System V segment with semaphores, and
by what shmkit has. All are two real processes, and measured by turns in one run, so
that what else goes on hits all alike; each is bound to a CPU. Messages are
verified before anything is timed. Nothing is left behind, also by Ctrl-C.

` + aboutSuites() + `
A way waits by asking again and again (spin), or in the call that sleeps. Touched
means that all bytes of a message are written and read, not eight of them. A
yardstick is what the machine takes at least: × is the time in times of it. Whoever
wants figures to rely on lets the machine do nothing else meanwhile.`,
		Example: `  shmkit bench
  shmkit bench latency --sizes 64,4K,1M
  shmkit bench throughput --ways pipe,topic --duration 2s
  shmkit bench all --html report.html --json report.json`,
		Args: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if name != "all" && !slices.Contains(suites, name) {
					return usagef("there is no suite %q; there are %s, and all", name, listed(suites, "and"))
				}
			}
			return nil
		},
		ValidArgs: append(slices.Clone(suites), "all"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := b.check(args); err != nil {
				return err
			}
			return b.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&b.sizes, "sizes", "64,4K,1M", "`SIZES` of messages, with commas between them")
	cmd.Flags().Var(&b.duration, "duration", "how long each row is timed, all in all (default 300ms)")
	cmd.Flags().StringSliceVar(&b.options.Ways, "ways", nil, "only these `WAYS`, with commas between them: "+listed(bench.Ways(), "and"))
	completeFlag(cmd, "ways", true, bench.Ways()...)
	cmd.Flags().BoolVar(&b.options.Unpinned, "unpinned", false, "bind the processes to no CPU")
	cmd.Flags().StringVar(&b.toJSON, "json", "", "write all figures to `FILE` as JSON; - is standard output, without tables")
	cmd.Flags().StringVar(&b.toPage, "html", "", "write a page with charts to `FILE`, which needs nothing else")
	return cmd
}

// aboutSuites says what each measures.
func aboutSuites() string {
	var text strings.Builder
	for _, name := range bench.Suites() {
		fmt.Fprintf(&text, "  %-10s  %s\n", name, bench.About(name))
	}
	return text.String()
}

// check looks at what was asked for.
func (b *benching) check(args []string) error {
	if len(args) > 0 && !slices.Contains(args, "all") {
		for _, name := range bench.Suites() { // each once, in their order
			if slices.Contains(args, name) {
				b.options.Suites = append(b.options.Suites, name)
			}
		}
	}
	for text := range strings.SplitSeq(b.sizes, ",") {
		n, err := parseSize(strings.TrimSpace(text))
		if err != nil {
			return usagef("--sizes %s: %v", b.sizes, err)
		}
		if !slices.Contains(b.options.Sizes, int(n)) {
			b.options.Sizes = append(b.options.Sizes, int(n))
		}
	}
	if b.duration.given {
		b.options.Duration = b.duration.d
	}
	if b.options.Ways != nil && len(b.options.Ways) == 0 {
		return usagef("--ways names no way; there are %s", listed(bench.Ways(), "and"))
	}
	if err := b.options.Check(); err != nil {
		return usagef("%v", err)
	}
	if b.toPage == "-" {
		return usagef("--html takes the name of a file")
	}
	return nil
}

func (b *benching) run(ctx context.Context) error {
	for _, file := range []string{b.toJSON, b.toPage} {
		if file != "" && file != "-" {
			if err := probeOutFile(file, false); err != nil {
				return err
			}
		}
	}
	asked := ctx
	if b.progress = b.newProgress("", -1); b.progress != nil {
		b.progress.shown = time.Time{}
	}
	failed := make(chan error, 1)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	b.options.Progress = func(p bench.Progress) {
		if err := b.tell(p); err != nil && len(failed) == 0 {
			failed <- err
			stop(err) // nobody reads
		}
	}
	res, err := bench.Run(ctx, b.options)
	b.progress.end()
	if len(failed) > 0 && asked.Err() == nil {
		return <-failed
	}
	if err != nil {
		if asked.Err() != nil && b.printed {
			fmt.Fprintln(b.err, "interrupted; the tables above are complete")
		}
		return err
	}
	res.Command = strings.Join(append([]string{"shmkit"}, os.Args[1:]...), " ")
	return errors.Join(b.writeJSON(res), b.writePage(res), b.legend(res))
}

// tell shows what a run tells of itself.
func (b *benching) tell(p bench.Progress) error {
	if p.Complete == nil {
		b.show(p)
		return nil
	}
	if b.toJSON == "-" {
		return nil
	}
	b.progress.end()
	var text bytes.Buffer // a table comes whole or not at all
	if b.printed {
		text.WriteByte('\n')
	}
	if err := b.printRows(&text, p.Complete); err != nil {
		return err
	}
	_, err := b.out.Write(text.Bytes())
	b.printed = b.printed || err == nil
	return err
}

// show shows how far it is, on a terminal.
func (b *benching) show(p bench.Progress) {
	if b.progress == nil || time.Since(b.progress.shown) < progressPause {
		return
	}
	b.progress.shown = time.Now()
	width := b.progress.columns() - 1
	line, _ := fitting(width, fmt.Sprintf("%3d%%", 100*p.Done/max(p.All, 1)), "  "+p.Now)
	b.progress.write(line, width)
}

func (b *benching) writeJSON(res *bench.Result) error {
	write := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(res)
	}
	if b.toJSON == "-" {
		return write(b.out)
	}
	return b.writeFile(b.toJSON, write)
}

func (b *benching) writePage(res *bench.Result) error {
	return b.writeFile(b.toPage, func(w io.Writer) error {
		return report.WriteHTML(w, res)
	})
}

// writeFile writes a file whole or not at all; "" is none.
func (b *benching) writeFile(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	o, err := createOutFile(name, 0o666)
	if err != nil {
		return err
	}
	if err := write(o); err != nil {
		return errors.Join(err, o.Abort())
	}
	return o.Commit()
}
