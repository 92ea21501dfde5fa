package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newStatCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:        "stat ADDRESS… [flags]",
		SuggestFor: []string{"show", "info"},
		Short:      "Show everything about one object",
		Long: `Stat shows everything that is known about each of the objects: what the kernel
tells of it, how much of it is in memory, on swap, locked and in huge pages, who
uses it and how much of it is resident in each process, and whether anybody living
uses it and how that is known.

It needs no permission on them: the state of an object is no secret on Linux. Only
the values of semaphores need read permission; without it stat shows the rest and
says so ("values" is null in JSON). Of a file it must be possible to reach it, and
what is in memory of it is told to who may write it. Who uses an object is seen of
the processes that let this user look; of the others their number.

The keys of --json are those of shmkit ls.

Several addresses are each tried; failures are reported, and the exit code is 1.`,
		Example: `  shmkit stat sysv:0x5eed
  shmkit stat sem:id=3 msg:id=0 --json
  shmkit stat posix:/frames file:index.db memfd:812/5`,
		Args:              rangeArgs(1, -1),
		ValidArgsFunction: completeAll[kind.Stater](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			addrs, err := a.parseAddresses(args)
			if err != nil {
				return err
			}
			staters, err := findAll[kind.Stater](a, addrs, "stat", "state to show")
			if err != nil {
				return err
			}
			found := []kind.Object{}
			w, users := &watch{a: a, ctx: cmd.Context()}, &kind.Names{}
			err = a.each(cmd, addrs, func(addr address.Address) error {
				o, _, err := w.stat(addr, staters[addr.Kind], users)
				if err == nil {
					found = append(found, o)
				}
				return err
			})
			if asJSON {
				return firstError(a.printJSON(found), err)
			}
			for i, o := range found {
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				if err := a.printObject(o); err != nil {
					return err
				}
			}
			return err
		},
	}
	jsonFlag(cmd, &asJSON, "print one JSON array of all objects")
	return cmd
}

// stat returns what the kind tells of an object, and what is told of all; seen is what was seen of it, nil of
// a kind that package inspect does not know.
func (w *watch) stat(addr address.Address, can kind.Stater, users *kind.Names) (o kind.Object, seen *inspect.Object, err error) {
	if o, err = can.Stat(addr); err != nil {
		return o, nil, err
	}
	if k, _ := w.a.kinds.Kind(addr.Kind); isInspected(k) {
		found, err := w.object(o.Address)
		if err != nil {
			return o, nil, err
		}
		for _, f := range k.(kind.Inspected).Describe([]inspect.Object{found})[0].Fields {
			if o.Value(f.Name) == nil {
				o.Fields = append(o.Fields, f)
			}
		}
		addFacts(&o, &found, users)
		seen = &found
	}
	return o, seen, nil
}

// isInspected reports whether package inspect sees the objects of a kind.
func isInspected(k kind.Kind) bool {
	_, ok := k.(kind.Inspected)
	return ok
}

// findAll finds the capability C of the kinds of all addresses, before anything is
// done with one.
func findAll[C any](a *app, addrs []address.Address, verb, lacks string) (map[string]C, error) {
	found := map[string]C{}
	for _, addr := range addrs {
		c, err := kind.Find[C](a.kinds, addr, verb, lacks)
		if err != nil {
			return nil, err
		}
		found[addr.Kind] = c
	}
	return found, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// printObject prints the fields of an object, one a line, and a table within it
// below.
func (a *app) printObject(o kind.Object) error {
	width, whole := 0, map[kind.Unknown][]string{}
	for _, f := range o.Fields {
		if !f.Machine {
			width = max(width, len(f.Name))
		}
		if why, unknown := f.Value.(kind.Unknown); unknown && !f.Machine {
			whole[why] = append(whole[why], label(f))
		}
	}
	title := o.Value("address").Long()
	if _, err := fmt.Fprintln(a.out, a.bold(oneLine(title))); err != nil {
		return err
	}
	for _, f := range o.Fields {
		if f.Machine {
			continue
		}
		text := f.Value.Long()
		if why, unknown := f.Value.(kind.Unknown); unknown {
			text = kind.Unknown(aboutIt(string(why), title)).Long()
			if names := whole[why]; len(names) >= manyUnknown { // one reason is said once
				if names[0] != label(f) {
					continue
				}
				text += "; nor is known: " + listed(names[1:], "and")
			}
		}
		if list, ok := f.Value.(kind.List); ok { // of users, of semaphores
			if len(list.Items) == 0 {
				continue
			}
			if err := objectTable(list.Columns, list.Items, false).write(a.out, a, "  "); err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(a.out, "  %-*s  %s\n", width, label(f), oneLine(text)); err != nil {
			return err
		}
	}
	return nil
}

// manyUnknown is how many fields with one reason, that they are not known, are told of in one line.
const manyUnknown = 3

// label is what people read for the name of a field.
func label(f kind.Field) string { return strings.ReplaceAll(f.Name, "_", " ") }

// aboutIt is the text of an error without what it begins with where the address stands beside it.
func aboutIt(text, address string) string { return strings.TrimPrefix(text, "stat "+address+": ") }
