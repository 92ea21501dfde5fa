package report

import (
	"strings"

	"github.com/shmkit/shmkit/internal/bench"
)

// A look is how a way is drawn: class names of the page's style, and a mark.
type look struct {
	class string
	mark  mark
}

// A mark is the form of a point.
type mark int

const (
	disc mark = iota
	ring      // not filled: a variant of a way that has a disc
	square
	triangle
	diamond
	wedge
	cross
	plus
)

// Marks of the kernel's ways. hues is how many colours the page has for ours.
var marksOfKernel = []mark{disc, square, triangle, diamond, wedge, cross, plus}

const hues = 5

// looks are those of ways by name.
type looks map[string]look

func (l looks) of(r *bench.Row) look {
	if r.Yardstick { // which may be a way elsewhere
		return look{"yard", disc}
	}
	return l[r.Way]
}

// looksOf gives each way of some rows its look, the same one in all charts. "topic loan" is
// a variant of "topic": it has its colour.
func looksOf(rows []*bench.Row) looks {
	all := looks{}
	hue := map[string]int{}
	kernel := 0
	for _, r := range rows {
		if _, known := all[r.Way]; known || r.Yardstick {
			continue
		}
		switch {
		case r.Ours:
			family, _, _ := strings.Cut(r.Way, " ")
			n, variant := hue[family]
			if !variant {
				n = len(hue) % hues
				hue[family] = n
			}
			l := look{"ours h" + string(rune('0'+n)), disc}
			if variant {
				l.mark = ring
			}
			all[r.Way] = l
		default:
			all[r.Way] = look{"kernel", marksOfKernel[kernel%len(marksOfKernel)]}
			kernel++
		}
	}
	return all
}
