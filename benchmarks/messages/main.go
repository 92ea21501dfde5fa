// Messages measures what it takes to hand messages from one process to another, in units of
// the machine's floor: two processes, in C, that bounce one cache line. Both take turns every few
// milliseconds, for the floor of a machine with neighbours jumps, and only what was measured at
// almost the same time can be compared.
//
//	go run ./benchmarks/messages [-works a,b] [-duration D] [-unpinned] [-json] [-list]
//
// README.md beside this file says how it measures, how to read it, and how to add a work.
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
	"syscall"
	"time"
)

func main() {
	if isChild() {
		os.Exit(childMain(works()))
	}
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("messages", flag.ContinueOnError)
	list := f.Bool("list", false, "list the works and measure nothing")
	chosen := f.String("works", "", "works to measure, with commas between them; the default is all")
	duration := f.Duration("duration", 3*time.Second, "how long each work takes at least")
	unpinned := f.Bool("unpinned", false, "do not bind the two processes to CPUs")
	asJSON := f.Bool("json", false, "print JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("what is %q? There are only flags", f.Arg(0))
	}
	all := works()
	if *list {
		for _, w := range all {
			fmt.Fprintf(out, "%-14s %s\n", w.name, w.op)
		}
		return nil
	}
	which, err := choose(all, *chosen)
	if err != nil {
		return err
	}
	at, err := findPlace(!*unpinned)
	if err != nil {
		return err
	}
	p := &printer{out: out, json: *asJSON, where: here(at)}
	p.begin()
	b := &bench{all: all, at: at, duration: *duration, least: leastSlices, rounds: rounds, shorter: 1}
	if err := at.run(func() error { return b.run(ctx, which, p.row) }); err != nil {
		return err
	}
	return p.end()
}

// Of each work.
const (
	rounds      = 5  // processes started
	leastSlices = 10 // that count
)
