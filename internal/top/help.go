package top

import (
	"fmt"
	"slices"
)

var keysHelp = []string{
	"q, Ctrl-C         quit             Ctrl-Z  stop until fg   Ctrl-L  draw again",
	"arrows, k j, PgUp PgDn, Home End   move",
	"Enter             look into the object, and back; arrows move there",
	"/                 show only what has a text in it; Escape shows all",
	"Tab, Shift-Tab    show only one kind, the next, the one before",
	"< >               sort by the column before, or behind",
	"r                 sort the other way around",
	"a                 show files that are only read, such as libraries, as well",
	"space             pause, and go on",
	"i                 change the interval",
	"",
	"Columns, and the key that sorts by each; those that there is room for are shown:",
}

// helpLines are the lines of the help screen.
func helpLines() []string {
	lines := slices.Clone(keysHelp)
	for _, c := range columns {
		key := " "
		if c.key != 0 {
			key = string(c.key)
		}
		lines = append(lines, fmt.Sprintf("  %s  %-8s %-8s  %s", key, c.Name, c.Heading, c.Means))
	}
	return append(lines, "", `"-" is what is not known: there is no such thing, or this user may not know it,`,
		"or it began only now. A rate is about the time since the list before.")
}
