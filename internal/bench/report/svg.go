package report

import (
	"fmt"
	"html"
	"html/template"
	"strings"
	"unicode/utf8"
)

// A drawing is an SVG that is being made.
type drawing struct {
	b             strings.Builder
	width, height float64
}

// Heights of letters, in units of drawings; the page's style says the same.
const (
	sizeTitle = 20.0
	sizeText  = 16.0
	sizeSmall = 14.0
)

// widthOf is about how wide a text is, rather too much than too little.
func widthOf(text string, size float64) float64 {
	return 0.62 * size * float64(utf8.RuneCountInString(text))
}

// fitting cuts a text that has no room.
func fitting(text string, size, room float64) string {
	if widthOf(text, size) <= room {
		return text
	}
	r := []rune(text)
	n := max(int(room/(0.62*size))-1, 0)
	return strings.TrimRight(string(r[:min(n, len(r))]), " ") + "…"
}

// Where a text stands, seen from its point.
const (
	behind  = "start"
	before  = "end"
	centred = "middle"
)

func (d *drawing) text(x, y float64, anchor, class, text string) {
	fmt.Fprintf(&d.b, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(text))
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&d.b, `<path d="M%.1f %.1fL%.1f %.1f" class="%s"/>`, x1, y1, x2, y2, class)
}

func (d *drawing) polyline(points [][2]float64, class string) {
	var path strings.Builder
	for i, p := range points {
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], p[0], p[1])
	}
	fmt.Fprintf(&d.b, `<path d="%s" class="%s"/>`, path.String(), class)
}

func (d *drawing) rect(x, y, width, height float64, class string) {
	fmt.Fprintf(&d.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" class="%s"/>`, x, y, width, height, class)
}

// mark draws the point of a look, r units around the middle, and says what it is to who points at it.
func (d *drawing) mark(x, y, r float64, l look, tip string) {
	class := "mark " + l.class
	shape := func(format string, args ...any) {
		fmt.Fprintf(&d.b, `<path d="`+format+`" class="%s"><title>%s</title></path>`, append(args, class, html.EscapeString(tip))...)
	}
	switch l.mark {
	case square:
		shape("M%.1f %.1fh%.1fv%.1fh%.1fz", x-r, y-r, 2*r, 2*r, -2*r)
	case triangle:
		shape("M%.1f %.1fL%.1f %.1fH%.1fz", x, y-1.3*r, x+1.2*r, y+r, x-1.2*r)
	case wedge:
		shape("M%.1f %.1fL%.1f %.1fH%.1fz", x, y+1.3*r, x+1.2*r, y-r, x-1.2*r)
	case diamond:
		shape("M%.1f %.1fL%.1f %.1fL%.1f %.1fL%.1f %.1fz", x, y-1.4*r, x+1.4*r, y, x, y+1.4*r, x-1.4*r, y)
	case cross:
		class += " thin"
		shape("M%.1f %.1fL%.1f %.1fM%.1f %.1fL%.1f %.1f", x-r, y-r, x+r, y+r, x-r, y+r, x+r, y-r)
	case plus:
		class += " thin"
		shape("M%.1f %.1fH%.1fM%.1f %.1fV%.1f", x-1.2*r, y, x+1.2*r, x, y-1.2*r, y+1.2*r)
	default:
		if l.mark == ring {
			class += " hollow"
		}
		fmt.Fprintf(&d.b, `<circle cx="%.1f" cy="%.1f" r="%.1f" class="%s"><title>%s</title></circle>`, x, y, r, class, html.EscapeString(tip))
	}
}

// svg is the whole of it; label says it in words.
func (d *drawing) svg(label string) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %.0f %.0f" style="max-width:%.0fpx" role="img" aria-label="%s">%s</svg>`,
		d.width, d.height, d.width*1.4, html.EscapeString(label), d.b.String()))
}
