package main

import (
	"context"
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

func newSemOpCommand(a *app) *cobra.Command {
	var wait waitFlags
	var undo, asJSON bool
	cmd := &cobra.Command{
		Use:   "op ADDRESS INDEX:DELTA… [flags]",
		Short: "Change semaphores in one atomic step",
		Long: `Op adds DELTA to the semaphore INDEX of a set, for all that are given in one
atomic step: all of them or none. A negative DELTA waits until the value is
large enough, a DELTA of 0 until the value is 0.

With --undo the kernel takes the change back when this command ends, which is
at once: it waits until the step is possible, and leaves the values as they
were.`,
		Example: `  shmkit sem op sem:0x5eed 0:-1
  shmkit sem op sem:0x5eed 0:0 0:+1 --timeout 2s
  shmkit sem op sem:0x5eed 0:-1 2:+1 --nowait`,
		Args:              rangeArgs(2, -1),
		ValidArgsFunction: completeOne[kind.Semaphores](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			var ops []sysv.Op
			done := semOpsJSON{Undo: undo}
			for _, text := range args[1:] {
				o, err := parseSemOp(text)
				if err != nil {
					return err
				}
				op := sysv.Add(o.Index, o.Delta)
				if undo {
					op = op.Undo()
				}
				ops, done.Ops = append(ops, op), append(done.Ops, o)
			}
			set, err := a.openSemaphores(args[0], "sem op")
			if err != nil {
				return err
			}
			err = wait.do(cmd.Context(), set, strings.Join(args[1:], " "),
				func(ctx context.Context) error { return set.Op(ctx, ops...) },
				func() error { return set.TryOp(ops...) })
			if err != nil || !asJSON {
				return err
			}
			done.Address = set.String()
			return a.printJSON(done)
		},
	}
	cmd.Flags().BoolVar(&undo, "undo", false, "take the change back when this command ends")
	wait.register(cmd)
	jsonFlag(cmd, &asJSON, "print what was done as one JSON object")
	return cmd
}

// semOpsJSON is a step that was done, for programs. The keys are stable.
type semOpsJSON struct {
	Address string      `json:"address"`
	Ops     []semOpJSON `json:"ops"`
	Undo    bool        `json:"undo"`
}

type semOpJSON struct {
	Index int `json:"index"`
	Delta int `json:"delta"`
}

// parseSemOp parses INDEX:DELTA.
func parseSemOp(text string) (semOpJSON, error) {
	left, right, ok := strings.Cut(text, ":")
	index, ierr := strconv.ParseUint(left, 10, 16)
	if !ok || ierr != nil {
		return semOpJSON{}, usagef("%q is no INDEX:DELTA, such as 0:-1 or 2:+3", text)
	}
	delta, err := strconv.ParseInt(right, 10, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return semOpJSON{}, usagef("%q is no INDEX:DELTA, such as 0:-1 or 2:+3", text)
	case err != nil || delta < math.MinInt16 || delta > math.MaxInt16:
		return semOpJSON{}, usagef("change %s of semaphore %d is outside %d to %d", right, index, math.MinInt16, math.MaxInt16)
	}
	return semOpJSON{int(index), int(delta)}, nil
}
