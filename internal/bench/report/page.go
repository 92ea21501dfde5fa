package report

import (
	_ "embed"
	"html/template"
	"io"

	"github.com/shmkit/shmkit/internal/bench"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageView is what the page is made of.
type pageView struct {
	*bench.Result
	Date     string
	Legend   string
	Sections []*section
}

// Table is all figures of a contest.
func (c contest) Table() Table { return NewTable(c.rows, true) }

// WriteHTML writes a page with charts and tables of a result, which needs nothing else.
func WriteHTML(w io.Writer, res *bench.Result) error {
	v := pageView{Result: res, Legend: bench.Legend, Sections: sectionsOf(res.Rows)}
	if !res.When.IsZero() {
		v.Date = res.When.Format("2 January 2006, 15:04 MST")
	}
	return pageTemplate.Execute(w, v)
}
