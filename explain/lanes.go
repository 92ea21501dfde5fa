package explain

import (
	"fmt"
	"html"
	"strings"
)

// A Lane is what one process did in the course of time, for a drawing: the lanes of a step
// stand below each other. Times are milliseconds since the first of them.
type Lane struct {
	Name  string  `json:"name"`
	Spans []Span  `json:"spans"`
	Dead  float64 `json:"dead,omitempty"` // when it was killed; 0: it was not
}

// A Span is what a process did for some time.
type Span struct {
	From float64 `json:"from"`
	To   float64 `json:"to"`
	// Kind is SpanHolds or SpanWaits.
	Kind string `json:"kind"`
	Text string `json:"text"` // what came of it
}

// Kinds of spans.
const (
	SpanHolds = "holds"
	SpanWaits = "waits"
)

// Sizes, in units of the drawing.
const (
	laneHeight = 40
	laneGap    = 16
	laneName   = 130
	laneRoom   = 640
	laneText   = 330
)

// drawLanes returns lanes as SVG.
func drawLanes(lanes []Lane) string {
	end := 0.001
	for _, l := range lanes {
		end = max(end, l.Dead)
		for _, s := range l.Spans {
			end = max(end, s.To)
		}
	}
	var svg strings.Builder
	text := func(x, y int, class, text string) {
		fmt.Fprintf(&svg, `<text x="%d" y="%d" class="%s">%s</text>`, x, y, class, html.EscapeString(text))
	}
	at := func(ms float64) int { return margin + laneName + int(ms/end*laneRoom) }
	y := margin
	var words []string
	for _, l := range lanes {
		text(margin, y+26, "strong", l.Name)
		right := at(0)
		for _, s := range l.Spans {
			from, class := at(s.From), "has"
			if s.Kind == SpanWaits {
				class = "waits"
			}
			fmt.Fprintf(&svg, `<rect x="%d" y="%d" width="%d" height="%d" rx="5" class="%s"/>`, from, y, max(at(s.To)-from, fewestUnits), laneHeight, class)
			right = max(right, at(s.To))
			words = append(words, fmt.Sprintf("%s %s %.0f ms: %s", l.Name, s.Kind, s.To-s.From, s.Text))
		}
		if l.Dead > 0 {
			x := at(l.Dead)
			fmt.Fprintf(&svg, `<path d="M%d %dl18 18m0 -18l-18 18" class="dead"/>`, x+6, y+11)
			right = max(right, x+24)
			words = append(words, l.Name+" is killed")
		}
		if n := len(l.Spans); n > 0 {
			text(right+12, y+26, "small", l.Spans[n-1].Text)
		}
		y += laneHeight + laneGap
	}
	fmt.Fprintf(&svg, `<path d="M%d %dH%d" class="axis"/>`, at(0), y, at(end))
	text(at(0), y+22, "small", "0")
	text(at(end), y+22, "small end", fmt.Sprintf("%.0f ms", end))
	width := 2*margin + laneName + laneRoom + laneText
	return fmt.Sprintf(`<svg viewBox="0 0 %d %d" style="max-width:%dpx" role="img" aria-label="%s">%s</svg>`,
		width, y+30+margin, width, html.EscapeString(strings.Join(words, "; ")), svg.String())
}
