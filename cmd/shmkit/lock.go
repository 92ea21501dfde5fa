package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/sys"
)

func newLockCommand(a *app) *cobra.Command {
	var l lock
	cmd := &cobra.Command{
		Use:   "lock ADDRESS… [flags] [-- COMMAND…]",
		Short: "Keep memory from being swapped out",
		Long: `Lock keeps the pages of memory from being swapped out or dropped.

A System V segment stays locked until "shmkit unlock", whatever becomes of this
command: the pages that are there, and those that come; it brings none in. ls shows
the mark "locked". It needs to be owner or creator.

The memory of other kinds is locked by a process. Lock brings all of it in, says
so, and keeps it as long as it runs: until it is interrupted, or --for so long, or
until COMMAND ends, whose exit code is then its own. What it says goes to standard
error if there is a COMMAND, for the output is that one's; as JSON on one line.

All of it counts against the limit of locked memory (ulimit -l), but for root.`,
		Example: `  shmkit lock sysv:0x5eed
  shmkit lock posix:/frames memfd:812/5
  shmkit lock file:index.db --for 30m
  shmkit lock file:index.db -- ./benchmark --rounds 10`,
		Args: func(cmd *cobra.Command, args []string) error {
			addrs, command := splitAtDash(cmd, args)
			if cmd.ArgsLenAtDash() >= 0 && len(command) == 0 {
				return usagef("COMMAND is missing behind --: %s", cmd.UseLine())
			}
			return rangeArgs(1, -1)(cmd, addrs)
		},
		ValidArgsFunction: completeBehindDash(a, completeAll[kind.Memory](a)),
		RunE: func(cmd *cobra.Command, args []string) error {
			texts, command := splitAtDash(cmd, args)
			addrs, err := a.parseAddresses(texts)
			if err != nil {
				return err
			}
			memory, err := findAll[kind.Memory](a, addrs, "lock", "memory to lock")
			if err != nil {
				return err
			}
			return l.run(cmd, a, addrs, memory, command)
		},
	}
	cmd.Flags().Var(&l.hold, "for", "keep it so long, such as 90s, where it ends with this command")
	jsonFlag(cmd, &l.asJSON, "print what was locked as one JSON array")
	return cmd
}

func newUnlockCommand(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "unlock ADDRESS… [flags]",
		Short: "Let memory be swapped out again",
		Long: `Unlock takes back what lock did to a System V segment. One that isn't locked stays
so. Memory of other kinds is unlocked when the lock command ends.`,
		Example:           `  shmkit unlock sysv:0x5eed`,
		Args:              rangeArgs(1, -1),
		ValidArgsFunction: completeAll[kind.Locker](a),
		RunE: func(cmd *cobra.Command, args []string) error {
			addrs, err := a.parseAddresses(args)
			if err != nil {
				return err
			}
			lockers, err := findAll[kind.Locker](a, addrs, "unlock", "memory to unlock")
			if err != nil {
				return err
			}
			unlocked := []unlockedJSON{}
			err = a.each(cmd, addrs, func(addr address.Address) error {
				err := lockers[addr.Kind].Unlock(addr)
				if err == nil {
					unlocked = append(unlocked, unlockedJSON{addr.String()})
				}
				return err
			})
			if asJSON {
				return firstError(a.printJSON(unlocked), err)
			}
			return err
		},
	}
	jsonFlag(cmd, &asJSON, "print what was unlocked as one JSON array")
	return cmd
}

// unlockedJSON is a segment that was unlocked, for programs. The keys are stable.
type unlockedJSON struct {
	Address string `json:"address"`
}

// splitAtDash tells the arguments before -- from those behind it.
func splitAtDash(cmd *cobra.Command, args []string) (before, behind []string) {
	if at := cmd.ArgsLenAtDash(); at >= 0 && at <= len(args) {
		return args[:at], args[at:]
	}
	return args, nil
}

