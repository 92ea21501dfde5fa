package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// completeBehindDash completes a command line of the form before -- COMMAND…: what
// stands before by the function, and the rest as a command.
func completeBehindDash(a *app, before cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
		// cobra adds a -- of its own behind args, so that ArgsLenAtDash says where the
		// user's is only if there is one.
		typed := a.args[:max(0, len(a.args)-1)]
		if !slices.Contains(typed, "--") {
			return before(cmd, args, text)
		}
		_, command := splitAtDash(cmd, args)
		return completeCommand(cmd, command, text)
	}
}

// completeNothing is for a place where nothing can stand.
func completeNothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// completeCommand completes the first word as a program, and what follows as files.
func completeCommand(_ *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || strings.Contains(text, "/") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return programs(text), cobra.ShellCompDirectiveDefault // where there is none, a file
}

// programs are those in PATH whose names begin with a text, each once.
func programs(text string) []string {
	var found []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // as a shell does
		}
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), text) || strings.ContainsAny(e.Name(), "\t\n\r") {
				continue
			}
			if st, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
				found = append(found, e.Name())
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
