package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// lsFlags are the flags of ls.
type lsFlags struct {
	asJSON, mine, orphans, long bool
	sort                        string
}

func newLsCommand(a *app) *cobra.Command {
	var f lsFlags
	cmd := &cobra.Command{
		Use:        "ls [KIND…] [flags]",
		SuggestFor: []string{"list", "ipcs", "lsipc"},
		Short:      "Show what exists",
		Long: `Ls shows all shared memory of the machine in one list, and what belongs to it:
every segment, semaphore set and message queue of the IPC namespace, every POSIX
shared memory object, memory that is held by descriptors, what processes share
without any name, files that are mapped shared by several processes or for
writing, and the locks, queues, topics and so on in this user's directory, or in
SHMKIT_DIR; root sees those of all users. It also shows what one may not read, and
what has lost its name and is still in use. Files that are mapped for reading only
are counted; ls file, --long and --json have them all.

RESIDENT is what is in memory of it, and SWAP what is on swap. USERS are processes
that map it or have a descriptor of it, and of a lock and the like its members; a
? behind them says that there may be more, which this user is not let see.
Marks: "removed" and "deleted" is what goes with its last user, "locked" what is
kept from being swapped, "huge" what is of huge pages, "unused" what nobody living
uses, "dead" an object that a process had open which has died, "unseen" what could
not be looked at. WHAT is who uses it, or what is in it. Of a segment of another
IPC namespace OWNER and MODE are not known here, which is "?". With a file behind a
topic its size is that of all its files.

On a screen too narrow for WHAT, columns are left out and named in the last line:
SWAP where nothing is, MODE, and OWNER if it is the same everywhere. An address for
which there is no room stands in a line of its own, whole. --long leaves nothing
out.

With kinds there is a table for each, with what only that kind has. Of segments:
ATT is how often it is attached, CPID the process that made it, LPID the last to
attach or detach. Times are times of day if that was today, else dates. ALLOC is
what an object takes of memory, swap or disk, PROCS how many processes are seen to
map it. Of a lock: who holds it, how many wait for it, are members, and died; of a
work queue how many items are ready, and held (CLAIMED), and LETTERS, which are
the dead ones.

--orphans shows only what nobody living uses. What may be in use, because not all
processes let this user look, is counted and not shown.

--json prints one array of all objects: sizes in bytes, times as RFC 3339 or null,
keys and modes as strings. Whose an object is, is "owner", a name, and "owner_uid",
"group" and "group_gid"; of a process it is "user" and "uid". What is not known, and
who is not there, such as the "holder_pid" of a free lock, is null. Each object has
the keys of its kind, and "resident",
"swapped", "dirty", "locked" and "huge", "users", each with "pid", "command",
"uid", "mapped", "resident" (with --long only), "shared", "writable" and
"descriptors", "users_hidden", the number of processes that could not be looked
at, "in_use", which is "yes", "no" or "unknown", "in_use_why", "removed", and
"was", the name of what has lost it.`,
		Example: `  shmkit ls
  shmkit ls --sort size
  shmkit ls --orphans
  shmkit ls sysv sem --mine
  shmkit ls --json sysv | jq '.[] | select(.in_use == "no") | .address'`,
		Args:              rangeArgs(0, -1),
		ValidArgsFunction: completeKinds[kind.Lister](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds, err := kindsNamed[kind.Lister](a, args, "ls", "list of all there are")
			if err != nil {
				return err
			}
			less, err := sorting(f.sort)
			if err != nil {
				return err
			}
			found, failed := a.survey(cmd, kinds, f.long)
			if failed != nil && found == nil {
				return failed
			}
			unknown := f.pick(found)
			if less != nil {
				for _, items := range found {
					slices.SortStableFunc(items, less)
				}
			}
			l := listing{a, kinds, found, f.long, less}
			switch {
			case f.asJSON:
				err = l.printJSON()
			case len(args) == 0:
				err = l.printOne()
			default:
				err = l.printEach()
			}
			if err == nil && f.orphans {
				err = a.sayUnknown(unknown, f.asJSON)
			}
			return firstError(err, failed)
		},
	}
	jsonFlag(cmd, &f.asJSON, "print one JSON array")
	cmd.Flags().BoolVar(&f.mine, "mine", false, "only what this user owns or made")
	cmd.Flags().BoolVar(&f.orphans, "orphans", false, "only what nobody living uses")
	cmd.Flags().BoolVarP(&f.long, "long", "l", false, "with groups, exact sizes, full times, what is locked and huge")
	cmd.Flags().StringVar(&f.sort, "sort", "", "sort by `KEY`: "+listed(sortKeys(), "or"))
	completeFlag(cmd, "sort", false, sortKeys()...)
	return cmd
}

// pick takes out what is not wanted, and returns what might be: of which it is not known whether
// anybody uses it.
func (f *lsFlags) pick(found map[string][]item) (unknown []item) {
	for name, items := range found {
		found[name] = slices.DeleteFunc(items, func(i item) bool {
			switch {
			case f.mine && !i.mine():
				return true
			case !f.orphans || i.seen != nil && i.seen.Use == inspect.Unused:
				return false
			case i.seen == nil || i.seen.Use == inspect.Unknown:
				unknown = append(unknown, i)
			}
			return true
		})
	}
	return unknown
}

// sayUnknown says how many objects may be unused, and why that is not known.
func (a *app) sayUnknown(unknown []item, aside bool) error {
	if len(unknown) == 0 {
		return nil
	}
	reasons := map[string]int{}
	for _, i := range unknown {
		why := "nothing tells who uses such objects"
		if i.seen != nil && i.seen.UseWhy != "" {
			why = i.seen.UseWhy
		}
		reasons[why]++
	}
	var words []string
	for why, n := range reasons {
		words = append(words, fmt.Sprintf("%s (%d)", why, n))
	}
	slices.Sort(words)
	out := a.out
	if aside {
		out = a.err
	}
	verb := "objects are not listed: it is not known whether anybody uses them"
	if len(unknown) == 1 {
		verb = "object is not listed: it is not known whether anybody uses it"
	}
	_, err := fmt.Fprintf(out, "%d %s: %s\n", len(unknown), verb, oneLine(strings.Join(words, "; ")))
	return err
}

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
