package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// pageLayout is where on a screen the cells of a picture go.
type pageLayout struct {
	width    int  // of the screen
	margin   int  // of the offsets, with the blanks behind them
	columns  int  // cells in a row of a view
	rows     int  // at most, of a view
	together bool // views stand side by side; else one below the other
}

// leastColumns are so few cells in a row that views rather stand one below the other.
const leastColumns = 16

// layPages finds the widest rows of cells, a power of two, that fit side by side.
func layPages(width, rows, views int, pages int64, end uint64) pageLayout {
	l := pageLayout{width: width, margin: max(8, len(fmt.Sprintf("%x", end))) + 2, together: true}
	fits := func(columns, views int) bool { return l.margin+views*(columns+2)-2 <= width }
	l.columns = 128
	for l.columns > leastColumns && (!fits(l.columns, views) || int64(l.columns/2) >= pages) {
		l.columns /= 2
	}
	if !fits(l.columns, views) {
		l.together = false
		for l.columns = 128; l.columns > 8 && !fits(l.columns, 1) || l.columns > leastColumns && int64(l.columns/2) >= pages; {
			l.columns /= 2
		}
		rows /= views
	}
	l.rows = max(rows, 4)
	return l
}

// room is how many cells a view has.
func (l pageLayout) room() int64 { return int64(l.columns) * int64(l.rows) }

// draw writes the picture as text.
func (c *pagePicture) draw(w io.Writer, a *app, l pageLayout) error {
	var b strings.Builder
	fmt.Fprintln(&b, a.bold(c.title))
	wrapped(&b, l.width, "", c.scale())
	if c.pages.Count == 0 {
		_, err := io.WriteString(w, b.String())
		return err
	}
	b.WriteByte('\n')
	if l.together {
		c.drawViews(&b, a, l, c.views)
	} else {
		for i := range c.views {
			c.drawViews(&b, a, l, c.views[i:i+1])
			b.WriteByte('\n')
		}
	}
	if l.together {
		b.WriteByte('\n')
	}
	for _, object := range []bool{true, false} {
		looks := c.legend(object)
		if len(looks) == 0 {
			continue
		}
		of := map[bool]string{true: "object", false: "process"}[object]
		for _, look := range looks {
			var text strings.Builder
			const indent = 12 // of the texts
			wrapped(&text, max(l.width-indent, indent), "", pageLooks[look].text)
			fmt.Fprintf(&b, "%-7s  %s  %s\n", of, a.inLook(look, string(pageLooks[look].letter)),
				strings.ReplaceAll(strings.TrimSuffix(text.String(), "\n"), "\n", "\n"+strings.Repeat(" ", indent)))
			of = ""
		}
	}
	b.WriteByte('\n')
	for _, v := range c.views {
		wrapped(&b, l.width, "  ", v.name+v.again+": "+v.summary())
	}
	for _, lines := range [][]string{c.sentences(), c.remarks()} {
		for _, line := range lines {
			wrapped(&b, l.width, "  ", line)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// drawViews writes the cells of views side by side.
func (c *pagePicture) drawViews(b *strings.Builder, a *app, l pageLayout, views []*viewPages) {
	heading := fmt.Sprintf("%-*s", l.margin, c.unit())
	for i, v := range views {
		name := v.name + v.again
		if l.together {
			name = cut(v.name, l.columns-len(v.again)) + v.again
		}
		if i < len(views)-1 {
			name += strings.Repeat(" ", l.columns+2-utf8.RuneCountInString(name))
		}
		heading += name
	}
	fmt.Fprintln(b, a.bold(cut(heading, l.width)))
	cells := len(views[0].cells)
	for from := 0; from < cells; from += l.columns {
		fmt.Fprintf(b, "%0*x  ", l.margin-2, c.offset(from))
		for i, v := range views {
			to := min(from+l.columns, cells)
			b.WriteString(a.cells(v.cells[from:to]))
			if i < len(views)-1 {
				b.WriteString(strings.Repeat(" ", l.columns-(to-from)+2))
			}
		}
		b.WriteByte('\n')
	}
}

// unit is what stands at the left of each row.
func (c *pagePicture) unit() string {
	if c.base() != 0 {
		return "address"
	}
	return "offset"
}

// base is the address of page 0 where pages are those of a mapping of no object.
func (c *pagePicture) base() uint64 {
	if c.pages.Object != nil || len(c.views) == 0 {
		return 0
	}
	addr, _ := c.views[0].view.Address(c.pages.First)
	return addr - uint64(c.pages.First)*uint64(c.pages.PageSize)
}

// offset is where a cell begins, in the object or the address space.
func (c *pagePicture) offset(cell int) uint64 {
	return c.base() + uint64(c.pages.First+int64(cell)*c.perCell)*uint64(c.pages.PageSize)
}

// cells is a row of cells, those of one look in one colour.
func (a *app) cells(cells []pageCell) string {
	var b strings.Builder
	for i := 0; i < len(cells); {
		look, end := cells[i].look(), i+1
		for end < len(cells) && cells[end].look() == look {
			end++
		}
		b.WriteString(a.inLook(look, strings.Repeat(string(pageLooks[look].letter), end-i)))
		i = end
	}
	return b.String()
}

// inLook colours text where colours are wanted.
func (a *app) inLook(look int, text string) string {
	if !a.colour {
		return text
	}
	return "\x1b[" + pageLooks[look].colour + "m" + text + "\x1b[0m"
}

// wrapped writes a line, or several where it is too wide, the others indented.
func wrapped(b *strings.Builder, width int, indent, text string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			fmt.Fprintln(b, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(b, line)
}

// cut shortens text to some columns.
func cut(text string, columns int) string {
	r := []rune(text)
	if len(r) <= columns {
		return text
	}
	return string(r[:max(columns-1, 0)]) + "…"
}