type lock struct {
	hold   durationFlag
	asJSON bool
	held   []*shmkit.Mapping
}

// lockedJSON is memory that was locked, for programs. The keys are stable.
type lockedJSON struct {
	Address string `json:"address"`
	Bytes   *int64 `json:"bytes"` // null: whatever there is of it
	Until   string `json:"until"` // "unlock", "interrupted", "time" or "command"
	Limit   uint64 `json:"limit_bytes"`
}

func (l *lock) run(cmd *cobra.Command, a *app, addrs []address.Address, memory map[string]kind.Memory, command []string) (err error) {
	until := "interrupted"
	switch {
	case len(command) > 0 && l.hold.given:
		return usagef("--for and a command exclude each other")
	case len(command) > 0:
		until = "command"
	case l.hold.given:
		until = "time"
	}
	for _, addr := range addrs {
		if _, lasts := memory[addr.Kind].(kind.Locker); lasts && until != "interrupted" {
			return usagef("%s stays locked until shmkit unlock: --for and a command are for memory that a process locks", addr)
		}
	}
	if len(command) > 0 { // before anything is locked
		if _, err := findProgram(command[0]); err != nil {
			return err
		}
	}
	defer func() {
		for _, m := range l.held {
			err = errors.Join(err, m.Close())
		}
	}()
	var locked []lockedJSON
	failed := a.each(cmd, addrs, func(addr address.Address) error {
		j := lockedJSON{Address: addr.String(), Until: until, Limit: sys.MemoryLockLimit()}
		if locker, lasts := memory[addr.Kind].(kind.Locker); lasts {
			j.Until = "unlock"
			locked = append(locked, j)
			return locker.Lock(addr)
		}
		n, err := l.lock(cmd.Context(), memory[addr.Kind], addr)
		j.Bytes = &n
		locked = append(locked, j)
		return err
	})
	if failed != nil {
		return failed
	}
	if err := l.tell(a, locked, command); err != nil || len(l.held) == 0 {
		return err
	}
	if len(command) > 0 {
		return a.runCommand(cmd.Context(), command)
	}
	return l.wait(cmd.Context())
}

// lock locks memory that a process locks. It may take long to bring it in.
func (l *lock) lock(ctx context.Context, memory kind.Memory, addr address.Address) (int64, error) {
	m, err := memory.OpenMemory(addr, false)
	if err != nil {
		return 0, err
	}
	l.held = append(l.held, m)
	const step = 64 << 20
	for off := int64(0); off < int64(m.Len()); off += step {
		if err := ctx.Err(); err != nil {
			return off, err
		}
		if err := m.Lock(off, min(step, int64(m.Len())-off)); err != nil {
			return off, err
		}
	}
	return int64(m.Len()), nil
}

// tell says what is locked: to standard error if the output is the command's.
func (l *lock) tell(a *app, locked []lockedJSON, command []string) error {
	switch {
	case l.asJSON && len(command) > 0:
		_, err := a.err.Write(jsonLine(locked))
		return err
	case l.asJSON:
		return a.printJSON(locked)
	}
	var what []string
	for _, j := range locked {
		if j.Bytes != nil {
			what = append(what, fmt.Sprintf("%s of %s", formatSize(uint64(*j.Bytes)), j.Address))
		}
	}
	if len(what) == 0 {
		return nil
	}
	out, until := a.out, "until this command is interrupted"
	switch {
	case len(command) > 0:
		out, until = a.err, "until "+command[0]+" ends"
	case l.hold.given:
		until = "for " + l.hold.d.String()
	}
	_, err := fmt.Fprintln(out, oneLine("locked in memory: "+strings.Join(what, ", ")+"; "+until))
	return err
}

// wait keeps what is locked as long as it was asked for.
func (l *lock) wait(ctx context.Context) error {
	if !l.hold.given {
		<-ctx.Done()
		return ctx.Err()
	}
	timer := time.NewTimer(l.hold.d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
