package top

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// mostMarks is how many marks may stand over one letter. No language needs more; a name
// that is made to be a nuisance has hundreds.
const mostMarks = 2

// plain makes one line of printable characters of any text. What is escaped is not for
// the screen: controls, what turns the direction of writing or has no width, marks with
// no letter below, and selectors, of whose width terminals are not agreed.
func plain(text string) string {
	if isASCII(text) {
		return text
	}
	var b strings.Builder
	marks := mostMarks // none at the beginning
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
			marks = 0
		case unicode.Is(unicode.M, r) && (marks == mostMarks || unicode.Is(unicode.Variation_Selector, r)), !unicode.IsPrint(r):
			q := fmt.Sprintf("%+q", r)
			b.WriteString(q[1 : len(q)-1])
		case unicode.Is(unicode.M, r):
			marks++
			b.WriteRune(r)
		default:
			marks = 0
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// wide is how many cells a plain text takes.
func wide(text string) int {
	if isASCII(text) {
		return len(text)
	}
	return uniseg.StringWidth(text)
}

// cut is as much of a plain text as has room in so many cells; a tilde stands for the
// rest.
func cut(text string, cells int) string {
	if cells <= 0 {
		return ""
	}
	if wide(text) <= cells {
		return text
	}
	head, _ := split(text, cells-1)
	return head + "~"
}

// cutInside is cut that keeps the end as well, by which paths differ.
func cutInside(text string, cells int) string {
	n := wide(text)
	if n <= cells || cells < 8 {
		return cut(text, cells)
	}
	head, tail := split(text, cells/3)
	for left, drop := 0, n-cells+1; tail != "" && left < drop; {
		var cluster string
		cluster, tail = first(tail)
		left += wide(cluster)
	}
	return head + "~" + tail
}

// first is the first of what stands in cells of its own, and the rest.
func first(text string) (cluster, rest string) {
	cluster, rest, _, _ = uniseg.FirstGraphemeClusterInString(text, -1)
	return cluster, rest
}

// split splits a plain text behind at most so many cells.
func split(text string, cells int) (head, tail string) {
	at, used, state := 0, 0, -1
	rest := text
	for rest != "" {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if used+w > cells {
			break
		}
		used += w
		at += len(cluster)
	}
	return text[:at], text[at:]
}

// padded is a plain text in just so many cells.
func padded(text string, cells int, right bool) string {
	text = cut(text, cells)
	gap := strings.Repeat(" ", max(cells-wide(text), 0))
	if right {
		return gap + text
	}
	return text + gap
}
