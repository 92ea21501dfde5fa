package top

import "github.com/gdamore/tcell/v2"

// Styles. Without colours they are told apart by bold and reverse.
type style int

const (
	normal style = iota
	strong
	heading
	marked
	alert
	quiet
)

// painter puts text on a screen: what is somebody else's as plain text, and never more
// than there is room for.
type painter struct {
	screen        tcell.Screen
	width, height int
	colour        bool
}

func (p *painter) style(s style) tcell.Style {
	t := tcell.StyleDefault
	switch s {
	case strong:
		return t.Bold(true)
	case heading:
		return t.Bold(true).Underline(true)
	case marked:
		return t.Reverse(true)
	case alert:
		if p.colour {
			t = t.Foreground(tcell.ColorRed)
		}
		return t.Bold(true)
	case quiet:
		return t.Dim(p.colour)
	}
	return t
}

// line writes one line of any text, over all of its width.
func (p *painter) line(y int, text string, s style) {
	if y < 0 || y >= p.height {
		return
	}
	p.screen.PutStrStyled(0, y, padded(plain(text), p.width, false), p.style(s))
}
