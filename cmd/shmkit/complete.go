package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
)

// completeEach completes each argument by the function at its place, and no more.
func completeEach(places ...cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return places[len(args)](cmd, args, text)
	}
}

// completeFile leaves it to the shell to complete an argument as a file.
func completeFile(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeOne completes the first argument as an address of a kind with the
// capability C.
func completeOne[C any](a *app) cobra.CompletionFunc { return completeEach(completeAll[C](a)) }

// completeAll completes every argument as completeOne does the first.
func completeAll[C any](a *app) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
		return addresses[C](a, args, text)
	}
}

// addresses are the kinds as long as none was typed, then the objects of it that
// exist.
func addresses[C any](a *app, given []string, text string) ([]string, cobra.ShellCompDirective) {
	var found []string
	if !strings.Contains(text, ":") {
		for _, k := range kind.With[C](a.kinds) {
			found = append(found, k.Name()+":\t"+k.Title())
		}
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	for _, k := range kind.With[C](a.kinds) {
		if !strings.HasPrefix(text, k.Name()+":") {
			continue
		}
		if c, ok := k.Kind.(kind.Completer); ok {
			return completed(c.Complete(text), given)
		}
		list, ok := k.Kind.(kind.Lister)
		if !ok {
			continue
		}
		objects, err := list.List()
		if err != nil {
			continue // there is nobody to tell
		}
		for _, o := range objects {
			for _, name := range []string{o.Value("address").Short(), o.Address.String()} {
				if !slices.Contains(given, name) && !slices.Contains(found, name) {
					found = append(found, name)
				}
			}
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completed are addresses that a kind completes by itself: without those that were
// given, and those that a shell would take for several.
func completed(all, given []string) ([]string, cobra.ShellCompDirective) {
	directive := cobra.ShellCompDirectiveNoFileComp
	var found []string
	for _, name := range all {
		if slices.Contains(given, name) || strings.ContainsAny(name, "\t\n\r") {
			continue
		}
		if strings.HasSuffix(name, "/") { // it leads on
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		found = append(found, name)
	}
	return found, directive
}

// completeKinds completes every argument as a kind with the capability C.
func completeKinds[C any](a *app) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		var names []string
		for _, k := range kind.With[C](a.kinds) {
			if !slices.Contains(args, k.Name()) {
				names = append(names, k.Name()+"\t"+k.Title())
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeFlag completes the value of a flag as one of some words, or as a list of
// them with commas between, each once.
func completeFlag(cmd *cobra.Command, flag string, list bool, words ...string) {
	complete := func(_ *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
		directive := cobra.ShellCompDirectiveNoFileComp
		if !list {
			return words, directive
		}
		before := text[:strings.LastIndex(text, ",")+1]
		given := strings.Split(before, ",")
		var found []string
		for _, word := range words {
			if !slices.Contains(given, word) {
				found = append(found, before+word)
			}
		}
		return found, directive | cobra.ShellCompDirectiveNoSpace // there may be another
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // there is no such flag, or it has one
	}
}

// newCompletionCommand prints cobra's scripts.
func newCompletionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script of a shell",
		Long: `Completion prints a script with which the shell completes shmkit's commands,
flags, kinds and the addresses of objects that exist. SHELL is bash, zsh or
fish.`,
		Example: `  source <(shmkit completion bash)
  shmkit completion zsh > ~/.zfunc/_shmkit
  shmkit completion fish > ~/.config/fish/completions/shmkit.fish`,
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args:      exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.out, true)
			case "zsh":
				return root.GenZshCompletion(a.out)
			case "fish":
				return root.GenFishCompletion(a.out, true)
			}
			return usagef("no completion for %q: there is bash, zsh and fish", args[0])
		},
	}
}
