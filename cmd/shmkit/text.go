package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// textWidth is how wide text is at most.
const textWidth = 79

// wrapText breaks a text between words into lines of at most so many characters. A word
// that is longer is broken in itself.
func wrapText(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		for utf8.RuneCountInString(word) > width {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			r := []rune(word)
			lines, word = append(lines, string(r[:width])), string(r[width:])
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// paragraph writes text in lines, with a label in front of the first.
func paragraph(w io.Writer, label, indent, text string) {
	n := utf8.RuneCountInString(label)
	for i, line := range wrapText(oneLine(text), textWidth-len(indent)-n) {
		if i > 0 {
			label = strings.Repeat(" ", n)
		}
		fmt.Fprintln(w, indent+label+line)
	}
}
