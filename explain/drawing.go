package explain

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// A drawing shows a scene: processes as columns with their areas and pages, and memory as
// a column of frames, in the page cache of an object or of a process alone. Lines lead
// from pages to frames, as the page tables do.
type drawing struct {
	svg     strings.Builder
	memory  []*memoryBox
	columns []column
	height  int
}

// Sizes, in units of the drawing.
const (
	columnWidth = 300
	gapWidth    = 120
	margin      = 14
	rowHeight   = 30
	headHeight  = 56 // of an area: two lines
	titleHeight = 44 // of a column
	boxGap      = 18
)

// A column is a process, or the memory between or behind them.
type column struct {
	x       int
	process *ProcessScene // nil: memory
}

// A memoryBox is frames that belong together.
type memoryBox struct {
	title string
	rows  []*memoryRow
	y     int
}

// A memoryRow is one frame, or a page of an object that no page table leads to.
type memoryRow struct {
	key   string
	label string
	used  bool
	y     int // middle
}

// drawScene returns a scene as SVG. Pages that are not as they were before are marked.
func drawScene(sc, before *Scene) string {
	d := &drawing{}
	d.arrange(sc)
	for _, c := range d.columns {
		if c.process != nil {
			d.process(c, before)
		}
	}
	d.drawMemory()
	width := d.columns[len(d.columns)-1].x + columnWidth + margin
	return fmt.Sprintf(`<svg viewBox="0 0 %d %d" style="max-width:%dpx" role="img" aria-label="%s">%s</svg>`,
		width, d.height+margin, width*3/2, html.EscapeString(describeScene(sc)), d.svg.String())
}

// describeScene is a scene in words, for those who don't see it.
func describeScene(sc *Scene) string {
	var parts []string
	for _, p := range sc.Processes {
		n, present := 0, 0
		for _, a := range p.Areas {
			for _, page := range a.Pages {
				n++
				if page.State != Absent && page.State != Guard {
					present++
				}
			}
		}
		parts = append(parts, fmt.Sprintf("process %s has %d areas with %d pages, %d of them in its page table", p.Name, len(p.Areas), n, present))
	}
	return strings.Join(parts, "; ")
}

// arrange gives every column and every frame its place: of two processes, memory is in
// the middle, else behind the last.
func (d *drawing) arrange(sc *Scene) {
	behind := len(sc.Processes)
	if behind == 2 {
		behind = 1
	}
	x := margin
	place := func(p *ProcessScene) {
		d.columns = append(d.columns, column{x, p})
		x += columnWidth + gapWidth
	}
	for i := range sc.Processes {
		if i == behind {
			place(nil)
		}
		place(&sc.Processes[i])
	}
	if behind == len(sc.Processes) {
		place(nil)
	}
	for _, p := range sc.Processes {
		y := margin + titleHeight
		for _, a := range p.Areas {
			y += headHeight + len(a.Pages)*rowHeight + boxGap
			for i, page := range a.Pages {
				d.frame(p, a, i, page)
			}
		}
		d.height = max(d.height, y)
	}
	y := margin + titleHeight
	for _, b := range d.memory {
		slices.SortStableFunc(b.rows, func(a, b *memoryRow) int { return strings.Compare(a.key, b.key) })
		b.y = y
		y += rowHeight
		for _, r := range b.rows {
			r.y = y + rowHeight/2
			y += rowHeight
		}
		y += boxGap
	}
	d.height = max(d.height, y)
}

// frame finds the row that a page leads to, or makes it. Without numbers of frames the
// page cache is known by object and page, private frames by who has them.
func (d *drawing) frame(p ProcessScene, a Area, i int, page Page) *memoryRow {
	index := a.Offset/uint64(pageBytes) + uint64(i)
	box, key, label := "", "", ""
	switch page.State {
	case Cached:
		box, key, label = "page cache of "+a.Object, fmt.Sprintf("%08d", index), fmt.Sprintf("page %d", index)
	case Private:
		box, key, label = "frames of "+p.Name+" alone", fmt.Sprintf("%016x", a.Start+uint64(i*pageBytes)), "copy"
		if a.Object == "" {
			label = "page"
		}
	case Zero:
		box, key, label = "of all processes", "zero", "page of zeros"
	default:
		if a.Object == "" {
			return nil
		}
		box, key, label = "page cache of "+a.Object, fmt.Sprintf("%08d", index), fmt.Sprintf("page %d", index)
	}
	used := page.State == Cached || page.State == Private || page.State == Zero
	if used && page.Frame != 0 {
		label += fmt.Sprintf(" · frame %#x", page.Frame)
	}
	b := d.box(box)
	for _, r := range b.rows {
		if r.key == key {
			if used {
				r.used, r.label = true, label
			}
			return r
		}
	}
	r := &memoryRow{key: key, label: label, used: used}
	b.rows = append(b.rows, r)
	return r
}

