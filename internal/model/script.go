package model

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// A Script is a list of operations, each perhaps with the outcome that is expected. In a
// file it is a line an operation:
//
//	# a comment, which belongs to the line below
//	A store addr=0 val=7 => SIGBUS
type Script []Step

// A Step is one line of a Script.
type Step struct {
	Comment string // the lines of comment before it, without their marks
	Op      Op
	Want    string // Outcome.String; empty: whatever the model says
}

// ParseScript reads a script. A comment behind the last operation is not kept.
func ParseScript(r io.Reader) (Script, error) {
	var s Script
	var comment []string
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		text, isComment := strings.CutPrefix(line, "#")
		switch {
		case isComment:
			comment = append(comment, strings.TrimSpace(text))
			continue
		case line == "":
			continue
		}
		text, want, _ := strings.Cut(line, "=>")
		op, err := ParseOp(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		s = append(s, Step{strings.Join(comment, "\n"), op, strings.TrimSpace(want)})
		comment = nil
	}
	return s, lines.Err()
}

// String returns the text form.
func (s Script) String() string {
	var b strings.Builder
	for _, step := range s {
		if step.Comment != "" {
			b.WriteString("# " + strings.ReplaceAll(step.Comment, "\n", "\n# ") + "\n")
		}
		b.WriteString(step.Op.String())
		if step.Want != "" {
			b.WriteString(" => " + step.Want)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Run executes the script on the model.
func (s Script) Run(w *World) []Outcome {
	var all []Outcome
	for _, step := range s {
		all = append(all, w.Do(step.Op))
	}
	return all
}
