package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// progress shows on a terminal how far a transfer is, in one line that it writes
// over and over. On anything else, as nil, it shows nothing. A terminal that cannot
// be written to does not stop the transfer.
type progress struct {
	w       io.Writer
	columns func() int // of the terminal, which may change
	what    string
	size    int64 // in bytes, -1 if not known
	begin   time.Time
	shown   time.Time // when the line was written
	width   int       // columns that it takes
}

const (
	progressPause = 100 * time.Millisecond // between two lines, and before the first
	shortestBar   = 10
	longestBar    = 30
)

// newProgress begins; size is -1 if not known.
func (a *app) newProgress(what string, size int64) *progress {
	if !a.errIsTerminal() {
		return nil
	}
	now := time.Now()
	return &progress{w: a.err, columns: func() int { return columns(a.err) }, what: what, size: size, begin: now, shown: now}
}

// columns is how wide a terminal is.
func columns(stream any) int {
	n, _ := screenSize(stream)
	return n
}

// screenSize is how large a terminal is.
func screenSize(stream any) (columns, rows int) {
	columns, rows = 80, 24
	if f, ok := stream.(*os.File); ok {
		if c, r, err := term.GetSize(int(f.Fd())); err == nil && c > 0 && r > 0 {
			return c, r
		}
	}
	return columns, rows
}

// set tells how many bytes were moved.
func (p *progress) set(n int64) {
	if p == nil || time.Since(p.shown) < progressPause {
		return
	}
	p.shown = time.Now()
	width := p.columns() - 1 // a full line would make some terminals begin another
	p.write(p.line(n, p.shown.Sub(p.begin), width), width)
}

// end takes the line away.
func (p *progress) end() {
	if p == nil || p.width == 0 {
		return
	}
	p.write("", p.columns()-1)
	_, _ = io.WriteString(p.w, "\r")
}

// write writes a line over the one that is there.
func (p *progress) write(line string, width int) {
	rest := strings.Repeat(" ", max(0, min(p.width, width)-utf8.RuneCountInString(line)))
	p.width = utf8.RuneCountInString(line)
	_, _ = io.WriteString(p.w, "\r"+line+rest)
}

// line is what to show of n bytes moved, in at most so many columns: what does not
// fit is left out, the least important first.
func (p *progress) line(n int64, took time.Duration, width int) string {
	rate := formatSize(uint64(float64(n)/max(took.Seconds(), 1e-3))) + "/s"
	if p.size < 0 {
		line, _ := fitting(width, p.what+" "+formatSize(uint64(n)), "  "+rate)
		return line
	}
	part := 1.0
	if p.size > 0 {
		part = min(1, float64(n)/float64(p.size))
	}
	head := fmt.Sprintf("%s %3.0f%%", p.what, 100*part)
	tails := []string{fmt.Sprintf("  %s of %s", formatSize(uint64(n)), formatSize(uint64(p.size))), "  " + rate}
	if part > 0 {
		left := time.Duration(float64(took) * (1 - part) / part)
		tails = append(tails, fmt.Sprintf("  %v left", left.Round(time.Second)))
	}
	room := width - len(head) - len(" []")
	if room < shortestBar {
		line, _ := fitting(width, head)
		return line
	}
	tail, room := fitting(room-shortestBar, tails...)
	done := int(part * float64(min(longestBar, room+shortestBar)))
	return head + " [" + strings.Repeat("#", done) + strings.Repeat("-", min(longestBar, room+shortestBar)-done) + "]" + tail
}

// fitting joins the first of some texts that fit, and returns how much room is
// left.
func fitting(room int, texts ...string) (joined string, left int) {
	for _, text := range texts {
		if len(text) > room {
			break
		}
		joined, room = joined+text, room-len(text)
	}
	return joined, room
}
