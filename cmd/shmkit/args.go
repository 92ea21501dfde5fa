package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/address"
)

// Checks of the number of arguments; cobra's own say neither what is missing nor
// how the command is used.

func exactArgs(n int) cobra.PositionalArgs { return rangeArgs(n, n) }

// rangeArgs allows least to most arguments; most < 0 is any number.
func rangeArgs(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			words := strings.Fields(cmd.Use)[1:]
			return usagef("%s is missing: %s", strings.Trim(words[min(len(args), len(words)-1)], "[]….|"), cmd.UseLine())
		case most == 0 && len(args) > 0:
			return usagef("argument %q is not expected", args[0])
		case most >= 0 && len(args) > most:
			return usagef("argument %q is one too many: %s", args[most], cmd.UseLine())
		}
		return nil
	}
}

// group is a command that only holds others. Without arguments it prints its
// help; any argument is a command that isn't there.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.DisableFlagsInUseLine = true
	return cmd
}

func unknownCommand(cmd *cobra.Command, name string) error {
	if addr, err := address.Parse(name); err == nil && address.HasKind(name) {
		return usagef("%s is an address, and a command comes first, such as shmkit stat %s", addr, addr)
	}
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		return usagef("no command is called %q; did you mean %s?", name, strings.Join(near, " or "))
	}
	return usagef("no command is called %q", name)
}

// flagError is what is wrong with a flag. cobra looks at flags first, but where a
// command is unknown its flags are as well.
func flagError(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	text := err.Error()
	if number := (*strconv.NumError)(nil); errors.As(err, &number) { // what strconv says is for programmers
		why := "not a whole number"
		switch {
		case number.Func == "ParseBool":
			why = "write true or false, or no value"
		case errors.Is(number.Err, strconv.ErrRange):
			why = "no number of 64 bits"
		}
		text = strings.Replace(text, number.Error(), why, 1)
	}
	return usagef("%s", text)
}

// plural is a number with its noun in the right form, given both.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// listed joins words for people: "a, b and c".
func listed(words []string, last string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
	}
	return strings.Join(words, "")
}
