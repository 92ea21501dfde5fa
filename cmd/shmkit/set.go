package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newSetCommand(a *app) *cobra.Command {
	var flags *kindFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "set ADDRESS [flags]",
		Short: "Change owner, mode, size, capacity, seals or semaphore values",
		Long: `Set changes the owner, group and permission bits of an object, the size of what is
a file, the capacity of a message queue, the values of semaphores, and adds seals
to sealed memory. What a larger size adds is zero and reserved; what a smaller one
cuts off is gone, and who touches it has a fault.

Owner, creator and root may change an object; setting the values of semaphores
needs write permission. What processes have to undo on a semaphore is forgotten
when its value is set. Mappings that exist keep what they have.`,
		Example: `  shmkit set sysv:0x5eed --owner alice --mode 0640
  shmkit set msg:0x5eed --capacity 64K
  shmkit set posix:/frames --size 128M
  shmkit set file:index.db --mode 0640 --json
  shmkit set memfd:812/5 --seals write,seal
  shmkit set sem:0x5eed --value 0=1,2=5
  shmkit set sem:0x5eed --values 1,0,5`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Setter](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, err := a.parseAddress(args[0])
			if err != nil {
				return err
			}
			setter, err := kind.Find[kind.Setter](a.kinds, addr, "set", "settings")
			if err != nil {
				return err
			}
			o, given, err := flags.options(addr)
			if err != nil {
				return err
			}
			if given == 0 {
				return usagef("nothing to change: give one of %s", flags.names(addr.Kind))
			}
			if err := setter.Set(addr, o); err != nil || !asJSON {
				return err
			}
			return a.printChanged(addr)
		},
	}
	flags = newKindFlags(a, cmd, kind.Setter.SetOptions)
	jsonFlag(cmd, &asJSON, "print the object as it is then, as stat does, as one JSON object")
	return cmd
}

// printChanged prints what an object is now.
func (a *app) printChanged(addr address.Address) error {
	stater, err := kind.Find[kind.Stater](a.kinds, addr, "set --json", "state to show")
	if err != nil {
		return err
	}
	o, err := stater.Stat(addr)
	if err != nil {
		return fmt.Errorf("%s was changed, and cannot be shown: %w", addr, err)
	}
	return a.printJSON(o)
}
