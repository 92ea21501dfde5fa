package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newWhoCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:        "who ADDRESS… [flags]",
		SuggestFor: []string{"lsof", "fuser", "users"},
		Short:      "Show which processes use an object",
		Long: `Who shows the processes that map an object or have a descriptor of it, and of a
lock, a queue, a topic and the like its living members: how much of their address
space it takes (MAPPED), how much of the object is in memory for them (RESIDENT;
copies that a private mapping made are not of the object), and how they have it
mapped: shared or private, writable, executable. FDS are their descriptors of it.

Of other users' processes only root sees what they map and have open; who says how
many could not be looked at. A process of another IPC namespace is marked; of a
segment the kernel counts those it cannot show.

Where nobody is seen it says whether that is because there is nobody. It is no
failure. Several addresses are each tried; failures are
reported, and the exit code is 1.

--json prints one array, an object for each address, with "users", "users_hidden",
"in_use" and "in_use_why" as shmkit ls has them.`,
		Example: `  shmkit who sysv:0x5eed
  shmkit who posix:/frames topic:camera
  shmkit who map:812/7f12a4000000 --json`,
		Args:              rangeArgs(1, -1),
		ValidArgsFunction: completeAll[kind.Stater](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			addrs, err := a.parseAddresses(args)
			if err != nil {
				return err
			}
			staters, err := findAll[kind.Stater](a, addrs, "who", "users")
			if err != nil {
				return err
			}
			found, all := []kind.Object{}, []inspect.Object{}
			w, users := &watch{a: a, ctx: cmd.Context()}, &kind.Names{}
			err = a.each(cmd, addrs, func(addr address.Address) error {
				o, err := staters[addr.Kind].Stat(addr) // which knows what the address means, and why it means nothing
				if err != nil {
					return err
				}
				seen, err := w.object(o.Address)
				if err != nil {
					return err
				}
				found, all = append(found, whoFields(o, &seen, users)), append(all, seen)
				return nil
			})
			if asJSON {
				return firstError(a.printJSON(found), err)
			}
			for i := range found {
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				if err := a.printWho(found[i], &all[i], len(addrs) > 1); err != nil {
					return err
				}
			}
			return err
		},
	}
	jsonFlag(cmd, &asJSON, "print one JSON array of all objects")
	return cmd
}

// whoFields are what who tells of an object.
func whoFields(o kind.Object, seen *inspect.Object, users *kind.Names) kind.Object {
	who := kind.Object{Address: o.Address, Fields: []kind.Field{
		{Name: "kind", Value: o.Value("kind")}, {Name: "address", Value: o.Value("address")},
	}}
	for _, f := range factsOf(seen, users) {
		switch f.Name {
		case "users", "users_hidden", "in_use", "in_use_why":
			who.Fields = append(who.Fields, f)
		}
	}
	return who
}

// printWho prints the users of an object, under its address if there are several.
func (a *app) printWho(o kind.Object, seen *inspect.Object, titled bool) error {
	indent := ""
	if titled {
		indent = "  "
		if _, err := fmt.Fprintln(a.out, a.bold(oneLine(o.Value("address").Long()))); err != nil {
			return err
		}
	}
	list, _ := o.Value("users").(kind.List)
	if len(list.Items) > 0 {
		if err := objectTable(list.Columns, list.Items, false).write(a.out, a, indent); err != nil {
			return err
		}
	} else if _, err := fmt.Fprintln(a.out, indent+oneLine(unseenUsers(seen))); err != nil {
		return err
	}
	if s := seen.Segment; s != nil && s.Unseen > 0 {
		if _, err := fmt.Fprintf(a.out, "%s%s more by processes that are not seen here\n", indent, plural(s.Unseen, "attachment", "attachments")); err != nil {
			return err
		}
	}
	if seen.Hidden == 0 || len(list.Items) == 0 && seen.Use != inspect.Used {
		return nil
	}
	_, err := fmt.Fprintf(a.out, "%s%s\n", indent, hiddenUsers(seen.Hidden).Long())
	return err
}

// unseenUsers is what stands in the place of users where none was seen.
func unseenUsers(seen *inspect.Object) string {
	switch seen.Use {
	case inspect.Unused:
		return "nobody"
	case inspect.Used:
		return "nobody who can be seen"
	}
	return "unknown: " + seen.UseWhy
}
