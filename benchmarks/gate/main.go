// Gate fails if a path of shmkit takes more instructions than it did when the figures in
// instructions.json were recorded. README.md beside this file says how they are counted, and what they do not
// tell.
//
//	go run ./benchmarks/gate [-paths a,b] [-record] [-list]
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
	"slices"
	"strings"
	"syscall"
)

func main() {
	walkIfTold()
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // nobody may read on, and what was made is removed all the same
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if errors.Is(err, errNotTraced) { // here nothing can be said, good or bad
		log.Print(err)
		return
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("gate", flag.ContinueOnError)
	chosen := f.String("paths", "", "paths to count, with commas between them; the default is all")
	record := f.Bool("record", false, "write what is counted to "+recordFile+", which is then what counts")
	list := f.Bool("list", false, "list the paths and count nothing")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("what is %q? There are only flags", f.Arg(0))
	}
	which, err := choose(*chosen)
	if err != nil {
		return err
	}
	if *list {
		for _, p := range which {
			fmt.Fprintf(out, "%-20s %s\n", p.name, p.about)
		}
		return nil
	}
	rec, err := recorded()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%-20s %12s %12s\n", "path", "instructions", "recorded")
	var worse []string
	for _, p := range which {
		n, err := count(ctx, p)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		verdict, bad := rec.judge(p.name, n)
		fmt.Fprintf(out, "%-20s %12.1f %s\n", p.name, n, verdict)
		if bad {
			worse = append(worse, p.name)
		}
		rec.set(p.name, n)
	}
	if *record {
		return rec.write()
	}
	if len(worse) > 0 {
		return fmt.Errorf("more instructions than recorded: %s. If that has to be, say why in the commit, and record them anew: make gate-record", strings.Join(worse, ", "))
	}
	return nil
}

func choose(list string) ([]path, error) {
	all := paths()
	if list == "" {
		return all, nil
	}
	var chosen []path
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(p path) bool { return p.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("there is no path %q: see -list", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}
