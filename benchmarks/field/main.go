// Field measures shmkit beside other systems: C and C++ programs on their public interfaces that do exactly what
// shmkit's own do, in the same run, by turns. It needs a C++ compiler and what Debian packages of the others; what is missing is said
// and left out.
//
//	go run ./benchmarks/field [-suites a,b] [-ways a,b] [-sizes 64,4096] [-duration D] [-rounds N] [-results FILE] [-list]
//
// README.md beside this file says how it measures, and what was compared with what.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/bench"
)

func main() {
	bench.Main()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		log.Fatal(err)
	}
}

// field is what to measure.
type field struct {
	options bench.Options
	results string
	peers   []string
	command string
}

func run(ctx context.Context, args []string, out, errors io.Writer) (err error) {
	f := flag.NewFlagSet("field", flag.ContinueOnError)
	f.SetOutput(errors)
	suites := f.String("suites", "latency,throughput,sync", "suites, with commas between them")
	ways := f.String("ways", "", "of shmkit's and the kernel's ways from Go these, with commas between them; the default is all")
	sizes := f.String("sizes", "64,4096,1048576,4194304", "bytes of messages, with commas between them")
	peers := f.String("peers", "", "other systems, with commas between them; the default is all")
	duration := f.Duration("duration", time.Second, "how long each row is timed, all in all")
	rounds := f.Int("rounds", 5, "how often processes are started anew")
	results := f.String("results", "", "write `FILE`, as benchmarks/RESULTS.md is written")
	list := f.Bool("list", false, "list the other systems, and whether they are here")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("what is %q? There are only flags", f.Arg(0))
	}
	if *list {
		return listPeers(out)
	}
	work := &field{results: *results, command: strings.TrimSpace("go run ./benchmarks/field " + quoted(args)), options: bench.Options{Suites: strings.Split(*suites, ","), Duration: *duration, Rounds: *rounds}}
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-sizes: %w", err)
		}
		work.options.Sizes = append(work.options.Sizes, n)
	}
	if *ways != "" {
		work.options.Ways = strings.Split(*ways, ",")
	}
	if *peers != "" {
		work.peers = strings.Split(*peers, ",")
	}
	return work.run(ctx, out, errors)
}

// quoted are arguments as a shell takes them.
func quoted(args []string) string {
	var all []string
	for _, a := range args {
		if strings.Contains(a, " ") {
			a = "'" + a + "'"
		}
		all = append(all, a)
	}
	return strings.Join(all, " ")
}

// run builds, measures bound to CPUs and then not, and writes what came of it.
func (f *field) run(ctx context.Context, out, notes io.Writer) (err error) {
	built, err := build(ctx, f.peers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, built.close()) }()
	for _, why := range built.missing {
		fmt.Fprintln(notes, "left out:", why)
	}
	f.options.Foreign, f.options.Paired = built.ways, paired
	measured := commit(ctx) // now: who works on it meanwhile may have another one in the end
	f.options.Progress = func(p bench.Progress) {
		for i, r := range p.Complete {
			if i == 0 {
				fmt.Fprintln(notes, bench.Title(r.Trial))
			}
			if r.Impossible == "" {
				fmt.Fprintf(notes, "  %-28s %8s  %s ×\n", r.Name(), bench.Seconds(r.Typical()), bench.Factor(r.Ratio))
			}
		}
	}
	var all []*bench.Result
	for _, unpinned := range []bool{false, true} {
		o := f.options
		if o.Unpinned = unpinned; unpinned {
			// What changes is how the kernel places them, and that shows at one size.
			o.Sizes = o.Sizes[:1]
		}
		res, err := bench.Run(ctx, o)
		if err != nil {
			return err
		}
		all = append(all, res)
	}
	if f.results == "" {
		return nil
	}
	text := report(ctx, all, built, f.command, measured)
	return os.WriteFile(f.results, []byte(text), 0o644)
}
