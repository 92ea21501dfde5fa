package top

import (
	"slices"

	"github.com/gdamore/tcell/v2"
)

// Command is what a key asks of whoever runs the view.
type Command int

// Commands. The first is nothing.
const (
	Nothing Command = iota
	Quit
	Interrupt // Ctrl-C
	Suspend   // Ctrl-Z
	Redraw
	LookNow
)

// Key does what a key says.
func (v *View) Key(k *tcell.EventKey) Command {
	switch k.Key() { // whatever is on the screen
	case tcell.KeyCtrlC:
		return Interrupt
	case tcell.KeyCtrlZ:
		return Suspend
	case tcell.KeyCtrlL:
		return Redraw
	}
	if v.prompt != nil {
		if v.prompt.key(k) {
			v.prompt = nil
		}
		return Nothing
	}
	if k.Key() == tcell.KeyRune {
		switch k.Rune() {
		case 'q', 'Q':
			return Quit
		case ' ', 'p':
			v.Paused = !v.Paused
			return Nothing
		case 'i':
			v.askInterval()
			return Nothing
		}
	}
	switch v.mode {
	case looking:
		return v.lookKey(k)
	case helping:
		if n, ok := v.step(k, v.help.offset, len(helpLines()), v.window()); ok {
			v.help.move(n-v.help.offset, len(helpLines()), v.window())
		} else {
			v.mode = v.behind
		}
		return Nothing
	}
	return v.listKey(k)
}

// step is where a key moves to from n of count, by single steps or by windows.
func (v *View) step(k *tcell.EventKey, n, count, window int) (to int, ok bool) {
	key, r := k.Key(), rune(0)
	if key == tcell.KeyRune {
		r = k.Rune()
	}
	switch {
	case key == tcell.KeyUp || key == tcell.KeyCtrlP || r == 'k':
		n--
	case key == tcell.KeyDown || key == tcell.KeyCtrlN || r == 'j':
		n++
	case key == tcell.KeyPgUp || key == tcell.KeyCtrlB:
		n -= max(window-1, 1)
	case key == tcell.KeyPgDn || key == tcell.KeyCtrlF:
		n += max(window-1, 1)
	case key == tcell.KeyHome || r == 'g':
		n = 0
	case key == tcell.KeyEnd || r == 'G':
		n = count - 1
	default:
		return n, false
	}
	return max(min(n, count-1), 0), true
}

func (v *View) listKey(k *tcell.EventKey) Command {
	if n, ok := v.step(k, v.cursor, len(v.rows), v.window()); ok {
		v.move(n)
		return Nothing
	}
	switch k.Key() {
	case tcell.KeyEnter, tcell.KeyRight:
		if r := v.marked(); r != nil {
			v.open(r)
			return LookNow
		}
	case tcell.KeyTab:
		v.nextKind(1)
	case tcell.KeyBacktab:
		v.nextKind(-1)
	case tcell.KeyEscape:
		v.Filter, v.Kind = "", ""
		v.choose()
	case tcell.KeyF1:
		v.openHelp()
	case tcell.KeyRune:
		v.listRune(k.Rune())
	}
	return Nothing
}

func (v *View) listRune(r rune) {
	switch r {
	case '?', 'h':
		v.openHelp()
	case '/':
		v.askFilter()
	case 'r':
		v.Reverse = !v.Reverse
		v.choose()
	case 'a':
		v.All = !v.All
		v.choose()
	case '<':
		v.nextSort(-1)
	case '>':
		v.nextSort(1)
	default:
		if at := slices.IndexFunc(columns, func(c Column) bool { return c.key == r }); at >= 0 {
			v.sortBy(columns[at].Name)
		}
	}
}

// sortBy sorts by a column, or the other way around if that is so already.
func (v *View) sortBy(name string) {
	v.Reverse = v.Sort == name && !v.Reverse
	v.Sort = name
	v.choose()
}

func (v *View) nextSort(by int) {
	n := len(columns)
	v.Sort, v.Reverse = columns[(max(column(v.Sort), 0)+by+n)%n].Name, false
	v.choose()
}

// nextKind goes through all, and each of the kinds that there are.
func (v *View) nextKind(by int) {
	if v.frame == nil {
		return
	}
	kinds := append([]string{""}, v.frame.Kinds()...)
	at := max(slices.Index(kinds, v.Kind), 0)
	v.Kind = kinds[(at+by+len(kinds))%len(kinds)]
	v.choose()
}

// sideways is how far an arrow moves what is wider than the screen.
const sideways = 8

func (v *View) lookKey(k *tcell.EventKey) Command {
	l := &v.look
	if n, ok := v.step(k, l.offset, len(l.lines), v.window()); ok {
		l.move(n-l.offset, len(l.lines), v.window())
		return Nothing
	}
	switch k.Key() {
	case tcell.KeyLeft:
		if l.right == 0 {
			v.mode = listing
		}
		l.right = max(l.right-sideways, 0)
	case tcell.KeyRight:
		l.right = min(l.right+sideways, max(l.widest()-v.width, 0))
	case tcell.KeyEnter, tcell.KeyEscape, tcell.KeyBackspace, tcell.KeyBackspace2:
		v.mode = listing
	case tcell.KeyF1:
		v.openHelp()
	case tcell.KeyRune:
		if r := k.Rune(); r == '?' || r == 'h' {
			v.openHelp()
		}
	}
	return Nothing
}

// widest is how wide its lines are.
func (l *look) widest() (n int) {
	for _, line := range l.lines {
		n = max(n, wide(plain(line)))
	}
	return n
}

func (v *View) openHelp() { v.mode, v.behind, v.help = helping, v.mode, scroll{} }
