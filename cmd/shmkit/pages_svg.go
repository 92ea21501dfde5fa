package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// Sizes of a picture: cells of a view, and units of length.
const (
	svgColumns = 64
	svgRows    = 32
	svgCell    = 10
	svgMargin  = 130
	svgLine    = 18
	svgWidth   = svgMargin + svgColumns*svgCell + 30
)

// svgStyle is readable on light and dark ground, and without any of it the text still stands.
const svgStyle = `
  svg { font: 12px ui-monospace, Menlo, Consolas, monospace; }
  text { fill: #1b1f24; }
  .ground { fill: #ffffff; stroke: none; }
  .soft { fill: #57606a; }
  .title { font-size: 15px; font-weight: bold; }
  rect { stroke: #ffffff; stroke-width: 1; }
  .empty, .outside, .hole { fill: #eaeef2; }
  .outside { fill: #f6f8fa; }
  .unknown { fill: #d0d7de; }
  .device { fill: #afb8c1; }
  .swapped { fill: #cf222e; }
  .reserved { fill: #d4a72c; }
  .guard { fill: #9a6700; }
  .zero { fill: #8c959f; }
  .memory { fill: #54aeff; }
  .memory-dirty { fill: #0550ae; }
  .shared { fill: #4ac26b; }
  .shared-dirty { fill: #116329; }
  .alone { fill: #76e3ea; }
  .alone-dirty { fill: #1b7c83; }
  .inherited { fill: #d8b9ff; }
  .copy { fill: #8250df; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: none; }
    text { fill: #e6edf3; }
    .soft { fill: #8d96a0; }
    rect { stroke: #0d1117; }
    .empty, .hole { fill: #262c36; }
    .outside { fill: #161b22; }
    .unknown { fill: #484f58; }
    .memory-dirty { fill: #1f6feb; }
    .shared { fill: #7ee787; }
    .shared-dirty { fill: #2ea043; }
    .alone { fill: #b3f0ff; }
    .alone-dirty { fill: #39c5cf; }
  }
`

// svgWriter builds a picture from top to bottom.
type svgWriter struct {
	b bytes.Buffer
	y int
}

// text writes a line.
func (s *svgWriter) text(x int, class, text string) {
	s.y += svgLine
	s.textAt(x, s.y-5, class, text)
}

func (s *svgWriter) textAt(x, y int, class, text string) {
	fmt.Fprintf(&s.b, `<text x="%d" y="%d"`, x, y)
	if class != "" {
		fmt.Fprintf(&s.b, ` class="%s"`, class)
	}
	fmt.Fprintf(&s.b, ">%s</text>\n", escapeXML(oneLine(text)))
}

// lines writes a text, or the part that fits a line and the rest below.
func (s *svgWriter) lines(x int, text string) {
	var b strings.Builder
	wrapped(&b, (svgWidth-2*x)*10/73, "  ", oneLine(text))
	for line := range strings.Lines(b.String()) {
		rest := strings.TrimLeft(line, " ")
		s.text(x+(len(line)-len(rest))*7, "", strings.TrimSuffix(rest, "\n"))
	}
}

func (s *svgWriter) cell(x, y, look int, title string) {
	fmt.Fprintf(&s.b, `<rect x="%d" y="%d" width="%d" height="%d" class="%s">`, x, y, svgCell, svgCell, pageLooks[look].name)
	if title != "" {
		fmt.Fprintf(&s.b, "<title>%s</title>", escapeXML(title))
	}
	s.b.WriteString("</rect>\n")
}

func escapeXML(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
	return b.String()
}

// writeSVG writes the picture as one file that needs nothing else.
func (c *pagePicture) writeSVG(w io.Writer) error {
	s := &svgWriter{y: 10}
	s.text(20, "title", c.title)
	s.text(20, "soft", c.scale())
	views := c.views
	if c.pages.Count == 0 {
		views = nil
	}
	for _, v := range views {
		s.y += 8
		s.text(20, "", v.name+v.again)
		c.svgCells(s, v)
		s.lines(20, v.summary())
	}
	s.y += 8
	for _, object := range []bool{true, false} {
		for _, look := range c.legend(object) {
			s.y += svgLine
			s.cell(20, s.y-5-svgCell+1, look, "")
			of := map[bool]string{true: "object: ", false: "process: "}[object]
			s.textAt(38, s.y-5, "", of+pageLooks[look].text)
		}
	}
	s.y += 8
	for _, line := range c.sentences() {
		s.lines(20, line)
	}
	for _, line := range c.remarks() {
		s.lines(20, line)
	}
	s.y += 14
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">
<title>%s</title>
<style>%s</style>
<rect class="ground" width="100%%" height="100%%"/>
%s</svg>
`, svgWidth, s.y, svgWidth, s.y, escapeXML("pages of "+c.title), svgStyle, s.b.String())
	return err
}

// svgCells draws the cells of a view, with offsets at the left.
func (c *pagePicture) svgCells(s *svgWriter, v *viewPages) {
	for from := 0; from < len(v.cells); from += svgColumns {
		if from/svgColumns%2 == 0 { // a line of text is higher than a cell
			s.textAt(20, s.y+svgCell, "soft", fmt.Sprintf("%08x", c.offset(from)))
		}
		for i, cell := range v.cells[from:min(from+svgColumns, len(v.cells))] {
			look := cell.look()
			s.cell(svgMargin+i*svgCell, s.y, look, fmt.Sprintf("%s %x: %s", c.unit(), c.offset(from+i), pageLooks[look].text))
		}
		s.y += svgCell
	}
	s.y += 4
}
