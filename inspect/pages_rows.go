package inspect

import (
	"context"
	"iter"
)

// A PageRow is pages one after the other that are alike to each of several views.
type PageRow struct {
	First, Count int64
	Runs         []PageRun // one of each view, all of these pages
}

// Rows ranges over the pages of all Views side by side, each once and in order. A view that ends
// early is PageUnknown from there on, and says why in Err; the error that Rows yields, at last, is the context's.
func (p *Pages) Rows(ctx context.Context) iter.Seq2[PageRow, error] {
	return func(yield func(PageRow, error) bool) {
		from, end := p.First, p.First+p.Count
		views := p.Views()
		next := make([]func() (PageRun, error, bool), len(views))
		runs := make([]PageRun, len(views))
		for i, v := range views {
			pull, stop := iter.Pull2(v.Runs(ctx, from, end))
			defer stop()
			next[i] = pull
		}
		for from < end {
			to := end
			for i := range views {
				if runs[i].End() <= from {
					run, err, ok := next[i]()
					if err != nil || !ok {
						run = PageRun{from, end - from, Page{State: PageUnknown}}
					}
					runs[i] = run
				}
				to = min(to, runs[i].End())
			}
			if err := ctx.Err(); err != nil {
				yield(PageRow{}, err)
				return
			}
			row := PageRow{from, to - from, make([]PageRun, len(views))}
			for i := range views {
				row.Runs[i] = runs[i].part(from, to)
			}
			if !yield(row, nil) {
				return
			}
			from = to
		}
	}
}
