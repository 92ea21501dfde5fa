package report

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
)

// Sizes of charts with a line for each row.
const (
	rowsWidth = 1120.0
	rowsName  = 220.0
	rowsText  = 100.0 // of each number beside the chart
	rowTall   = 25.0
	rowsTop   = 84.0
	rowsEnd   = 40.0
)

// drawPercentiles shows what single operations took, from the median to the longest.
func drawPercentiles(title string, rows []*bench.Row, looks looks) template.HTML {
	d := &drawing{width: rowsWidth, height: rowsTop + rowTall*float64(len(rows)) + rowsEnd}
	var all []float64
	for _, r := range rows {
		all = append(all, float64(r.Times.P50), float64(r.Times.Max))
	}
	left, right, bottom := rowsName+rowsText, rowsWidth-rowsText, d.height-rowsEnd
	x := newAxis(all, times).placed(left, right)
	d.text(0, 22, behind, "title", fitting(title, sizeTitle, rowsWidth))
	at := left
	for i, name := range []string{"half are below (P50)", "P90", "P99", "P99.9", "the longest"} {
		quantile(d, i, at+8, 48, look{class: "kernel"}, name)
		d.text(at+20, 53, behind, "small", name)
		at += 44 + widthOf(name, sizeSmall)
	}
	for _, v := range x.grid() {
		d.line(x.at(v), rowsTop-8, x.at(v), bottom, "grid")
		d.text(x.at(v), bottom+20, centred, "small", x.unit.write(v))
	}
	d.text(left-14, rowsTop-12, before, "small", "P50")
	d.text(rowsWidth, rowsTop-12, before, "small", "longest")
	var words []string
	for i, r := range rows {
		y, l, t := rowsTop+rowTall*(float64(i)+0.5), looks.of(r), r.Times
		p50, longest := duration(float64(t.P50)), duration(float64(t.Max))
		d.text(rowsName-10, y+5, before, "name "+l.class, fitting(nameOf(r), sizeText, rowsName-10))
		d.text(left-14, y+5, before, "number", p50)
		d.text(rowsWidth, y+5, before, "number dim", longest)
		d.line(x.at(float64(t.P50)), y, x.at(float64(t.Max)), y, "range "+l.class)
		d.line(x.at(float64(t.P50)), y, x.at(float64(t.P99)), y, "range most "+l.class)
		for k, ns := range []int64{t.P50, t.P90, t.P99, t.P999, t.Max} {
			name := []string{"P50", "P90", "P99", "P99.9", "longest"}[k]
			quantile(d, k, x.at(float64(ns)), y, l, nameOf(r)+", "+name+": "+duration(float64(ns)))
		}
		words = append(words, fmt.Sprintf("%s %s to %s", nameOf(r), p50, longest))
	}
	return d.svg(title + ", P50 to the longest: " + strings.Join(words, "; "))
}

// quantile is the mark of a percentile: P50, P90, P99, P99.9, the longest.
func quantile(d *drawing, which int, x, y float64, l look, tip string) {
	switch which {
	case 0:
		d.mark(x, y, 6, look{l.class, disc}, tip)
	case 1:
		d.line(x, y-5, x, y+5, "quantile "+l.class)
	case 2:
		d.line(x, y-8, x, y+8, "quantile "+l.class)
	case 3:
		d.mark(x, y, 4, look{l.class, ring}, tip)
	case 4:
		d.mark(x, y, 4, look{l.class, cross}, tip)
	}
}

// nameOf is what a row is among those beside it.
func nameOf(r *bench.Row) string {
	if r.Yardstick {
		return r.Way
	}
	return r.Name()
}
