package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/pshared"
)

func newRWCommand(a *app) *cobra.Command {
	r := readersWriters{app: a, duration: durationFlag{d: 5 * time.Second}}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rw [flags]",
		Short: "Let readers and writers share a record, and kill some of them",
		Long: `Rw runs the readers/writers problem: so many processes read a record of 1 KiB over
and over, so many write it, and a lock in shared memory (pshared.RWMutex) keeps them
apart. It shows how long each waits for its turn and how many it gets. No reader
ever sees a record that is half written.

With --kill it kills one of them ten times a second, wherever it is, and starts
another in its place. The others go on: a reader that dies just no longer counts,
and of a writer that dies the next one is told, and mends what it left.

Exit code 1: a reader saw a torn record.`,
		Example: `  shmkit rw
  shmkit rw --readers 8 --writers 1 --duration 10s
  shmkit rw --kill --json`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := r.check(); err != nil {
				return err
			}
			r.live = !asJSON && a.screen != nil && a.getenv("TERM") != "dumb"
			err := r.run(cmd.Context())
			switch {
			case r.record == nil:
				return err
			case cmd.Context().Err() != nil:
				return errors.Join(err, r.share.Close())
			case asJSON:
				err = errors.Join(err, json.NewEncoder(a.out).Encode(r.result()))
			default:
				err = errors.Join(err, r.report())
			}
			return errors.Join(err, r.verdict(), r.share.Close())
		},
	}
	cmd.Flags().IntVar(&r.readers, "readers", 4, "`N` processes read")
	cmd.Flags().IntVar(&r.writers, "writers", 2, "`N` processes write")
	cmd.Flags().Var(&r.duration, "duration", "how long they do, such as 10s")
	cmd.Flags().BoolVar(&r.kill, "kill", false, "kill one of them ten times a second, and replace it")
	jsonFlag(cmd, &asJSON, "print one JSON object and nothing else")
	return cmd
}

// readersWriters is one run.
type readersWriters struct {
	*app
	readers, writers int
	duration         durationFlag
	kill             bool
	live             bool

	share  *pshared.Shared[rwRecord]
	record *rwRecord
	all    []*rwProcess
	killed int
	begin  time.Time
	took   time.Duration
	lines  int // that the live table has on the terminal
}

// rwProcess is a participant, whichever process that is at the moment.
type rwProcess struct {
	role   string
	number int // of its role
	part   int // of the record's Parts
	killed int
	before uint64 // turns of the processes before this one
	cmd    *exec.Cmd
	errs   bytes.Buffer
	done   chan error // receives how it ended, once
	told   bool       // failed has received it
}

func (r *readersWriters) check() error {
	switch {
	case r.readers < 0 || r.writers < 0 || r.readers+r.writers < 1 || r.readers+r.writers > rwMost:
		return usagef("%d readers and %d writers: there are 1 to %d of both together", r.readers, r.writers, rwMost)
	case r.duration.d <= 0:
		return usagef("--duration %v is not above 0", r.duration.d)
	}
	return nil
}

func (r *readersWriters) run(ctx context.Context) (err error) {
	// The participants are told when the thread that started them ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	share, err := pshared.CreateMemfd[rwRecord]("shmkit-rw", &pshared.Options{Members: min(2*(r.readers+r.writers)+8, 1024)})
	if err != nil {
		return err
	}
	r.share, r.record = share, share.Data()
	f, err := share.Descriptor()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r.begin = time.Now()
	defer func() { r.took = time.Since(r.begin) }()
	for i := range r.readers + r.writers {
		p := &rwProcess{role: "reader", number: i, part: i}
		if i >= r.readers {
			p.role, p.number = "writer", i-r.readers
		}
		if err := r.start(p, f); err != nil {
			return errors.Join(err, r.stop())
		}
		r.all = append(r.all, p)
	}
	err = r.watch(ctx, f)
	failed := r.stop()
	if ctx.Err() != nil {
		return ctx.Err() // the rest only says that the others were told to end, too
	}
	return errors.Join(err, failed)
}

