package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
)

// An aim is a ratio that is asked for, and where it is found.
type aim struct {
	what  string
	least float64
	is    func(*bench.Row) bool // among these the fastest counts
}

// kernelWays are those of the kernel, from Go; those from C++ have a C before them.
var kernelWays = []string{"pipe", "unix stream", "unix datagram", "tcp", "posix queue", "sysv queue"}

func isKernel(way string) bool { return slices.Contains(kernelWays, way) || isKernelC(way) }

func isKernelC(way string) bool {
	name, c := strings.CutPrefix(way, "C ")
	return c && slices.Contains(kernelWays, name)
}

// small are messages of 64 bytes of which 8 are looked at.
func small(suite string, wait bench.Wait, way func(string) bool) func(*bench.Row) bool {
	return func(r *bench.Row) bool {
		return r.Suite == suite && r.Size == 64 && !r.Touched && r.Wait == wait && way(r.Way)
	}
}

func called(name string) func(string) bool { return func(way string) bool { return way == name } }

// allAims are told all, with whatever gives the worse figure as well.
func allAims() []aim {
	return []aim{
		{"64 bytes there and back, beside iceoryx, both spinning", 5, small("latency", bench.Spin, called("iceoryx"))},
		{"the same, its WaitSet", 5, small("latency", bench.Block, called("iceoryx"))},
		{"64 bytes there and back, beside the fastest of the kernel's ways in their calls, from Go or C++", 50, small("latency", bench.Block, isKernel)},
		{"the same, from C++ alone", 50, small("latency", bench.Block, isKernelC)},
		{"the same, both spinning, from Go or C++", 50, small("latency", bench.Spin, isKernel)},
		{"a stream of 64 bytes, beside Boost's message_queue, its own call", 4, small("throughput", bench.Block, called("Boost message_queue"))},
		{"the same, both spinning", 4, small("throughput", bench.Spin, called("Boost message_queue"))},
		{"lock and unlock with nobody else, beside the robust mutex of the C library", 1, func(r *bench.Row) bool {
			return r.Suite == "sync" && r.Group == bench.GroupAlone && r.Way == "robust mutex"
		}},
	}
}

// found is the least ratio among the rows of an aim, and whose it is; nothing if none was measured.
func (a *aim) found(rows []*bench.Row) (ratio bench.Spread, way string) {
	ratio.Median = math.Inf(1)
	for _, r := range rows {
		if r.Paired != nil && a.is(r) && r.Paired.Median < ratio.Median {
			ratio, way = *r.Paired, r.Name()
		}
	}
	return ratio, way
}

// verdict is clear where what half of the slices lie between is on one side. Another run may still be on the other.
func (a *aim) verdict(ratio bench.Spread) string {
	switch {
	case ratio.Low >= a.least:
		return "reached"
	case ratio.High < a.least:
		return "**missed**"
	}
	return "**not clear**"
}

// aims says what was asked for, and what came of it.
func aims(b *strings.Builder, all []*bench.Result) {
	b.WriteString("\n## What was asked for\n\n| | processes | asked for | measured | beside | |\n|---|---|---|---|---|---|\n")
	for _, res := range all {
		for _, a := range allAims() {
			ratio, way := a.found(res.Rows)
			if way == "" {
				continue // nobody to compare with
			}
			fmt.Fprintf(b, "| %s | %s | ≥ %s × | %s × (%s–%s) | %s | %s |\n", a.what, res.Machine.Place, bench.Factor(a.least), bench.Factor(ratio.Median),
				bench.Factor(ratio.Low), bench.Factor(ratio.High), way, a.verdict(ratio))
		}
	}
}
