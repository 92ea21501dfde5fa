package bench

import (
	"github.com/HdrHistogram/hdrhistogram-go"
)

// Range and precision of the times that are recorded: 1 ns to 100 s, three digits.
const (
	leastTime = 1
	mostTime  = 100_000_000_000
	digits    = 3
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(leastTime, mostTime, digits) }

// A recorder keeps times of operations, in nanoseconds. A nil one keeps none.
type recorder struct{ h *hdrhistogram.Histogram }

func newRecorder() *recorder { return &recorder{newHistogram()} }

func (r *recorder) add(ns int64) {
	if r != nil {
		// What is out of range is recorded as the end of the range.
		_ = r.h.RecordValue(min(max(ns, leastTime), mostTime))
	}
}

// text is all that was recorded, to be sent to another process; "" if nothing was.
func (r *recorder) text() (string, error) {
	if r.h.TotalCount() == 0 {
		return "", nil
	}
	b, err := r.h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return string(b), err
}

// addText adds what another process has recorded.
func addText(to *hdrhistogram.Histogram, text string) error {
	h, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return err
	}
	to.Merge(h)
	return nil
}
