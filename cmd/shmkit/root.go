package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// Groups of commands, as help shows them.
const (
	groupObjects  = "objects"
	groupSeeing   = "seeing"
	groupContents = "contents"
	groupStreams  = "streams"
	groupOther    = "other"
)

// usageTemplate is cobra's, but says how commands of commands and topics are
// reached.
func usageTemplate(cobras string) string {
	return strings.NewReplacer(
		"{{if .Runnable}}\n  {{.UseLine}}{{end}}", "{{if not .HasAvailableSubCommands}}\n  {{.UseLine}}{{end}}",
		".FlagUsages ", ".FlagUsagesWrapped 80 ",
		"{{.CommandPath}} [command]{{end}}", "{{.CommandPath}} COMMAND{{end}}",
		"{{.CommandPath}} [command] --help", "{{.CommandPath}} COMMAND --help",
		"{{rpad .CommandPath .CommandPathPadding}} {{.Short}}{{end}}{{end}}{{end}}", "{{.Root.Name}} help {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}",
	).Replace(cobras)
}

// newRootCommand builds the whole command line. A new command is one line here and
// one file.
func newRootCommand(a *app) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "shmkit",
		Short: "Shared memory and its relatives: make, show, use, remove",
		Long: `Shmkit makes, shows, uses and removes shared memory and what belongs to it.

What a command acts on is an address, KIND:REST, or the name of a topic alone:

  NAME, topic:NAME    topic: messages that are published and subscribed to
  sysv:0x5eed         System V shared memory segment by key, hex or decimal
  sysv:id=3           by identifier
  sysv:ftok=PATH:C    by the key that ftok(3) makes of a file and a character
  sem:…  msg:…        semaphore sets and message queues, likewise
  posix:/NAME         POSIX shared memory object (shm_open)
  file:PATH           regular file, mapped
  memfd:PID/FD        sealed memory that a process holds a descriptor of
  map:PID/START       what a process maps at an address
  lock:NAME           lock between processes
  topic:NAME          topic to publish to and subscribe to
  queue:NAME          work queue between processes
  semaphore:NAME …    what Go programs make by name: semaphore, cond, event,
                      barrier, once, struct

See "shmkit help addresses", and "shmkit help classic" if you know ipcs and
ipcrm.

Exit codes: 0 done, 1 failed, 2 wrong usage.`,
		Example: `  shmkit create sysv:0x5eed --size 64K
  echo hello | shmkit put sysv:0x5eed
  shmkit dump sysv:0x5eed --length 32
  shmkit ls
  shmkit rm sysv:0x5eed`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	})
	root.Flags().BoolP("version", "V", false, "print the version")
	root.SetUsageTemplate(usageTemplate(root.UsageTemplate()))
	root.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.DisableDefaultCmd = true // ours has examples
	root.SetHelpCommand(newHelpCommand())

	add := func(id, title string, cmds ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: id, Title: title})
		for _, cmd := range cmds {
			cmd.GroupID = id
			cmd.DisableFlagsInUseLine = true
			root.AddCommand(cmd)
		}
	}
	add(groupObjects, "Objects:",
		newCreateCommand(a), newSetCommand(a), newRmCommand(a), newLockCommand(a), newUnlockCommand(a), newRecoverCommand(a))
	add(groupSeeing, "What there is, and who uses it:",
		newLsCommand(a),
		newStatCommand(a),
		newWhoCommand(a),
		newMapsCommand(a),
		newPagesCommand(a),
		newTopCommand(a),
		newLimitsCommand(a),
		newDoctorCommand(a),
		newExplainCommand(a),
		newBenchCommand(a),
	)
	add(groupContents, "What is in them:",
		newDumpCommand(a), newPutCommand(a), newGetCommand(a), newFlushCommand(a), newScanCommand(a), newSemCommand(a), newMsgCommand(a))
	add(groupStreams, "From process to process:",
		newWriteCommand(a), newReadCommand(a), newSendCommand(a), newRecvCommand(a), newPubCommand(a), newEchoCommand(a), newHzCommand(a), newPushCommand(a), newPopCommand(a), newDeadCommand(a),
		newMemfdCommand(a), newRunCommand(a), newRWCommand(a), newRWParticipantCommand(), newDemoCommand(a))
	root.AddCommand(newDemoChildCommand())
	add(groupOther, "Other:", newCompletionCommand(a), newVersionCommand(a))
	root.SetHelpCommandGroupID(groupOther)
	root.AddCommand(newTopics()...)
	markFailures(root)
	return root
}
