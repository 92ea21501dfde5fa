package explain

import (
	_ "embed"
	"html/template"
	"io"
	"reflect"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"draw":  func(d *drawnStep) template.HTML { return template.HTML(drawScene(d.Scene, d.before)) },
	"chart": func(c Chart) template.HTML { return template.HTML(drawChart(c)) },
	"lanes": func(l []Lane) template.HTML { return template.HTML(drawLanes(l)) },
	"lines": func(text string) []string { return strings.Split(text, "\n") },
}).Parse(pageText))

// A drawnStep is a step, and what there was before it.
type drawnStep struct {
	*Step
	before *Scene
	// Draw: there is something to see that is not the same as before.
	Draw bool
}

type drawnReport struct {
	*Report
	Steps []*drawnStep
}

// WriteHTML writes reports as one page that needs nothing else: no network, no scripts.
// The drawings are made of what the kernel showed in these runs.
func WriteHTML(w io.Writer, reports ...*Report) error {
	var drawn []drawnReport
	for _, r := range reports {
		d := drawnReport{Report: r}
		var before *Scene
		for _, s := range r.Steps {
			one := &drawnStep{Step: s, before: before}
			if s.Scene != nil {
				one.Draw = hasAreas(s.Scene) || before != nil && hasAreas(before)
				one.Draw = one.Draw && (s.draw || !sameScene(before, s.Scene))
				before = s.Scene
			}
			d.Steps = append(d.Steps, one)
		}
		drawn = append(drawn, d)
	}
	return pageTemplate.Execute(w, drawn)
}

func hasAreas(sc *Scene) bool {
	for _, p := range sc.Processes {
		if len(p.Areas) > 0 {
			return true
		}
	}
	return false
}

func sameScene(a, b *Scene) bool { return a != nil && reflect.DeepEqual(a, b) }
