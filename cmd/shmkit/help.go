package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// newHelpCommand is cobra's own, but wrong usage is an error.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Show how a command is used, or a topic",
		Long: `Help shows how a command is used. There are topics as well: "addresses" is how
objects are named, "classic" what stands for ipcs, ipcmk, ipcrm and lsipc.`,
		Example: `  shmkit help create
  shmkit help classic`,
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if at, _, err := cmd.Root().Find(args); err == nil {
				for _, sub := range at.Commands() {
					if sub.IsAvailableCommand() || sub.IsAdditionalHelpTopicCommand() {
						names = append(names, sub.Name()+"\t"+sub.Short)
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			at := cmd.Root()
			for _, name := range args {
				next := subcommand(at, name)
				if next == nil {
					return unknownCommand(at, name)
				}
				at = next
			}
			at.InitDefaultHelpFlag()
			return at.Help()
		},
	}
}

func subcommand(of *cobra.Command, name string) *cobra.Command {
	for _, sub := range of.Commands() {
		if sub.Name() == name {
			return sub
		}
	}
	return nil
}

// newTopics are texts that help shows and that are no commands.
func newTopics() []*cobra.Command {
	return []*cobra.Command{
		{
			Use:   "addresses",
			Short: "How objects are named",
			Long: strings.Trim(`
An address names one object: KIND:REST. Without KIND it is a topic.

  sysv:KEY           shared memory segment with this key
  sysv:id=N          the one with this identifier
  sysv:ftok=PATH:C   the one with the key that ftok(3) makes of the file PATH
                     and the character C, taken as its byte
  sysv:private       one without a key; only for create, same as sysv:0
  sem:…              semaphore set, likewise
  msg:…              message queue, likewise

  posix:/NAME        POSIX shared memory object, as shm_open(3) opens it; the slash
                     may be left out
  file:PATH          regular file
  map:PID/START      what process PID maps at an address, hexadecimal as in
                     /proc/PID/maps: for memory that has no name
  memfd:PID/FD       memory that process PID has as descriptor FD; self/FD is
                     one that shmkit itself was started with
  lock:NAME          lock between processes, as shmkit run takes it; any NAME
  topic:NAME         topic, as shmkit pub and echo use it; any NAME
  queue:NAME         work queue, as shmkit push and pop use it; any NAME
  topic:NAME, NAME   topic, as shmkit write and read use it; any NAME. Alone it
                     must not look like a path or a key
  semaphore:NAME  cond:NAME  event:NAME  barrier:NAME  once:NAME  struct:NAME
                     likewise, as Go programs make them by name (package pshared)

KEY is hexadecimal with 0x, or decimal, from 1 to 0xffffffff. Negative decimal
numbers, as in /proc/sysvipc, are the upper half: -1 is 0xffffffff. The kinds have
separate keys: sysv:0x5eed and sem:0x5eed have nothing to do with each other.

An identifier is given by the kernel. When an object is removed, its identifier is
not used again soon; a key is free at once.`, "\n") + "\n",
		},
		{
			Use:   "classic",
			Short: "What stands for ipcs, ipcmk, ipcrm and lsipc",
			Long: strings.Trim(`
  ipcs, ipcs -a                 shmkit ls sysv sem msg
  ipcs -m | -s | -q             shmkit ls sysv | sem | msg
  ipcs -t, -p, -c               shmkit ls sysv sem msg, with --long all of it
  ipcs -m -i ID                 shmkit stat sysv:id=ID
  ipcs -l, ipcs -u              shmkit limits sysv sem msg
  ipcs -b, ipcs --human         shmkit ls --long has exact bytes, else rounded ones

  ipcmk -M SIZE                 shmkit create sysv:private --size SIZE
  ipcmk -S N                    shmkit create sem:private --count N
  ipcmk -Q                      shmkit create msg:private
  ipcmk … -p MODE               shmkit create … --mode MODE  (default 0600)

  ipcrm -m ID, -s ID, -q ID     shmkit rm sysv:id=ID, sem:id=ID, msg:id=ID
  ipcrm -M KEY, -S KEY, -Q KEY  shmkit rm sysv:KEY, sem:KEY, msg:KEY
  ipcrm -a, ipcrm -a=shm        shmkit rm --all sysv sem msg, shmkit rm --all sysv
  ipcrm -v                      shmkit rm --verbose

  lsipc, lsipc -g               shmkit limits sysv sem msg
  lsipc -m | -s | -q            shmkit ls --long sysv | sem | msg
  lsipc -m -i ID                shmkit stat sysv:id=ID
  lsipc -J, -e, -r, -o …        shmkit ls --json

There is no classic tool for dump, put, get, lock, set, sem op, msg send.
A key made by ipcmk is random; shmkit create takes the one you give, or none.`, "\n") + "\n",
		},
	}
}
