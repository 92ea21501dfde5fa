package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestProgressFitsTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &progress{what: rapid.SampledFrom([]string{"sending", "receiving"}).Draw(t, "what"), size: rapid.Int64Min(-1).Draw(t, "size")}
		n := rapid.Int64Min(0).Draw(t, "n") // also more than there should be
		took := time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "took"))
		width := rapid.IntRange(-1, 200).Draw(t, "width")
		line := p.line(n, took, width)
		if got := utf8.RuneCountInString(line); got > max(width, 0) {
			t.Fatalf("%d columns in %d: %q", got, width, line)
		}
		if bar := strings.Contains(line, " ["); p.size >= 0 && bar != (width >= len(p.what)+len(" 100% [##########]")) {
			t.Fatalf("%d columns: %q", width, line)
		}
	})
}

func TestProgressShowsWhatThereIsRoomFor(t *testing.T) {
	p := &progress{what: "sending", size: 4 << 20}
	for width, want := range map[int]string{
		79: "sending  25% [#######---------------------]  1 MiB of 4 MiB  512 KiB/s  6s left",
		50: "sending  25% [####---------------]  1 MiB of 4 MiB",
		29: "sending  25% [###-----------]",
		20: "sending  25%",
		9:  "",
	} {
		if got := p.line(1<<20, 2*time.Second, width); got != want {
			t.Errorf("%d columns:\n%q, want\n%q", width, got, want)
		}
	}
	p.size = -1
	if got := p.line(1<<20, 2*time.Second, 79); got != "sending 1 MiB  512 KiB/s" {
		t.Errorf("%q", got)
	}
}

func TestProgressWritesOverItsLineAndTakesItAway(t *testing.T) {
	var out bytes.Buffer
	columns := 60
	p := &progress{w: &out, columns: func() int { return columns }, what: "sending", size: 100}
	p.set(50)
	line := strings.TrimPrefix(out.String(), "\r")
	if !strings.Contains(line, " 50% [") || strings.ContainsAny(line, "\r\n") {
		t.Errorf("%q", line)
	}
	out.Reset()
	p.set(51) // too soon
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
	columns = 40 // somebody makes the window smaller
	p.end()
	if want := "\r" + strings.Repeat(" ", min(39, len(line))) + "\r"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	out.Reset()
	p.end()
	(&progress{w: &out}).end() // nothing was shown
	(*progress)(nil).set(1)
	(*progress)(nil).end()
	if out.Len() > 0 {
		t.Errorf("%q", out.String())
	}
}
