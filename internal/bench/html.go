package bench

import (
	"io"
	"time"
)

// PageInfo is what a page says of its making.
type PageInfo struct {
	Command string
	When    time.Time
}

// WriteHTML writes a page with charts and tables of a result.
func WriteHTML(w io.Writer, res *Result, info PageInfo) error { return nil }
