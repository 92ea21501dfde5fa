package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
)

// ours says which row of shmkit another one is compared with: what does the same work, and waits in the same way.
func ours(rows []*bench.Row, r *bench.Row) *bench.Row {
	var best *bench.Row
	for _, o := range rows {
		if !o.Ours || !comparable(o, r) {
			continue
		}
		if best == nil || o.Typical() < best.Typical() {
			best = o
		}
	}
	return best
}

// comparable: messages are compared with topics, by copy or by loan, a lock with a Mutex, a signal with all.
func comparable(o, r *bench.Row) bool {
	switch {
	case r.Suite != "sync":
		return (o.Way == "topic" || o.Way == "topic loan") && o.Wait == r.Wait
	case r.Group == bench.GroupAlone || r.Group == bench.GroupBoth:
		return o.Way == "Mutex"
	}
	return o.Way == "Event" || o.Way == "CountingSemaphore" || o.Way == "Mutex and Cond"
}

// contests are rows that were compared with each other.
func contests(all []*bench.Row) (groups [][]*bench.Row) {
	title := ""
	for _, r := range all {
		if t := bench.Title(r.Trial); t != title {
			title = t
			groups = append(groups, nil)
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], r)
	}
	return groups
}

// report is what stands in RESULTS.md.
func report(ctx context.Context, all []*bench.Result, s *set, command string) string {
	var b strings.Builder
	m := all[0].Machine
	fmt.Fprintf(&b, `# shmkit beside other systems

Made by `+"`%s`"+`, which says how it measures in [field/README.md](field/README.md). All that stands in one table was measured in one run, by turns.

| | |
|---|---|
| machine | %s, %d CPUs, Linux %s |
| shmkit | %s, %s |
| compiler | %s |
`, command, m.CPU, m.CPUs, m.Kernel, commit(ctx), m.Go, compiler(ctx))
	for _, p := range s.built {
		fmt.Fprintf(&b, "| %s | %s %s |\n", p.title, p.pkg[0], version(ctx, p.pkg[0]))
	}
	for _, why := range s.missing {
		fmt.Fprintf(&b, "\nLeft out: %s.\n", why)
	}
	b.WriteString(`
How long an operation takes: round trips are the median of single ones, all else the median of slices; between what the middle half of the slices lie; in times of
the yardstick in brackets, which is what the hardware takes; and how many times as long it takes as what shmkit has for the same work, waiting in the same way. CPU is
what both processes together take for an operation.
`)
	aims(&b, all[0].Rows)
	losses(&b, all)
	for _, res := range all {
		fmt.Fprintf(&b, "\n## Processes %s\n", res.Machine.Place)
		for _, rows := range contests(res.Rows) {
			table(&b, rows)
		}
	}
	return b.String()
}

func table(b *strings.Builder, rows []*bench.Row) {
	fmt.Fprintf(b, "\n### %s\n\n| | time | half of all | × yardstick | × shmkit | a second | CPU |\n|---|---|---|---|---|---|---|\n", bench.Title(rows[0].Trial))
	for _, r := range rows {
		if r.Impossible != "" {
			fmt.Fprintf(b, "| %s | %s | | | | | |\n", r.Name(), r.Impossible)
			continue
		}
		name, beside := r.Name(), ""
		if r.Ours {
			name = "**" + name + "**"
		} else if o := ours(rows, r); o != nil && !r.Yardstick {
			beside = bench.Factor(r.Typical() / o.Typical())
		}
		fmt.Fprintf(b, "| %s | %ss | %ss–%ss | %s | %s | %s | %ss |\n", name, bench.Seconds(r.Typical()), bench.Seconds(r.Nanoseconds.Low), bench.Seconds(r.Nanoseconds.High),
			bench.Factor(r.Ratio), beside, bench.Count(r.PerSecond), bench.Seconds(r.CPU))
	}
}

// losses says where others are faster.
func losses(b *strings.Builder, all []*bench.Result) {
	b.WriteString("\n## Where shmkit loses\n\n")
	found := false
	for _, res := range all {
		for _, rows := range contests(res.Rows) {
			for _, r := range rows {
				o := ours(rows, r)
				if r.Yardstick || r.Impossible != "" || r.Ours || o == nil || r.Typical() >= o.Typical() {
					continue
				}
				found = true
				fmt.Fprintf(b, "- %s (%s): %s takes %s of the time of %s.\n", bench.Title(r.Trial), res.Machine.Place, r.Name(), bench.Factor(r.Typical()/o.Typical()), o.Name())
			}
		}
	}
	if !found {
		b.WriteString("In none of these tables.\n")
	}
}

// An aim is a ratio that is asked for.
type aim struct {
	what               string
	suite, group       string
	size               int
	other, our         string // ways
	otherWait, ourWait bench.Wait
	least              float64
	found              float64 // 0: not measured
}

// aims says what was asked for, and what came of it.
func aims(b *strings.Builder, rows []*bench.Row) {
	list := []aim{
		{what: "64 bytes there and back, beside iceoryx, both spinning", suite: "latency", size: 64, other: "iceoryx", our: "topic", otherWait: bench.Spin, ourWait: bench.Spin, least: 5},
		{what: "64 bytes there and back, beside the best of the kernel's ways that sleep", suite: "latency", size: 64, other: "kernel", our: "topic", otherWait: bench.Block, ourWait: bench.Block, least: 50},
		{what: "a stream of 64 bytes, beside Boost's message_queue, its own call", suite: "throughput", size: 64, other: "Boost message_queue", our: "topic", otherWait: bench.Block, ourWait: bench.Block, least: 4},
		{what: "the same, both spinning", suite: "throughput", size: 64, other: "Boost message_queue", our: "topic", otherWait: bench.Spin, ourWait: bench.Spin, least: 4},
		{what: "lock and unlock with nobody else, beside the robust mutex of the C library", suite: "sync", group: bench.GroupAlone, other: "robust mutex", our: "Mutex", otherWait: bench.Block, least: 1},
	}
	b.WriteString("\n## What was asked for\n\n| | asked for | measured | |\n|---|---|---|---|\n")
	for _, a := range list {
		a.look(rows)
		verdict := "reached"
		switch {
		case a.found == 0:
			continue // nobody to compare with
		case a.found < a.least:
			verdict = "**missed**"
		}
		fmt.Fprintf(b, "| %s | ≥ %s × | %s × | %s |\n", a.what, bench.Factor(a.least), bench.Factor(a.found), verdict)
	}
}

// look finds the rows that an aim is about: the best of the others.
func (a *aim) look(rows []*bench.Row) {
	var other, our *bench.Row
	for _, r := range rows {
		if r.Suite != a.suite || r.Group != a.group || r.Size != a.size || r.Touched || r.Impossible != "" {
			continue
		}
		if r.Way == a.our && !r.Foreign && r.Wait == a.ourWait {
			our = r
		}
		is := r.Way == a.other || a.other == "kernel" && isKernel(r)
		if is && r.Wait == a.otherWait && (other == nil || r.Typical() < other.Typical()) {
			other = r
		}
	}
	if our != nil && other != nil {
		a.found = other.Typical() / our.Typical()
	}
}

func isKernel(r *bench.Row) bool {
	switch r.Way {
	case "pipe", "unix stream", "unix datagram", "tcp", "posix queue", "sysv queue", "C pipe", "C unix stream", "C tcp":
		return true
	}
	return false
}

// commit is what was measured, as git calls it.
func commit(ctx context.Context) string {
	return firstLine(ctx, "git", "describe", "--always", "--dirty")
}

func compiler(ctx context.Context) string { return firstLine(ctx, "g++", "--version") }

func firstLine(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
