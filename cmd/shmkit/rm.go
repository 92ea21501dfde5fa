package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newRmCommand(a *app) *cobra.Command {
	var r rm
	cmd := &cobra.Command{
		Use:        "rm ADDRESS… | rm --all [KIND…] [flags]",
		SuggestFor: []string{"remove", "delete", "ipcrm"},
		Short:      "Remove objects",
		Long: `Rm removes the objects. Each is tried; failures are reported, and the exit code
is 1.

A segment that is attached loses its key at once and its memory with the last
process that uses it; until then ls shows it with the mark "removed". Semaphore
sets and message queues are gone at once, and whoever waits for them gets an
error. With a segment that write, read, send or recv made go its semaphores.

A POSIX object or a file loses its name at once, and its memory with the last
process that maps it. Of file: only regular files are removed, and no links; of
posix: whatever has the name but a directory, as shm_unlink does, links themselves
and not what they lead to. rm does not ask.

A lock, and what else programs share by name, is not removed while a living process
has it open. What a dead holder left to tell goes with it, and what is in a queue.

--all removes everything there is, or everything of the given kinds, but never a
file; or with --mine only what this user owns or made. It asks first; without a
terminal it needs --yes.`,
		Example: `  shmkit rm sysv:0x5eed sem:id=3
  shmkit rm posix:/frames file:index.db
  shmkit rm --all --mine
  shmkit rm --all msg --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if r.all {
				return nil
			}
			return rangeArgs(1, -1)(cmd, args)
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			if r.all {
				return completeKinds[kind.Disposable](a)(cmd, args, text)
			}
			return completeAll[kind.Remover](a)(cmd, args, text)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.all {
				return r.removeAll(cmd, a, args)
			}
			if r.mine || r.yes {
				return usagef("--mine and --yes go with --all")
			}
			addrs, err := a.parseAddresses(args)
			if err != nil {
				return err
			}
			return r.remove(cmd, a, addrs)
		},
	}
	cmd.Flags().BoolVar(&r.all, "all", false, "remove all objects, or all of the given kinds")
	cmd.Flags().BoolVar(&r.mine, "mine", false, "with --all: only what this user owns or made")
	cmd.Flags().BoolVarP(&r.yes, "yes", "y", false, "with --all: don't ask")
	cmd.Flags().BoolVarP(&r.verbose, "verbose", "v", false, "say what was removed")
	jsonFlag(cmd, &r.asJSON, "print what was removed as one JSON array")
	return cmd
}

type rm struct {
	all, mine, yes, verbose, asJSON bool

	done []removedJSON
}

func (r *rm) remove(cmd *cobra.Command, a *app, addrs []address.Address) error {
	removers, err := findAll[kind.Remover](a, addrs, "rm", "way to remove it")
	if err != nil {
		return err
	}
	// Which objects are meant, while they are there: one may go with another.
	objects, meant, gone := map[address.Address]address.Address{}, map[address.Address]bool{}, map[address.Address]bool{}
	for _, addr := range addrs {
		objects[addr] = a.objectAt(addr)
		meant[objects[addr]] = true
	}
	r.done = []removedJSON{}
	err = a.each(cmd, addrs, func(addr address.Address) error {
		with, err := removers[addr.Kind].Remove(addr)
		if errors.Is(err, fs.ErrNotExist) {
			switch {
			case gone[objects[addr]]:
				err = nil
			case r.all: // somebody else was faster
				return nil
			}
		}
		if err != nil {
			return err
		}
		gone[objects[addr]] = true
		r.removed(a, removedJSON{Address: addr.String()})
		for _, other := range with {
			gone[other] = true
			if !meant[other] { // else it has its own line
				with := addr.String()
				r.removed(a, removedJSON{other.String(), &with})
			}
		}
		return nil
	})
	if r.asJSON {
		return firstError(a.printJSON(r.done), err)
	}
	return err
}

// removedJSON is what was removed, for programs. The keys are stable.
type removedJSON struct {
	Address string  `json:"address"`
	With    *string `json:"with"` // the address of what it went with; null: it was meant itself
}

// removed takes down what was done, and says it if that is wanted. A failure to is
// remembered by a.out.
func (r *rm) removed(a *app, j removedJSON) {
	r.done = append(r.done, j)
	if !r.verbose || r.asJSON {
		return
	}
	text := "removed " + j.Address
	if j.With != nil {
		text += " with " + *j.With
	}
	fmt.Fprintln(a.out, oneLine(text))
}

// objectAt returns the address that the object at addr has for itself, or addr
// where that can't be known.
func (a *app) objectAt(addr address.Address) address.Address {
	if s, err := kind.Find[kind.Stater](a.kinds, addr, "", ""); err == nil {
		if o, err := s.Stat(addr); err == nil {
			return o.Address
		}
	}
	return addr
}

func (r *rm) removeAll(cmd *cobra.Command, a *app, names []string) error {
	kinds, err := kindsNamed[kind.Disposable](a, names, "rm --all", "way to remove all of it")
	if err != nil {
		return err
	}
	if !r.yes && !a.isTerminal(a.in) {
		return usagef("--all needs --yes where nobody can be asked")
	}
	var addrs []address.Address
	var what []string
	for _, k := range kinds {
		objects, err := k.Can.List()
		if err != nil {
			return err
		}
		n := 0
		for _, o := range objects {
			if !r.mine || isMine(o) {
				addrs = append(addrs, o.Address)
				n++
			}
		}
		if n > 0 {
			what = append(what, fmt.Sprintf("%d of %s", n, k.Title()))
		}
	}
	if !r.yes && len(addrs) > 0 {
		if ok, err := a.ask(cmd, "remove "+listed(what, "and")+"?"); !ok || err != nil {
			return err
		}
	}
	return r.remove(cmd, a, addrs)
}

// ask asks a question on the terminal; anything but yes is no.
func (a *app) ask(cmd *cobra.Command, question string) (bool, error) {
	if _, err := fmt.Fprintf(a.err, "%s [y/N] ", question); err != nil {
		return false, err
	}
	answer, err := bufio.NewReader(&input{cmd.Context(), a.in}).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}