func (d *drawing) box(title string) *memoryBox {
	for _, b := range d.memory {
		if b.title == title {
			return b
		}
	}
	b := &memoryBox{title: title}
	d.memory = append(d.memory, b)
	return b
}

func (d *drawing) text(x, y int, class, text string) {
	fmt.Fprintf(&d.svg, `<text x="%d" y="%d" class="%s">%s</text>`, x, y, class, html.EscapeString(text))
}

func (d *drawing) rect(x, y, width, height int, class string) {
	fmt.Fprintf(&d.svg, `<rect x="%d" y="%d" width="%d" height="%d" rx="5" class="%s"/>`, x, y, width, height, class)
}

// process draws a process: its areas, a row for each page, and where that leads.
func (d *drawing) process(c column, before *Scene) {
	p := *c.process
	d.text(c.x, margin+24, "name", fmt.Sprintf("process %s", p.Name))
	d.text(c.x+columnWidth, margin+24, "small end", fmt.Sprintf("pid %d", p.PID))
	y := margin + titleHeight
	for _, a := range p.Areas {
		d.rect(c.x, y, columnWidth, headHeight+len(a.Pages)*rowHeight, "area")
		d.text(c.x+10, y+23, "mono strong", fmt.Sprintf("%x-%x", a.Start, a.End))
		what := a.Object
		if what == "" {
			what = "anonymous"
		}
		d.text(c.x+10, y+45, "mono", a.Perms+"  "+shorten(what, 24))
		y += headHeight
		for i, page := range a.Pages {
			class := "page " + page.State
			if old, ok := pageBefore(before, p.Name, a, i); before != nil && (!ok || old != page) && page.State != Absent {
				class += " new"
			}
			d.rect(c.x+6, y+2, columnWidth-12, rowHeight-4, class)
			d.text(c.x+16, y+21, "mono", fmt.Sprintf("%x", a.Start+uint64(i*pageBytes)))
			d.text(c.x+columnWidth-16, y+21, "small end", page.State)
			if r := d.frame(p, a, i, page); r != nil && page.State != Absent && page.State != Guard {
				d.line(c, y+rowHeight/2, r)
			}
			y += rowHeight
		}
		y += boxGap
	}
	if len(p.Areas) == 0 {
		d.text(c.x, margin+titleHeight+20, "small", "nothing mapped here")
	}
}

// pageBefore is the page at the same address in the scene before.
func pageBefore(before *Scene, name string, a Area, i int) (Page, bool) {
	if before == nil {
		return Page{}, false
	}
	addr := a.Start + uint64(i*pageBytes)
	for _, p := range before.Processes {
		for _, old := range p.Areas {
			if p.Name == name && old.Start <= addr && addr < old.End {
				// That there is one more who maps it is no change here.
				page := old.Pages[(addr-old.Start)/uint64(pageBytes)]
				page.Exclusive = a.Pages[i].Exclusive
				return page, true
			}
		}
	}
	return Page{}, false
}

// line leads from a page to its frame.
func (d *drawing) line(c column, y int, r *memoryRow) {
	from, to := c.x+columnWidth-6, d.memoryColumn().x+6
	if d.memoryColumn().x < c.x {
		from, to = c.x+6, d.memoryColumn().x+columnWidth-6
	}
	middle := (from + to) / 2
	fmt.Fprintf(&d.svg, `<path d="M%d %dC%d %d %d %d %d %d" class="way"/><circle cx="%d" cy="%d" r="5" class="dot"/>`,
		from, y, middle, y, middle, r.y, to, r.y, to, r.y)
}

func (d *drawing) memoryColumn() column {
	i := slices.IndexFunc(d.columns, func(c column) bool { return c.process == nil })
	return d.columns[i]
}

func (d *drawing) drawMemory() {
	c := d.memoryColumn()
	d.text(c.x, margin+24, "name", "memory")
	if len(d.memory) == 0 {
		d.text(c.x, margin+titleHeight+20, "small", "no frame belongs to it")
	}
	for _, b := range d.memory {
		d.text(c.x, b.y+20, "small", shorten(b.title, 38))
		for _, r := range b.rows {
			class, label := "frame", r.label
			if !r.used {
				class, label = "frame none", r.label+" · no entry leads here"
			}
			d.rect(c.x+6, r.y-rowHeight/2+2, columnWidth-12, rowHeight-4, class)
			d.text(c.x+18, r.y+6, "mono", label)
		}
	}
}

// pageBytes is the size of a page of the experiments.
const pageBytes = 4096

// shorten cuts a text that is longer than n characters.
func shorten(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}
