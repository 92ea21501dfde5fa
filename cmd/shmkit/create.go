package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
)

func newCreateCommand(a *app) *cobra.Command {
	var asJSON bool
	var flags *kindFlags
	cmd := &cobra.Command{
		Use:        "create ADDRESS [flags]",
		SuggestFor: []string{"make", "new", "ipcmk"},
		Short:      "Make a piece of memory, semaphore set, topic, queue or lock",
		Long: `Create makes the object that ADDRESS names and prints its address, with identifier
and key where it has them, and whether it was created or existed.

One that exists is opened if it fits: memory that is at least as large, a set that
has at least as many semaphores, and a System V object's permissions that grant
--mode. With --exclusive it is an error. What was created and cannot be printed is
removed again.

Memory needs --size, a semaphore set --count. Memory and semaphores begin at zero.
POSIX objects and files appear whole, with their space reserved, unless --sparse;
where there is too little, nothing is made. The umask does not count.

A queue holds --capacity items of up to --max-item bytes; with --deliveries one that
comes back too often becomes a dead letter, of which --dead-letters are kept.
Options given for one that exists must be what it was made with. Its memory is
reserved when it is made.

A topic carries messages of bytes, up to --max-message long. Its memory is reserved
too, and shmkit stat shows what it is for. --publish-mode lets others subscribe who
may not publish: they may read the file that messages are in.

ADDRESS may be KIND:private for a System V object without a key, which is found by
the identifier alone. An object stays until it is removed or, but for a file, the
machine goes down.`,
		Example: `  shmkit create sysv:0x5eed --size 64K
  shmkit create sysv:private --size 2M --mode 0640
  shmkit create sem:ftok=/etc/hostname:a --count 3 --exclusive
  shmkit create msg:0x5eed
  shmkit create posix:/frames --size 64M
  shmkit create file:index.db --size 1G --sparse
  shmkit create queue:jobs --capacity 100 --deliveries 3
  shmkit create topic:camera --max-message 4M --depth 4 --timestamps`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Creator](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, err := a.parseNewAddress(args[0])
			if err != nil {
				return err
			}
			creator, err := kind.Find[kind.Creator](a.kinds, addr, "create", "way to make it")
			if err != nil {
				return err
			}
			o, _, err := flags.options(addr)
			if err != nil {
				return err
			}
			made, created, err := creator.Create(addr, o)
			if err != nil {
				return err
			}
			err = a.printMade(made, created, asJSON)
			if err != nil && created { // nobody was told its identifier
				err = errors.Join(err, a.unmake(made))
			}
			return err
		},
	}
	flags = newKindFlags(a, cmd, kind.Creator.CreateOptions)
	jsonFlag(cmd, &asJSON, "print one JSON object")
	return cmd
}

func (a *app) printMade(made kind.Object, created, asJSON bool) error {
	if asJSON {
		made.Fields = append(made.Fields, kind.Field{Name: "created", Value: kind.Flag(created)})
		return a.printJSON(made)
	}
	how := "existed"
	if created {
		how = "created"
	}
	line := oneLine(made.Value("address").Short())
	for _, name := range []string{"id", "key"} { // by which some kinds are found as well
		if v := made.Value(name); v != nil {
			line += "  " + name + " " + v.Short()
		}
	}
	_, err := fmt.Fprintln(a.out, line+"  "+how)
	return err
}

// unmake removes what was made.
func (a *app) unmake(made kind.Object) error {
	r, err := kind.Find[kind.Remover](a.kinds, made.Address, "create", "way to remove it")
	if err == nil {
		_, err = r.Remove(made.Address)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s was created and is left: %w", made.Address, err)
	}
	return nil
}
