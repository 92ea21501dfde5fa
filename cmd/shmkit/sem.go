package main

import (
	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

func newSemCommand(a *app) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "sem",
		Short: "Operate on semaphores, or show their values",
		Long: `Sem operates on the semaphores of a set. They are made with shmkit create sem:…
and set with shmkit set.`,
		Example: `  shmkit sem op sem:0x5eed 0:-1
  shmkit sem values sem:0x5eed`,
	})
	cmd.AddCommand(newSemOpCommand(a), newSemValuesCommand(a))
	return cmd
}

// openSemaphores opens the set that an address names.
func (a *app) openSemaphores(text, verb string) (*sysv.SemaphoreSet, error) {
	addr, err := a.parseAddress(text)
	if err != nil {
		return nil, err
	}
	k, err := kind.Find[kind.Semaphores](a.kinds, addr, verb, "semaphores")
	if err != nil {
		return nil, err
	}
	return k.OpenSemaphores(addr)
}

func newSemValuesCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "values ADDRESS [flags]",
		Short: "Show the values of all semaphores of a set",
		Long: `Values shows the values of all semaphores of a set, taken at one moment. It
needs read permission. shmkit stat shows who waits for each as well.`,
		Example: `  shmkit sem values sem:0x5eed
  shmkit sem values sem:0x5eed --json`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Semaphores](a),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := a.openSemaphores(args[0], "sem values")
			if err != nil {
				return err
			}
			values, err := set.Values()
			if err != nil {
				return err
			}
			list := []kind.Object{}
			for i, v := range values {
				list = append(list, kind.Object{Fields: []kind.Field{
					{Name: "index", Value: kind.Count(i)}, {Name: "value", Value: kind.Count(v)},
				}})
			}
			if asJSON {
				return a.printJSON(list)
			}
			return objectTable([]kind.Column{
				{Heading: "INDEX", Field: "index", Right: true}, {Heading: "VALUE", Field: "value", Right: true},
			}, list, false).write(a.out, a, "")
		},
	}
	jsonFlag(cmd, &asJSON, "print one JSON array")
	return cmd
}
