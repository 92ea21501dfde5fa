// Command shmkit makes, shows, uses and removes shared memory and its relatives.
// "shmkit --help" says what it can do; each command stands in a file of its name.
//
// What commands act on is an address (package address); what can be done with it
// is known by its kind (package kind); the commands bring the two together, and
// hold nothing that a user of the library would miss.
package main

import (
	"os"

	"github.com/shmkit/shmkit/explain"
	"github.com/shmkit/shmkit/internal/bench"
)

func main() {
	explain.Main() // or be a process of an experiment,
	bench.Main()   // or of a measurement
	ctx, end := signalContext()
	a := &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		kinds:      allKinds(),
		isTerminal: isTerminal,
		getenv:     os.Getenv,
	}
	code := a.run(ctx, os.Args[1:])
	end()
	os.Exit(code)
}
