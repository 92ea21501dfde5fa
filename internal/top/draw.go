package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/gdamore/tcell/v2"
)

// layout is which lines a screen has besides the rows: fewer, the lower it is.
type layout struct {
	title, totals, headings, footer bool
	rows                            int
}

func (v *View) layout() layout {
	l := layout{title: v.height >= 5, totals: v.height >= 8, headings: v.height >= 3, footer: v.height >= 4 || v.prompt != nil}
	l.rows = v.height
	for _, has := range []bool{l.title, l.totals, l.headings, l.footer} {
		if has {
			l.rows--
		}
	}
	l.rows = max(l.rows, 0)
	return l
}

// window is how many rows or lines there is room for.
func (v *View) window() int { return max(v.layout().rows, 1) }

// Draw draws all of it. The screen is shown by whoever has it.
func (v *View) Draw(screen tcell.Screen) {
	screen.Clear()
	p := &painter{screen, v.width, v.height, v.Colour}
	l := v.layout()
	y := 0
	put := func(has bool, text string, s style) {
		if has {
			p.line(y, text, s)
			y++
		}
	}
	put(l.title, v.title(), strong)
	put(l.totals, v.totalsLine(), normal)
	switch v.mode {
	case looking:
		put(l.headings, v.look.row.Address, heading)
		v.drawLines(p, y, l.rows, v.lookLines(), &v.look.scroll)
	case helping:
		put(l.headings, "Help: any other key goes back", heading)
		v.drawLines(p, y, l.rows, helpLines(), &v.help)
	default:
		v.drawRows(p, y, l)
	}
	screen.HideCursor()
	if l.footer {
		v.drawFooter(p)
	}
}

func (v *View) title() string {
	parts := []string{"shmkit top"}
	if v.frame != nil {
		parts = append(parts, v.frame.At.Local().Format("15:04:05"))
	}
	switch {
	case v.Paused:
		parts = append(parts, "paused")
	case v.frame != nil && v.frame.Interval > v.Interval*3/2:
		parts = append(parts, fmt.Sprintf("every %v, looking takes %v", round(v.frame.Interval), round(v.frame.Took)))
	default:
		parts = append(parts, fmt.Sprintf("every %v", v.Interval))
	}
	if v.frame != nil {
		if n := len(v.frame.Rows); n != len(v.rows) {
			parts = append(parts, fmt.Sprintf("%d of %s", len(v.rows), things(n, "object")))
		} else {
			parts = append(parts, things(n, "object"))
		}
	}
	by := "by " + v.Sort
	if v.Reverse {
		by += ", reversed"
	}
	parts = append(parts, by)
	if v.Kind != "" {
		parts = append(parts, "only "+v.Kind)
	}
	if v.Filter != "" {
		parts = append(parts, "with "+v.Filter)
	}
	return strings.Join(parts, "  ")
}

func things(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func round(d time.Duration) time.Duration {
	if d > time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

func (v *View) totalsLine() string {
	if v.frame == nil {
		return ""
	}
	return v.frame.summary(v.totals)
}

// Summary is the sum of some rows of a frame, for people.
func (f *Frame) Summary(rows []*Row) string { return f.summary(f.TotalsOf(rows)) }

func (f *Frame) summary(t Totals) string {
	text := fmt.Sprintf("res %s %s/s  dirty %s  flt %s/s  msg %s/s", t.Resident.bytesText(), t.Change.bytesText(),
		t.Dirty.bytesText(), t.Faults.countText(), t.Messages.countText())
	if n := f.Hidden; n > 0 {
		text += "  " + things(n, "process") + " hidden"
	}
	return text
}

func (v *View) drawRows(p *painter, y int, l layout) {
	places := arrange(v.width, v.Sort, v.rows)
	if l.headings {
		p.line(y, headings(places, v.Choice), heading)
		y++
	}
	v.scrolled(max(l.rows, 1))
	if len(v.rows) == 0 && l.rows > 0 {
		p.line(y, v.emptiness(), quiet)
	}
	for i := v.offset; i < len(v.rows) && i < v.offset+l.rows; i++ {
		s := normal
		if i == v.cursor {
			s = marked
		}
		p.line(y+i-v.offset, rowText(places, v.rows[i]), s)
	}
}

// emptiness says why there are no rows.
func (v *View) emptiness() string {
	switch {
	case v.frame == nil && v.failed == nil:
		return "looking ..."
	case v.frame == nil:
		return ""
	case len(v.frame.Rows) > 0:
		return "none is chosen; Escape shows all"
	}
	return "there is none"
}

// drawLines draws a window over lines.
func (v *View) drawLines(p *painter, y, rows int, lines []string, s *scroll) {
	s.move(0, len(lines), max(rows, 1))
	for i := range rows {
		if s.offset+i >= len(lines) {
			return
		}
		text := plain(lines[s.offset+i])
		if s.right > 0 {
			_, text = split(text, s.right)
		}
		p.line(y+i, text, normal)
	}
}

// lookLines is what is told of the object that is looked into.
func (v *View) lookLines() []string {
	l := &v.look
	r := &l.row
	lines := []string{fmt.Sprintf("resident %s %s/s  dirty %s  faults %s/s  messages %s/s  users %d", r.Resident.bytesText(), r.Change.bytesText(),
		r.Dirty.bytesText(), r.Faults.countText(), r.Messages.countText(), len(r.Users))}
	switch {
	case !l.gone.IsZero():
		lines = []string{"gone since " + l.gone.Local().Format("15:04:05") + "; this was seen last:"}
	case l.err != nil:
		lines = append(lines, "could not be looked at: "+l.err.Error())
	case l.asked:
		lines = append(lines, "looking ...")
	}
	return append(lines, l.lines...)
}

const hints = "q quit  Enter look  ? help  / filter  Tab kind  < > sort  r reverse  space pause"

func (v *View) drawFooter(p *painter) {
	y := v.height - 1
	switch {
	case v.prompt != nil && v.prompt.err != nil:
		p.line(y, v.prompt.err.Error(), alert)
	case v.prompt != nil:
		label, text := v.prompt.label, plain(v.prompt.text)
		for wide(label)+wide(text) >= v.width && text != "" { // its end is what is typed
			_, text = split(text, max(wide(text)/2, 1))
		}
		p.line(y, label+text, strong)
		p.screen.ShowCursor(min(wide(label)+wide(text), v.width-1), y)
	case v.failed != nil:
		p.line(y, "could not look: "+v.failed.Error(), alert)
	case v.frame != nil && len(v.frame.Problems) > 0:
		p.line(y, v.frame.Problems[0], alert)
	case v.mode == looking:
		p.line(y, "Escape back  arrows move  space pause  q quit", quiet)
	default:
		p.line(y, hints, quiet)
	}
}
