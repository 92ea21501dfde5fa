package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/stream"
	"github.com/shmkit/shmkit/sysv"
	"github.com/shmkit/shmkit/topic"
)

// minDemoFile is the size of the file the demo makes for itself.
const minDemoFile = 64 << 20

func newDemoCommand(a *app) *cobra.Command {
	d := demo{app: a}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "demo [flags]",
		Short: "Show all of it: real processes, a real file, every byte checked",
		Long: `Demo starts real processes and lets them talk through shared memory:

  1. a file of 64 MiB, or --file, goes from "shmkit send" to "shmkit recv"
  2. lines go from "shmkit write" to two "shmkit read"
  3. a parent hands a child a piece of memory, and both work in it

The first two go through topics, the third through a System V segment.

It shows what the kernel says of them, checks every byte, and leaves nothing behind.`,
		Example: `  shmkit demo
  shmkit demo --file /usr/bin/gdb
  shmkit demo --json`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := d.checkFile(); err != nil {
				return err
			}
			d.tell = a.out
			if asJSON {
				d.tell = io.Discard
			}
			err := d.run(cmd.Context())
			if asJSON {
				err = errors.Join(err, json.NewEncoder(a.out).Encode(d.result))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&d.file, "file", "", "send `FILE` instead of one made up")
	cmd.Flags().BoolVar(&d.interactive, "interactive", false, "type the lines yourself; Ctrl-D ends")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object and nothing else")
	return cmd
}

// demo is one run.
type demo struct {
	*app
	file        string
	interactive bool
	tell        io.Writer // where the story is told

	result demoResult
	told   error        // of writing to tell
	topics []string     // that were used
	sets   map[int]bool // semaphore sets that were made, by id
	pids   map[int]bool // processes that were started
}

// demoResult is what --json prints. The keys are stable.
type demoResult struct {
	Bytes          int64   `json:"bytes"` // of the file
	SHA256         string  `json:"sha256"`
	BytesPerSecond float64 `json:"bytes_per_second"`
	Lines          int     `json:"lines"` // that each reader printed
	Readers        int     `json:"readers"`
	ChildWords     int     `json:"child_words"` // that parent and child both worked on
	Processes      int     `json:"processes"`   // that were started
	Leftovers      int     `json:"leftovers"`   // topics, System V objects and processes that stayed
	Verified       bool    `json:"verified"`    // all of it
}

func (d *demo) run(ctx context.Context) error {
	// The children are told when the thread that started them dies; let that be
	// when the demo does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	d.pids, d.sets = map[int]bool{}, map[int]bool{}
	d.say("Shared memory is one piece of physical memory that several processes see at once.")
	d.say("Nothing is copied from one to the other: what one writes, the others can read.")
	var errs []error
	for _, step := range []func(context.Context) error{d.sendFile, d.typeLines, d.parentAndChild} {
		if err := step(ctx); err != nil {
			errs = append(errs, err)
			break
		}
	}
	errs = append(errs, d.cleanUp(errors.Join(errs...) == nil))
	err := errors.Join(append(errs, d.told)...)
	d.result.Verified = err == nil
	if ctx.Err() != nil && d.result.Leftovers == 0 {
		return ctx.Err() // the rest only says that the children were told to end, too
	}
	if err == nil {
		d.title("Done")
		d.say("%s and %d lines went through shared memory between %d processes, every byte was", formatSize(uint64(d.result.Bytes)), d.result.Lines, d.result.Processes)
		d.say("checked, and nothing is left behind. Try it by hand (go install ./cmd/shmkit), in two terminals:")
		d.say("")
		d.say("    shmkit write log        shmkit read log")
		err = d.told
	}
	return err
}

// say tells one line of the story.
func (d *demo) say(format string, args ...any) {
	if _, err := fmt.Fprintf(d.tell, format+"\n", args...); err != nil && d.told == nil {
		d.told = err
	}
}

func (d *demo) title(text string) { d.say("\n%s\n%s", text, strings.Repeat("-", len(text))) }

// topic finds a name that is nobody's, and remembers it for the clean-up. It is random,
// for other demos may look for theirs just now, in other containers with the same process
// id.
func (d *demo) topic() string {
	name := fmt.Sprintf("demo-%016x", rand.Uint64())
	d.topics = append(d.topics, name)
	return name
}

// cleanUp looks for what the demo left in the kernel, removes it, and says so:
// there should be nothing. good: the steps before went well.
func (d *demo) cleanUp(good bool) error {
	left, err := d.leftovers()
	d.result.Leftovers = len(left)
	if good && len(left) == 0 && err == nil {
		d.title("4. Clean-up")
		d.say("Who was the last to use a piece of memory removed it. The kernel confirms: no topic, no")
		d.say("segment, no semaphore set and no process of this demo is left.")
		return nil
	}
	for _, l := range left {
		err = errors.Join(err, fmt.Errorf("%s was left behind", l.name), l.remove())
	}
	return err
}

// leftover is something that should be gone.
type leftover struct {
	name   string
	remove func() error
}

func (d *demo) leftovers() ([]leftover, error) {
	var left []leftover
	for _, name := range d.topics {
		for _, n := range []string{name, stream.AnswersOf(name)} {
			if v, err := topic.Look(n, ""); !errors.Is(err, fs.ErrNotExist) {
				left = append(left, leftover{v.Path, func() error { return topic.Remove(n, "") }})
			}
		}
	}
	segs, err := sysv.Segments()
	for _, s := range segs {
		if d.pids[s.CreatorPID] {
			seg, openErr := sysv.OpenID(s.ID)
			if openErr == nil {
				left = append(left, leftover{"segment " + seg.String(), seg.Remove})
			}
		}
	}
	sets, serr := sysv.SemaphoreSets()
	for _, s := range sets {
		if d.sets[s.ID] {
			set, openErr := sysv.OpenSemaphoresID(s.ID)
			if openErr == nil {
				left = append(left, leftover{"semaphore set " + set.String(), set.Remove})
			}
		}
	}
	for pid := range d.pids {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			left = append(left, leftover{fmt.Sprintf("process %d", pid), func() error { return nil }})
		}
	}
	return left, errors.Join(err, serr)
}

func hexSum(sum []byte) string { return hex.EncodeToString(sum) }