// start starts a process for the participant.
func (r *readersWriters) start(p *rwProcess, record *os.File) error {
	p.before = r.turns(p)
	p.cmd = exec.Command("/proc/self/exe", "rw-participant", p.role, strconv.Itoa(p.part))
	p.cmd.ExtraFiles = []*os.File{record}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	p.errs.Reset()
	p.cmd.Stderr = &p.errs
	p.done = make(chan error, 1)
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(p.cmd, p.done)
	return nil
}

func (r *readersWriters) turns(p *rwProcess) uint64 { return r.record.Parts[p.part].Turns.Load() }

// begun: its process has had a turn.
func (r *readersWriters) begun(p *rwProcess) bool { return r.turns(p) > p.before }

// watch kills and shows until the time is over, which begins when each has had a turn.
func (r *readersWriters) watch(ctx context.Context, record *os.File) error {
	var over <-chan time.Time
	ticks := time.NewTicker(100 * time.Millisecond)
	defer ticks.Stop()
	if r.live {
		r.draw()
	}
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return nil
		case <-ticks.C:
		}
		for _, p := range r.all {
			if err := p.failed(); err != nil {
				return err
			}
		}
		if over == nil {
			if slices.ContainsFunc(r.all, func(p *rwProcess) bool { return !r.begun(p) }) {
				continue
			}
			r.begin = time.Now()
			over = time.After(r.duration.d)
		}
		if r.kill {
			if err := r.killOne(record); err != nil {
				return err
			}
		}
		if r.live && n%2 == 0 {
			r.draw()
		}
	}
}

// failed returns why a participant ended that should not have, once.
func (p *rwProcess) failed() error {
	select {
	case err := <-p.done:
		p.told = true
		return p.failure(err)
	default:
		return nil
	}
}

func (p *rwProcess) failure(err error) error {
	if why := strings.TrimSpace(p.errs.String()); why != "" {
		return fmt.Errorf("%s %d failed: %s", p.role, p.number, why)
	}
	return fmt.Errorf("%s %d ended early: %w", p.role, p.number, errors.Join(err, errors.New("nobody told it to")))
}

// killOne kills one that has begun, if there is one, and starts another in its place.
func (r *readersWriters) killOne(record *os.File) error {
	p := r.all[rand.IntN(len(r.all))]
	if !r.begun(p) {
		return nil
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	var exit *exec.ExitError
	if err := <-p.done; !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return p.failure(err)
	}
	p.killed++
	r.killed++
	return r.start(p, record)
}

// stop lets all end, and waits for it.
func (r *readersWriters) stop() error {
	r.record.Stop.Store(1)
	var errs []error
	for _, p := range r.all {
		if p.told {
			continue
		}
		select {
		case err := <-p.done:
			if err != nil {
				errs = append(errs, p.failure(err))
			}
		case <-time.After(10 * time.Second):
			errs = append(errs, fmt.Errorf("%s %d did not end", p.role, p.number), p.cmd.Process.Kill())
			<-p.done
		}
	}
	return errors.Join(errs...)
}

// draw writes the table over the one that is there.
func (r *readersWriters) draw() {
	r.took = time.Since(r.begin)
	var table bytes.Buffer
	if r.table().write(&table, r.app, "") != nil {
		return
	}
	_, rows := r.screen()
	text := topOf(table.String(), rows-1) // the last line is the cursor's
	var b strings.Builder
	if r.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\x1b[J", r.lines)
	}
	b.WriteString("\x1b[?7l" + text + "\x1b[?7h") // lines that are too long are cut
	r.lines = strings.Count(text, "\n")
	_, _ = io.WriteString(r.out, b.String()) // a terminal that is gone does not stop the run
}

// topOf is text if it has at most n lines, else its beginning, and a line that says how much
// is left out. What has left a screen at its top cannot be written over.
func topOf(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	lines = lines[:len(lines)-1] // what is behind the last one
	if len(lines) <= n {
		return text
	}
	n = max(n-1, 0)
	return strings.Join(lines[:n], "") + fmt.Sprintf("… %d more\n", len(lines)-n)
}

