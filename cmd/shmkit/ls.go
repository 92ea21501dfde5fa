package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newLsCommand(a *app) *cobra.Command {
	var asJSON, mine, long bool
	cmd := &cobra.Command{
		Use:        "ls [KIND…] [flags]",
		SuggestFor: []string{"list", "ipcs", "lsipc"},
		Short:      "Show what exists",
		Long: `Ls shows every segment, semaphore set and message queue of the machine (or of
the IPC namespace), every POSIX shared memory object, and every descriptor of
sealed memory, or what there is of the given kinds; also what one may not read. Of
files it shows those that a process maps shared, if asked (ls file). What the
processes of other users map and hold only root sees. Of locks and what else
programs share by name it shows those in this user's directory, or in SHMKIT_DIR:
who holds them, how many wait for them, are members, and died; of a work queue how
many items are ready, and held (CLAIMED), and LETTERS, which are the dead ones.

ATT is how often a segment is attached, CPID the process that made it, LPID the
last to attach or detach. Times are times of day if that was today, else dates.
Marks: "removed" is a segment that goes with its last mapping, "locked" one
that is kept from swapping, "deleted" a file whose name is gone.

ALLOC is what an object takes of memory, swap or disk, RESIDENT what of it is in
memory, PROCS how many processes are seen to map it.

--json prints one array of all objects: sizes in bytes, times as RFC 3339 or
null, keys and modes as strings.`,
		Example: `  shmkit ls
  shmkit ls sysv sem --mine
  shmkit ls posix
  shmkit ls --json sysv | jq '.[] | select(.attached == 0) | .address'`,
		Args:              rangeArgs(0, -1),
		ValidArgsFunction: completeKinds[kind.Lister](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds, err := kindsNamed[kind.Lister](a, args, "ls", "list of all there are")
			if err != nil {
				return err
			}
			if len(args) == 0 {
				kinds = slices.DeleteFunc(kinds, func(k kind.Capable[kind.Lister]) bool {
					_, incidental := k.Kind.(kind.Incidental)
					return incidental
				})
			}
			all := []kind.Object{}
			for i, k := range kinds {
				objects, err := k.Can.List()
				if err != nil {
					return err
				}
				if mine {
					objects = slices.DeleteFunc(objects, func(o kind.Object) bool { return !isMine(o) })
				}
				all = append(all, objects...)
				if asJSON {
					continue
				}
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				if err := a.printObjects(k, objects, long); err != nil {
					return err
				}
			}
			if asJSON {
				return a.printJSON(all)
			}
			return nil
		},
	}
	jsonFlag(cmd, &asJSON, "print one JSON array")
	cmd.Flags().BoolVar(&mine, "mine", false, "only what this user owns or made")
	cmd.Flags().BoolVarP(&long, "long", "l", false, "with groups, exact sizes, full times, creator's command")
	return cmd
}

func (a *app) printObjects(k kind.Capable[kind.Lister], objects []kind.Object, long bool) error {
	if _, err := fmt.Fprintln(a.out, a.bold(k.Name()+": "+k.Title())); err != nil {
		return err
	}
	if len(objects) == 0 {
		_, err := fmt.Fprintln(a.out, "none")
		return err
	}
	return objectTable(k.Can.Columns(), objects, long).write(a.out, a, "")
}

// isMine reports whether the object belongs to the user or was made by them.
func isMine(o kind.Object) bool { return slices.Contains(o.Owners, uint32(os.Geteuid())) }

// kindsNamed returns the kinds with the capability C, or of these the named ones. verb and
// lacks serve the error, as in kind.Find.
func kindsNamed[C any](a *app, names []string, verb, lacks string) ([]kind.Capable[C], error) {
	with := kind.With[C](a.kinds)
	if len(names) == 0 {
		return with, nil
	}
	var found []kind.Capable[C]
	for _, name := range names {
		name = strings.TrimSuffix(name, ":") // as addresses and help have it
		i := slices.IndexFunc(with, func(k kind.Capable[C]) bool { return k.Name() == name })
		switch _, err := address.Parse(name); {
		case i >= 0:
			found = append(found, with[i])
		case slices.ContainsFunc(a.kinds.Kinds(), func(k kind.Kind) bool { return k.Name() == name }):
			return nil, kind.Lacking[C](a.kinds, name, name, verb, lacks)
		case err == nil && address.HasKind(name):
			instead := "use shmkit stat"
			if verb == "rm --all" {
				instead = "leave out --all"
			}
			return nil, usagef("%q is the address of one object; give a kind here, or %s", name, instead)
		default:
			var known []string
			for _, k := range with {
				known = append(known, k.Name())
			}
			return nil, usagef("no kind is called %q; known are %s", name, listed(known, "and"))
		}
	}
	return found, nil
}
