package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/shmkit/shmkit/explain"
)

// A textPage is experiments as text for a terminal, 80 columns wide.
type textPage struct {
	*app
	err error // the first one of writing
	// announced is the step that was shown already, but for what the kernel shows.
	announced int
}

func (t *textPage) line(format string, args ...any) {
	if _, err := fmt.Fprintf(t.out, format+"\n", args...); err != nil && t.err == nil {
		t.err = err
	}
}

// wrapped writes a text in lines that fit, each indented.
func (t *textPage) wrapped(indent int, text string) {
	for _, line := range wrapText(text, textWidth-indent) {
		t.line("%s%s", strings.Repeat(" ", indent), line)
	}
}

func (t *textPage) heading(e explain.Experiment) {
	t.line("%s", t.bold(fmt.Sprintf("%d. %s", e.Number, e.Title)))
	t.wrapped(3, e.Question)
	t.line("")
	t.line("   %s", t.dim("= as the model predicts, or as stated before; ! not so; ? not seen"))
	t.line("   %s", t.dim("page table: f frame of the page cache, c copy, z page of zeros, - nothing"))
	t.line("")
}

// announce shows a step before it is done, with what is predicted.
func (t *textPage) announce(s *explain.Step) {
	t.title(s)
	for _, f := range s.Facts {
		t.pair("predicted", f.What+": "+f.Predicted)
	}
	t.announced = s.Number
}

func (t *textPage) title(s *explain.Step) {
	t.line("%s", t.bold(fmt.Sprintf("%2d. %s", s.Number, s.Title)))
	t.line("    %s", t.dim(s.Who()))
	for _, line := range wrapText(s.Call, textWidth-6) {
		t.line("      %s", line)
	}
}

// step shows a step that was done.
func (t *textPage) step(s *explain.Step) error {
	if t.announced != s.Number {
		t.title(s)
	}
	for _, f := range s.Facts {
		t.fact(f)
	}
	t.wrapped(4, s.Why)
	t.line("")
	return t.err
}

// mark is how a fact is marked: what agrees, what does not, what could not be seen, and
// what is only shown.
func mark(f explain.Fact) string {
	switch {
	case f.Unseen != "":
		return "?"
	case !f.Agree:
		return "!"
	case f.Predicted != "":
		return "="
	}
	return " "
}

// fact shows a fact: in a line if it fits, else what was predicted and what is shown below
// each other.
func (t *textPage) fact(f explain.Fact) {
	m, from := mark(f), f.From
	switch {
	case m == "!":
		m = t.red("!")
	case m == "=":
		m = t.green("=")
	}
	if f.By == explain.ByStatement {
		from += " (stated)"
	}
	if f.Unseen != "" {
		t.line("  %s %s", m, f.What)
		t.pair("predicted", f.Predicted)
		t.pair("not seen", f.Unseen)
		return
	}
	one := f.What + ": " + f.Shown
	if f.Predicted != "" && f.Predicted != f.Shown {
		one = f.What + ": " + f.Shown + ", predicted " + f.Predicted
	}
	length := utf8.RuneCountInString(one) + 4
	switch {
	case strings.Contains(one, "\n") || length > textWidth:
		t.line("  %s %s  %s", m, f.What, t.dim(from))
		t.pair("predicted", f.Predicted)
		t.pair("shown", f.Shown)
	case length+2+utf8.RuneCountInString(from) <= textWidth:
		t.line("  %s %s  %s", m, one, t.dim(from))
	default:
		t.line("  %s %s", m, one)
		t.line("      %s", t.dim(from))
	}
}

// pair writes lines behind a word.
func (t *textPage) pair(word, text string) {
	if text == "" {
		return
	}
	for _, line := range strings.Split(text, "\n") {
		for _, part := range wrapText(line, textWidth-16) {
			t.line("      %-9s %s", word, part)
			word = ""
		}
	}
}

// end shows the answer.
func (t *textPage) end(r *explain.Report) {
	n := 0
	for _, s := range r.Steps {
		if s.Agree {
			n++
		}
	}
	switch {
	case r.Agree:
		t.line("%s", t.green(fmt.Sprintf("All %d steps agree.", n)))
	default:
		t.line("%s", t.red(fmt.Sprintf("%d of %d steps disagree; they are marked with !.", len(r.Steps)-n, len(r.Steps))))
	}
	t.wrapped(0, r.Answer)
}

// coloured puts text between escape sequences where colours are wanted.
func (a *app) coloured(code, text string) string {
	if !a.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (a *app) dim(text string) string   { return a.coloured("2", text) }
func (a *app) red(text string) string   { return a.coloured("1;31", text) }
func (a *app) green(text string) string { return a.coloured("32", text) }
