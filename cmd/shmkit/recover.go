package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

func newRecoverCommand(a *app) *cobra.Command {
	var reset, asJSON bool
	cmd := &cobra.Command{
		Use:   "recover ADDRESS… [flags]",
		Short: "Put in order what the dead left behind",
		Long: `Recover takes the records of dead members out of an object. It is never necessary:
whoever uses the object does so when it has to.

A lock whose holder died stays for the next one to be told. With --reset that is
forgotten, and a lock that is not recoverable, or corrupt, is made usable again:
say so only when what it guards is in order.

Queues and topics are put in order by the next one to use them.`,
		Example: `  shmkit recover lock:backup
  shmkit recover lock:backup --reset`,
		Args:              rangeArgs(1, -1),
		ValidArgsFunction: completeAll[kind.Recoverer](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			addrs, err := a.parseAddresses(args)
			if err != nil {
				return err
			}
			can, err := findAll[kind.Recoverer](a, addrs, "recover", "need to be put in order")
			if err != nil {
				return err
			}
			all := []recovered{}
			failed := a.each(cmd, addrs, func(addr address.Address) error {
				done, err := can[addr.Kind].Recover(cmd.Context(), addr, reset)
				all = append(all, recovered{addr.String(), append([]string{}, done...)})
				return err
			})
			if failed != nil {
				return failed
			}
			if asJSON {
				return a.printJSON(all)
			}
			for _, r := range all {
				for _, text := range r.Done {
					if _, err := fmt.Fprintln(a.out, oneLine(r.Address+": "+text)); err != nil {
						return err
					}
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&reset, "reset", false, "also make locks usable that are not recoverable, and forget dead holders")
	jsonFlag(cmd, &asJSON, "print what was done as one JSON array")
	return cmd
}

// recovered is what was done to one object, for programs. The keys are stable.
type recovered struct {
	Address string   `json:"address"`
	Done    []string `json:"done"`
}
