package top

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"
)

// prompt is a line that is being typed at the bottom of the screen.
type prompt struct {
	label, text string
	change      func(text string)       // at each key
	done        func(text string) error // at the end; an error is shown, and typing goes on
	cancel      func()
	err         error
}

// longestTyped bounds what is typed, in bytes.
const longestTyped = 200

// key takes a key, and reports whether the prompt is done with.
func (p *prompt) key(k tcell.Event) (over bool) {
	e, ok := k.(*tcell.EventKey)
	if !ok {
		return false
	}
	before := p.text
	p.err = nil
	switch e.Key() {
	case tcell.KeyEnter:
		p.err = p.done(p.text)
		return p.err == nil
	case tcell.KeyEscape, tcell.KeyCtrlG:
		p.cancel()
		return true
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		if p.text == "" {
			p.cancel()
			return true
		}
		_, n := utf8.DecodeLastRuneInString(p.text)
		p.text = p.text[:len(p.text)-n]
	case tcell.KeyCtrlU:
		p.text = ""
	case tcell.KeyCtrlW:
		p.text = p.text[:strings.LastIndex(strings.TrimRight(p.text, " "), " ")+1]
	case tcell.KeyRune:
		if unicode.IsPrint(e.Rune()) && len(p.text) < longestTyped && e.Modifiers()&(tcell.ModAlt|tcell.ModCtrl|tcell.ModMeta) == 0 {
			p.text += string(e.Rune())
		}
	}
	if p.text != before && p.change != nil {
		p.change(p.text)
	}
	return false
}

// askFilter lets the filter be typed. The list follows at each key.
func (v *View) askFilter() {
	was := v.Filter
	set := func(text string) { v.Filter = text; v.choose() }
	v.prompt = &prompt{label: "filter: ", text: was, change: set,
		done:   func(text string) error { set(text); return nil },
		cancel: func() { set(was) }}
}

// askInterval lets the interval be typed.
func (v *View) askInterval() {
	v.prompt = &prompt{label: "interval: ", text: v.Interval.String(), cancel: func() {},
		done: func(text string) error {
			d, err := ParseInterval(text)
			if err == nil {
				v.Interval = d
			}
			return err
		}}
}

// Bounds of the interval.
const (
	ShortestInterval = 100 * time.Millisecond
	LongestInterval  = 24 * time.Hour
)
