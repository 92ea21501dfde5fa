package main

import (
	"fmt"
	"os"
	"strings"
)

// readme is the file that has the screens, each between two marks:
//
//	<!-- screen NAME: made by `make screens` -->
//	…
//	<!-- end of screen -->
const readme = "README.md"

const endMark = "<!-- end of screen -->"

func beginMark(name string) string {
	return fmt.Sprintf("<!-- screen %s: made by `make screens` -->", name)
}

// A document is the text of the README.
type document struct{ text string }

func openReadme() (*document, error) {
	b, err := os.ReadFile(readme)
	return &document{string(b)}, err
}

// put replaces what stands between the marks of a screen.
func (d *document) put(name, text string) error {
	before, rest, found := strings.Cut(d.text, beginMark(name)+"\n")
	if !found {
		return fmt.Errorf("%s has no line %s", readme, beginMark(name))
	}
	_, after, found := strings.Cut(rest, endMark)
	if !found {
		return fmt.Errorf("%s: screen %s has no end: %s", readme, name, endMark)
	}
	d.text = before + beginMark(name) + "\n" + text + endMark + after
	return nil
}

func (d *document) write() error { return os.WriteFile(readme, []byte(d.text), 0o644) }
