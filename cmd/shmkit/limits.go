package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
)

func newLimitsCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "limits [KIND…] [flags]",
		Short: "Show the limits and how much of them is used",
		Long: `Limits shows what the kernel allows of each kind, and how much of it is used,
as ipcs -l, ipcs -u and lsipc do. What the manuals call a limit stands in
capitals.

The limits are those of the IPC namespace; root changes them with sysctl
kernel.shmmax and its neighbours (kernel.shmall, shmmni, sem, msgmax, msgmnb,
msgmni). POSIX objects are limited by the size of /dev/shm, which root changes with
mount -o remount,size=….`,
		Example: `  shmkit limits
  shmkit limits sysv --json`,
		Args:              rangeArgs(0, -1),
		ValidArgsFunction: completeKinds[kind.Limiter](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			kinds, err := kindsNamed[kind.Limiter](a, args, "limits", "limits of its own")
			if err != nil {
				return err
			}
			all := []limitJSON{}
			for i, k := range kinds {
				limits, err := k.Can.Limits()
				if err != nil {
					return err
				}
				for _, l := range limits {
					all = append(all, newLimitJSON(k.Name(), l))
				}
				if asJSON {
					continue
				}
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				fmt.Fprintln(a.out, a.bold(k.Name()+": "+k.Title()))
				if err := limitTable(limits).write(a.out, a, ""); err != nil {
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
	return cmd
}

// limitJSON is a limit for programs. The keys are stable.
type limitJSON struct {
	Kind        string  `json:"kind"`
	Name        string  `json:"name"`
	Classic     *string `json:"classic"` // null: the manuals have no name for it
	Description string  `json:"description"`
	Unit        string  `json:"unit"` // "bytes", "pages" or "count"
	Limit       *uint64 `json:"limit"`
	Used        *uint64 `json:"used"`
}

func newLimitJSON(kindName string, l kind.Limit) limitJSON {
	j := limitJSON{Kind: kindName, Name: l.Name, Description: l.Description, Unit: l.Unit, Limit: l.Max, Used: l.Used}
	if l.Classic != "" {
		j.Classic = &l.Classic
	}
	if j.Unit == "" {
		j.Unit = "count"
	}
	return j
}

func limitTable(limits []kind.Limit) *table {
	t := &table{columns: []kind.Column{
		{Heading: "NAME"}, {Heading: "WHAT"}, {Heading: "LIMIT", Right: true}, {Heading: "USED", Right: true}, {Heading: "USE%", Right: true},
	}}
	for _, l := range limits {
		share := kind.Text("").Short()
		if l.Max != nil && l.Used != nil && *l.Max > 0 {
			share = fmt.Sprintf("%.2f%%", 100*float64(*l.Used)/float64(*l.Max))
		}
		t.rows = append(t.rows, []string{
			kind.Text(l.Classic).Short(), l.Description, amount(l.Max, l.Unit), amount(l.Used, l.Unit), share,
		})
	}
	return t
}

// amount is a limit or a use of it in a table.
func amount(n *uint64, unit string) string {
	switch {
	case n == nil:
		return kind.Text("").Short()
	case unit == "bytes":
		return kind.Bytes(*n).Short()
	}
	return kind.Count(*n).Short()
}
