package report

import (
	"html/template"
	"math"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
)

// A measure is a figure of rows.
type measure struct {
	title string
	name  string // what it is, and what is good
	of    func(*bench.Row) float64
	unit  unit
	// spread is what half of the slices lie between, if that is known.
	spread func(*bench.Row) (low, high float64)
}

var (
	typical = measure{"Time", "time of each, logarithmic: shorter is better", (*bench.Row).Typical, times, func(r *bench.Row) (float64, float64) {
		return r.Nanoseconds.Low, r.Nanoseconds.High
	}}
	throughput = measure{"Bytes per second", "bytes per second, logarithmic: more is better", func(r *bench.Row) float64 { return r.BytesPerSecond }, rates, func(r *bench.Row) (float64, float64) {
		part := func(ns float64) float64 { return r.BytesPerSecond * r.Nanoseconds.Median / ns }
		return part(r.Nanoseconds.High), part(r.Nanoseconds.Low)
	}}
	sender    = measure{"CPU time of the sender", "CPU time of the sender for each, logarithmic: less is better", func(r *bench.Row) float64 { return r.Sender }, times, nil}
	processor = measure{"CPU time of all", "CPU time of each, all processes, logarithmic: less is better", func(r *bench.Row) float64 { return r.CPU }, times, nil}
)

// drawBars shows a figure of each row.
func drawBars(title string, m measure, rows []*bench.Row, looks looks) template.HTML {
	d := &drawing{width: rowsWidth, height: rowsTop + rowTall*float64(len(rows)) + rowsEnd}
	var all []float64
	for _, r := range rows {
		all = append(all, m.of(r))
	}
	left, right, bottom := rowsName, rowsWidth-2*rowsText, d.height-rowsEnd
	x := newAxis(all, m.unit)
	x.low = min(x.low/1.5, math.Pow(10, math.Floor(math.Log10(x.low)))) // the shortest bar is one
	x = x.placed(left, right)
	d.text(0, 22, behind, "title", fitting(title, sizeTitle, rowsWidth))
	d.text(left, 50, behind, "small", m.name)
	if slices.ContainsFunc(rows, func(r *bench.Row) bool { return r.Ratio > 0 }) {
		d.text(rowsWidth, rowsTop-12, before, "small", "× yardstick")
	}
	for _, v := range x.grid() {
		d.line(x.at(v), rowsTop-8, x.at(v), bottom, "grid")
		d.text(x.at(v), bottom+20, centred, "small", m.unit.write(v))
	}
	var words []string
	for i, r := range rows {
		y, l, v := rowsTop+rowTall*float64(i), looks.of(r), m.of(r)
		d.text(rowsName-10, y+18, before, "name "+l.class, fitting(nameOf(r), sizeText, rowsName-10))
		d.rect(left, y+4, x.at(v)-left, rowTall-8, "bar "+l.class)
		end := x.at(v)
		if m.spread != nil {
			low, high := m.spread(r)
			d.line(x.at(low), y+rowTall/2, x.at(high), y+rowTall/2, "whisker")
			end = max(end, x.at(high))
		}
		d.text(end+8, y+18, behind, "number", m.unit.write(v))
		if r.Ratio > 0 {
			d.text(rowsWidth, y+18, before, "number dim", bench.Factor(r.Ratio)+" ×")
		}
		words = append(words, nameOf(r)+" "+m.unit.write(v))
	}
	return d.svg(title + ", " + m.name + ": " + strings.Join(words, "; "))
}
