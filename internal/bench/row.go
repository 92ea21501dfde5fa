package bench

import (
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Row is what came of a trial.
type Row struct {
	Trial
	// Impossible is why there is nothing, "" if there is.
	Impossible string `json:"impossible,omitempty"`

	// Operations that were timed: round trips, messages, …
	Operations int64 `json:"operations"`
	// Nanoseconds an operation takes: the median of the slices, and what half of them lie between.
	Nanoseconds Spread `json:"nanoseconds"`
	// Times are of single operations, where they were measured.
	Times *Percentiles `json:"times,omitempty"`

	PerSecond float64 `json:"per_second"` // operations
	// BytesPerSecond is the messages of them, one way.
	BytesPerSecond float64 `json:"bytes_per_second,omitempty"`

	// An operation takes of both processes together:
	CPU    float64 `json:"cpu_nanoseconds"`
	Sleeps float64 `json:"sleeps"` // how often one gives its CPU away
	// Sender is the part of CPU that the sending takes, where there are many receivers.
	Sender float64  `json:"sender_cpu_nanoseconds,omitempty"`
	Calls  *float64 `json:"system_calls"` // nil: not known

	// Memory is how many bytes are reserved for the messages, nil if that is not known.
	Memory *int64 `json:"memory_bytes"`

	// Ratio is the median in that of the yardstick, which was measured in turn with it.
	Ratio float64 `json:"ratio,omitempty"`

	// Paired is how many times as long as its partner it takes (Options.Paired), slice beside slice; nil if it has none.
	Paired *Spread `json:"paired,omitempty"`

	// Typicals is Typical slice by slice.
	Typicals Spread `json:"-"`

	slices   []float64
	typicals []float64
	paired   []float64
	hist     *hdrhistogram.Histogram
	spent    float64 // ns of CPU
	slept    float64
	sent     float64
}

// A Spread is a median and the quartiles.
type Spread struct {
	Low    float64 `json:"low"`
	Median float64 `json:"median"`
	High   float64 `json:"high"`
}

// Percentiles are nanoseconds of single operations.
type Percentiles struct {
	P50  int64 `json:"p50"`
	P90  int64 `json:"p90"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p99_9"`
	Max  int64 `json:"max"`
}

// add adds a slice of n operations.
func (r *Row) add(n int, got reply) error {
	r.Operations += int64(n)
	r.slices = append(r.slices, float64(got.Nanoseconds)/float64(n))
	r.spent += float64(got.CPU)
	r.slept += float64(got.Sleeps)
	r.sent += float64(got.Sent)
	if got.Times == "" && len(got.Samples) == 0 {
		return nil
	}
	if r.hist == nil {
		r.hist = newHistogram()
	}
	return addTimes(r.hist, got)
}

// finish makes the figures of the slices.
func (r *Row) finish() {
	if len(r.slices) == 0 {
		return
	}
	r.Nanoseconds = spreadOf(r.slices)
	if len(r.typicals) > 0 {
		r.Typicals = spreadOf(r.typicals)
	}
	if len(r.paired) > 0 {
		s := spreadOf(r.paired)
		r.Paired = &s
	}
	r.PerSecond = 1e9 / r.Nanoseconds.Median
	r.BytesPerSecond = r.PerSecond * float64(r.Size)
	r.CPU, r.Sleeps, r.Sender = r.spent/float64(r.Operations), r.slept/float64(r.Operations), r.sent/float64(r.Operations)
	if h := r.hist; h != nil {
		r.Times = &Percentiles{h.ValueAtQuantile(50), h.ValueAtQuantile(90), h.ValueAtQuantile(99), h.ValueAtQuantile(99.9), h.Max()}
	}
}

// Typical is the median operation where they were timed one by one, and else the median slice.
func (r *Row) Typical() float64 {
	if r.Times != nil {
		return float64(r.Times.P50)
	}
	return r.Nanoseconds.Median
}

func spreadOf(all []float64) Spread {
	s := slices.Sorted(slices.Values(all))
	at := func(part float64) float64 {
		x := part * float64(len(s)-1)
		i := int(math.Floor(x))
		if i+1 == len(s) {
			return s[i]
		}
		return s[i] + (x-float64(i))*(s[i+1]-s[i])
	}
	return Spread{at(0.25), at(0.5), at(0.75)}
}
