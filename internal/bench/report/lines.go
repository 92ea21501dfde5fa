package report

import (
	"html/template"
	"strings"
)

// A plot is lines in two directions, both logarithmic.
type plot struct {
	title string
	x, y  axis
	ticks []float64 // numbers that x has
	yName string
	lines []series
}

// A series is one way.
type series struct {
	name   string
	look   look
	points [][2]float64 // x, y
}

// Sizes of a plot.
const (
	plotWidth  = 780.0
	plotLeft   = 96.0
	plotRight  = 196.0 // room for names
	plotTop    = 66.0
	plotBottom = 50.0
	plotTall   = 400.0
	nameGap    = 18.0 // between names
	nameAway   = 34.0 // of them from the lines
)

// drawPlot draws it, the names of lines where they end.
func drawPlot(p plot) template.HTML {
	tall := max(plotTall, nameGap*float64(len(p.lines)))
	d := &drawing{width: plotWidth, height: plotTop + tall + plotBottom}
	right, bottom := plotWidth-plotRight, plotTop+tall
	x, y := p.x.placed(plotLeft+14, right-8), p.y.placed(bottom, plotTop)
	d.text(0, 22, behind, "title", fitting(p.title, sizeTitle, plotWidth))
	d.text(0, plotTop-16, behind, "small", p.yName)
	for _, v := range y.grid() {
		d.line(plotLeft, y.at(v), right, y.at(v), "grid")
		d.text(plotLeft-10, y.at(v)+5, before, "small", y.unit.write(v))
	}
	free := 0.0
	for _, v := range p.ticks {
		label := x.unit.write(v)
		half := widthOf(label, sizeSmall) / 2
		d.line(x.at(v), bottom, x.at(v), bottom+6, "tick")
		if x.at(v)-half >= free {
			d.text(x.at(v), bottom+22, centred, "small", label)
			free = x.at(v) + half + 6
		}
	}
	d.text((plotLeft+right)/2, bottom+42, centred, "small", x.unit.name)
	d.line(plotLeft, bottom, right, bottom, "tick")
	ends := make([]float64, len(p.lines))
	for i, s := range p.lines {
		ends[i] = y.at(s.points[len(s.points)-1][1])
	}
	names := spread(ends, nameGap, plotTop, bottom)
	var words []string
	// What is ours above what is not.
	for _, ours := range []bool{false, true} {
		for i, s := range p.lines {
			if strings.HasPrefix(s.look.class, "ours") != ours {
				continue
			}
			var points [][2]float64
			for _, at := range s.points {
				points = append(points, [2]float64{x.at(at[0]), y.at(at[1])})
			}
			last := points[len(points)-1]
			d.polyline([][2]float64{last, {right + 2, last[1] + (names[i]-last[1])*0.2}, {right + nameAway - 6, names[i]}}, "leader "+s.look.class)
			d.polyline(points, "series "+s.look.class)
			for k, at := range points {
				tip := s.name + ", " + x.unit.write(s.points[k][0]) + ": " + y.unit.write(s.points[k][1])
				d.mark(at[0], at[1], 4, s.look, tip)
			}
			value := y.unit.write(s.points[len(s.points)-1][1])
			d.text(right+nameAway, names[i]+5, behind, "name "+s.look.class, fitting(s.name, sizeText, plotRight-nameAway))
			words = append(words, s.name+" "+value)
		}
	}
	return d.svg(p.title + ", last points: " + strings.Join(words, "; "))
}
