package explain

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// A Chart is numbers that were shown, to be looked at side by side. It is made of what was
// counted in this run.
type Chart struct {
	Title string `json:"title"`
	Note  string `json:"note,omitempty"` // what the numbers are, where the title does not say
	Bars  []Bar  `json:"bars"`
	// Log: a number ten times as large has a bar that reaches to the next line.
	Log bool `json:"log,omitempty"`
}

// A Bar is one of the numbers.
type Bar struct {
	Label string  `json:"label"`
	Value float64 `json:"value"` // 0 or more
	Text  string  `json:"text"`  // the value as it is written behind the bar
	// Unseen: there is no number; Text says why.
	Unseen bool `json:"unseen,omitempty"`
}

// Sizes, in units of the drawing.
const (
	barHeight   = 26
	barGap      = 9
	barLabel    = 250
	barRoom     = 470 // of the longest bar
	barText     = 180
	chartTitle  = 34
	chartNote   = 24
	fewestUnits = 2 // a number that is not 0 can be seen
)

// drawChart returns a chart as SVG.
func drawChart(c Chart) string {
	length := func(v float64) float64 {
		if c.Log {
			return math.Log10(max(v, 1)) + 1./3
		}
		return v
	}
	longest := 0.0
	for _, b := range c.Bars {
		longest = max(longest, length(b.Value))
	}
	var svg strings.Builder
	text := func(x, y int, class, text string) {
		fmt.Fprintf(&svg, `<text x="%d" y="%d" class="%s">%s</text>`, x, y, class, html.EscapeString(text))
	}
	text(margin, margin+20, "strong", c.Title)
	y := margin + chartTitle
	if c.Note != "" {
		text(margin, y+12, "small", c.Note)
		y += chartNote
	}
	bottom := y + len(c.Bars)*(barHeight+barGap)
	for v := 1.0; c.Log && length(v) <= longest; v *= 10 {
		x := margin + barLabel + int(length(v)/longest*barRoom)
		fmt.Fprintf(&svg, `<path d="M%d %dV%d" class="axis"/>`, x, y, bottom)
		text(x-4, bottom+16, "small", strconv.FormatFloat(v, 'f', -1, 64))
	}
	var words []string
	for _, b := range c.Bars {
		text(margin+barLabel-12, y+19, "end", b.Label)
		width := 0
		if b.Value > 0 {
			width = max(fewestUnits, int(length(b.Value)/longest*barRoom))
			fmt.Fprintf(&svg, `<rect x="%d" y="%d" width="%d" height="%d" rx="3" class="bar"/>`, margin+barLabel, y, width, barHeight)
		}
		class := "mono"
		if b.Unseen {
			class = "small"
		}
		text(margin+barLabel+width+8, y+19, class, b.Text)
		words = append(words, b.Label+" "+b.Text)
		y += barHeight + barGap
	}
	if c.Log {
		y += chartNote
	}
	width := 2*margin + barLabel + barRoom + barText
	return fmt.Sprintf(`<svg viewBox="0 0 %d %d" style="max-width:%dpx" role="img" aria-label="%s">%s</svg>`,
		width, y+margin, width*5/4, html.EscapeString(c.Title+": "+strings.Join(words, "; ")), svg.String())
}

// chart puts numbers under the step, to be drawn.
func (s *step) chart(c Chart) { s.Charts = append(s.Charts, c) }