// table is a line for each participant.
func (r *readersWriters) table() *table {
	t := &table{columns: []kind.Column{
		{Heading: "PARTICIPANT"}, {Heading: "PID", Right: true}, {Heading: "TURNS", Right: true}, {Heading: "PER SECOND", Right: true},
		{Heading: "WAIT P50", Right: true}, {Heading: "P99", Right: true}, {Heading: "LONGEST", Right: true}, {Heading: "KILLED", Right: true},
	}}
	for i, p := range r.result().Participants {
		t.rows = append(t.rows, []string{
			fmt.Sprintf("%s %d", p.Role, p.Number), strconv.Itoa(r.all[i].cmd.Process.Pid), strconv.FormatUint(p.Turns, 10),
			strconv.FormatFloat(p.TurnsPerSecond, 'f', 0, 64), shortDuration(p.WaitP50), shortDuration(p.WaitP99), shortDuration(p.WaitMax), strconv.Itoa(p.Killed),
		})
	}
	return t
}

// shortDuration is a duration of three digits.
func shortDuration(ns int64) string {
	d, unit := time.Duration(ns), time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// rwResult is what --json prints. The keys are stable.
type rwResult struct {
	Seconds      float64         `json:"duration_seconds"`
	Reads        uint64          `json:"reads"`
	Writes       uint64          `json:"writes"`
	Torn         uint64          `json:"torn"`   // reads of a record that was half written
	Killed       int             `json:"killed"` // processes
	Mended       uint64          `json:"mended"` // records that a dead writer left
	Participants []rwParticipant `json:"participants"`
}

type rwParticipant struct {
	Role           string  `json:"role"`
	Number         int     `json:"number"`
	Turns          uint64  `json:"turns"`
	TurnsPerSecond float64 `json:"turns_per_second"`
	WaitP50        int64   `json:"wait_p50_ns"`
	WaitP99        int64   `json:"wait_p99_ns"`
	WaitMax        int64   `json:"wait_max_ns"`
	Killed         int     `json:"killed"`
}

func (r *readersWriters) result() rwResult {
	out := rwResult{Seconds: r.took.Seconds(), Killed: r.killed, Participants: []rwParticipant{}}
	for _, p := range r.all {
		part := &r.record.Parts[p.part]
		turns := part.Turns.Load()
		if p.role == "writer" {
			out.Writes += turns
		} else {
			out.Reads += turns
		}
		out.Torn += part.Torn.Load()
		out.Mended += part.Mended.Load()
		out.Participants = append(out.Participants, rwParticipant{
			Role: p.role, Number: p.number, Turns: turns, TurnsPerSecond: float64(turns) / max(r.took.Seconds(), 1e-9),
			WaitP50: int64(part.percentile(0.5)), WaitP99: int64(part.percentile(0.99)), WaitMax: part.Longest.Load(), Killed: p.killed,
		})
	}
	return out
}

// report prints the table at the end, and what came of it all.
func (r *readersWriters) report() error {
	if r.lines > 0 {
		if _, err := fmt.Fprintf(r.out, "\x1b[%dA\x1b[J", r.lines); err != nil {
			return err
		}
	}
	if err := r.table().write(r.out, r.app, ""); err != nil {
		return err
	}
	out := r.result()
	text := fmt.Sprintf("\n%d reads and %d writes in %.1f s, %d of them torn.\n", out.Reads, out.Writes, out.Seconds, out.Torn)
	if r.kill {
		text += fmt.Sprintf("%d processes were killed and replaced; %d times a writer had died at work, and another mended the record.\n", out.Killed, out.Mended)
	}
	_, err := io.WriteString(r.out, text)
	return err
}

// verdict is an error if the lock did not keep what it promises.
func (r *readersWriters) verdict() error {
	if torn := r.result().Torn; torn > 0 {
		return fmt.Errorf("%d reads saw a record that was half written", torn)
	}
	return nil
}
