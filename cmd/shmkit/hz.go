package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/spf13/cobra"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/topic"
)

func newHzCommand(a *app) *cobra.Command {
	h := hz{window: durationFlag{d: time.Second}}
	cmd := &cobra.Command{
		Use:        "hz NAME [flags]",
		SuggestFor: []string{"rate", "measure"},
		Short:      "Show the rate, size and latency of a topic, live",
		Long: `Hz subscribes to a topic and prints a line each second, or each --window, about the
messages that were published meanwhile: how many, and bytes, a second; the
shortest, the mean and the longest; and how long they took from the publisher to
here, the median, the 99th percentile and the worst, if the topic was made with
--timestamps. NAME is the name of the topic, or its address, topic:NAME. What is in
the messages does not matter.

It holds nobody up: publishers do not wait for it. Messages that it has missed count
for the rates, with the size of the others.

It begins with what is published from then on, and waits until there is a topic of
that name. It ends when it is interrupted, or after --count lines.

With --json each line is an object: "seconds" that it is about, "messages" received,
"missed", "rate" and "bytes_per_second", "bytes" with "min", "mean" and "max", null
if there were none, and "latency_ns" with "p50", "p90", "p99", "p999" and "max",
null if it is not known.`,
		Example: `  shmkit hz camera
  shmkit hz topic:log --window 10s --count 6 --json`,
		Args:              exactArgs(1),
		ValidArgsFunction: completeOne[kind.Topics](a),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			switch {
			case h.count < 1 && cmd.Flags().Changed("count"):
				return usagef("--count must be at least 1, not %d", h.count)
			case h.window.d < time.Millisecond:
				return usagef("--window must be at least 1ms, not %v", h.window.d)
			}
			if err := a.canPrint(); err != nil {
				return err
			}
			addr, k, err := a.topicOf(args[0], "hz")
			if err != nil {
				return err
			}
			h.s, err = a.subscribe(cmd.Context(), addr, k, topic.SubscriberOptions{BestEffort: true, History: -1}, "hz", true)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, h.s.Close()) }()
			return h.run(cmd.Context(), a)
		},
	}
	cmd.Flags().Int64Var(&h.count, "count", 0, "end after `N` lines (default: no bound)")
	cmd.Flags().Var(&h.window, "window", "time that a line is about (default 1s)")
	jsonFlag(cmd, &h.asJSON, "print each line as a JSON object")
	return cmd
}

// hz measures a topic.
type hz struct {
	count  int64
	window durationFlag
	asJSON bool
	s      *topic.BytesSubscriber

	timed   bool
	latency *hdrhistogram.Histogram
}

// A window is what was seen in some time.
type window struct {
	took             time.Duration
	messages, missed uint64
	bytes            uint64
	min, max         int
}

// longestLatency is the longest that is told apart.
const longestLatency = time.Hour

func (h *hz) run(ctx context.Context, a *app) error {
	s, err := h.s.Stat()
	if err != nil {
		return err
	}
	h.timed = s.Timestamps
	h.latency = hdrhistogram.New(1, int64(longestLatency), 3)
	if !h.asJSON {
		if _, err := fmt.Fprintln(a.out, a.bold(hzHeading)); err != nil {
			return err
		}
	}
	begin, missed := time.Now(), h.s.Missed()
	for n := int64(0); h.count == 0 || n < h.count; n++ {
		w := window{}
		h.latency.Reset()
		if err := h.see(ctx, &w, begin.Add(h.window.d)); err != nil {
			return err
		}
		end, all := time.Now(), h.s.Missed()
		w.took, w.missed = end.Sub(begin), all-missed
		begin, missed = end, all
		line := h.line(w)
		if h.asJSON {
			line = jsonLine(h.json(w))
		}
		if _, err := a.out.Write(line); err != nil {
			return err
		}
	}
	return nil
}

// see receives until some time.
func (h *hz) see(ctx context.Context, w *window, until time.Time) error {
	limited, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for time.Now().Before(until) {
		m, err := h.s.Receive(limited)
		if errors.Is(err, context.DeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		n := len(m.Data())
		if h.timed {
			d := min(max(topic.Now()-m.Time, 1), longestLatency)
			if err := h.latency.RecordValue(int64(d)); err != nil {
				return err
			}
		}
		if err := m.Release(); err != nil {
			return err
		}
		if w.messages == 0 {
			w.min = n
		}
		w.min, w.max = min(w.min, n), max(w.max, n)
		w.bytes += uint64(n)
		w.messages++
		if err := ctx.Err(); err != nil { // which Receive looks at only if it waits
			return err
		}
	}
	return nil
}

// mean is the mean size, 0 if there were no messages.
func (w *window) mean() float64 {
	if w.messages == 0 {
		return 0
	}
	return float64(w.bytes) / float64(w.messages)
}

func (w *window) rate() float64 { return float64(w.messages+w.missed) / w.took.Seconds() }

var hzHeading = fmt.Sprintf(hzFormat, "RATE", "BYTES/s", "MIN", "MEAN", "MAX", "P50", "P99", "WORST", "MISSED")

const hzFormat = "%10s %8s %7s %7s %7s %8s %8s %8s %8s"

func (h *hz) line(w window) []byte {
	rate := fmt.Sprintf("%.0f", w.rate())
	if w.rate() < 100 {
		rate = fmt.Sprintf("%.1f", w.rate())
	}
	size := func(n float64) string {
		if w.messages == 0 {
			return "-"
		}
		return kind.Bytes(n).Short()
	}
	late := func(ns int64) string {
		if !h.timed || w.messages == 0 {
			return "-"
		}
		return shortDuration(ns)
	}
	return fmt.Appendf(nil, hzFormat+"\n", rate, kind.Bytes(w.mean()*w.rate()).Short(), size(float64(w.min)), size(w.mean()), size(float64(w.max)),
		late(h.latency.ValueAtPercentile(50)), late(h.latency.ValueAtPercentile(99)), late(h.latency.Max()), fmt.Sprint(w.missed))
}

// hzJSON is a line for programs. The keys are stable.
type hzJSON struct {
	Seconds        float64      `json:"seconds"`
	Messages       uint64       `json:"messages"`
	Missed         uint64       `json:"missed"`
	Rate           float64      `json:"rate"`
	BytesPerSecond float64      `json:"bytes_per_second"`
	Bytes          *sizesJSON   `json:"bytes"`
	Latency        *latencyJSON `json:"latency_ns"`
}

type sizesJSON struct {
	Min  int     `json:"min"`
	Mean float64 `json:"mean"`
	Max  int     `json:"max"`
}

type latencyJSON struct {
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

func (h *hz) json(w window) hzJSON {
	j := hzJSON{Seconds: w.took.Seconds(), Messages: w.messages, Missed: w.missed, Rate: w.rate(), BytesPerSecond: w.mean() * w.rate()}
	if w.messages == 0 {
		return j
	}
	j.Bytes = &sizesJSON{w.min, w.mean(), w.max}
	if h.timed {
		at := h.latency.ValueAtPercentile
		j.Latency = &latencyJSON{at(50), at(90), at(99), at(99.9), h.latency.Max()}
	}
	return j
}
