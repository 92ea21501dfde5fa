package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
)

// ours says which row of shmkit another one is compared with: what does the same work, and waits in the same way.
func ours(rows []*bench.Row, r *bench.Row) *bench.Row {
	for _, o := range rows {
		if paired(r.Trial, o.Trial) {
			return o
		}
	}
	return nil
}

// large is from how many bytes on it is worth while to lend a message.
const large = 64 << 10

// paired says whether o is the row of shmkit for r, which is measured right beside it.
func paired(r, o bench.Trial) bool {
	if r.Ours || r.Yardstick || !o.Ours {
		return false
	}
	switch {
	case r.Suite == "fanout":
		return o.Way == "topic"
	case r.Suite != "sync":
		way := "topic"
		if r.Way == "iceoryx" && r.Size >= large { // the one that lends as well
			way = "topic loan"
		}
		return o.Way == way && o.Wait == r.Wait
	case r.Group == bench.GroupAlone || r.Group == bench.GroupBoth:
		return !r.Shared && o.Way == "Mutex"
	case r.Way == "robust mutex and cond":
		return o.Way == "Mutex and Cond"
	}
	return o.Way == "CountingSemaphore"
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
func report(ctx context.Context, all []*bench.Result, s *set, command, commit string) string {
	var b strings.Builder
	m := all[0].Machine
	fmt.Fprintf(&b, `# shmkit beside other systems

Made by `+"`%s`"+`, which says how it measures in [field/README.md](field/README.md). All that stands in one table was measured in one run, by turns.

| | |
|---|---|
| machine | %s, %d CPUs, Linux %s |
| shmkit | %s, %s |
| compiler | %s |
| scheduled | %s |
`, command, m.CPU, m.CPUs, m.Kernel, commit, m.Go, compiler(ctx), scheduled())
	for _, p := range s.built {
		fmt.Fprintf(&b, "| %s | %s %s |\n", p.title, p.pkg[0], version(ctx, p.pkg[0]))
	}
	for _, why := range s.missing {
		fmt.Fprintf(&b, "\nLeft out: %s.\n", why)
	}
	b.WriteString(`
How long an operation takes: round trips are the median of single ones, all else the median of slices; between what the middle half of the slices lie; in times of
the first yardstick in brackets, which is what the hardware takes, both as medians; and how many times as long it takes as what shmkit has for the same work, called in the same way. That
ratio is of the same figure of two slices, some milliseconds each, one right beside the other: the median of all, and what half of them lie between. CPU is what both processes together take for an operation.

Called in the same way does not mean that both sleep: topics and locks of shmkit look for some microseconds before they do, and with a partner that answers at once they
never come to it. What does sleep in its call, as the kernel's ways do, pays for that here, and "spin" rows show what it is without.

This is one run. Some rows were on the other side of shmkit, or of an aim, in another one on the same machine: [field/README.md](field/README.md) says which.
`)
	aims(&b, all)
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
		} else if p := r.Paired; p != nil {
			beside = fmt.Sprintf("%s (%s–%s)", bench.Factor(p.Median), bench.Factor(p.Low), bench.Factor(p.High))
		}
		fmt.Fprintf(b, "| %s | %ss | %ss–%ss | %s | %s | %s | %ss |\n", name, bench.Seconds(r.Typical()), bench.Seconds(r.Typicals.Low), bench.Seconds(r.Typicals.High),
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
				if o == nil || r.Paired == nil || r.Paired.Median >= 1 {
					continue
				}
				found = true
				fmt.Fprintf(b, "- %s (%s): %s takes %s of the time of %s.\n", bench.Title(r.Trial), res.Machine.Place, r.Name(), bench.Factor(r.Paired.Median), o.Name())
			}
		}
	}
	if !found {
		b.WriteString("In none of these tables.\n")
	}
}

// commit is what was measured, as git calls it.
func commit(ctx context.Context) string {
	return firstLine(ctx, "git", "describe", "--always", "--dirty")
}

// scheduled is how the kernel runs this and what it starts: chrt(1) puts it before all else on the machine.
func scheduled() string {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return "unknown"
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 39 {
		return "unknown"
	}
	switch fields[38] { // policy, see proc_pid_stat(5)
	case "0":
		return "as all programs are"
	case "1", "2":
		return "before all others, by chrt(1), priority " + fields[37]
	}
	return "policy " + fields[38]
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
