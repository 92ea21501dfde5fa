package top

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
)

var sizes = [][2]int{{80, 24}, {40, 10}, {200, 60}}

func TestTheListAtThreeSizes(t *testing.T) {
	for _, size := range sizes {
		golden(t, fmt.Sprintf("list-%dx%d", size[0], size[1]), drawn(t, viewOf(zoo()), size[0], size[1]))
	}
}

func TestALookAtThreeSizes(t *testing.T) {
	for _, size := range sizes {
		v := viewOf(zoo())
		press(v, "/numbers<Enter>")
		if got := press(v, "<Enter>"); got != LookNow {
			t.Fatalf("Enter asks for %v", got)
		}
		if text := drawn(t, v, size[0], size[1]); !strings.Contains(text, "looking ...") {
			t.Errorf("before there is an answer:\n%s", text)
		}
		i, _ := v.Looking()
		v.Look(Looked{ID: i.ID, Lines: []string{"topic:numbers", "  type        []uint8", "  publishers  1", "  SLOT  PID  COMMAND  ALIVE  HOLDS      WAITING  JOINED",
			"     0  901  camera   yes    publisher        0  11:58"}})
		golden(t, fmt.Sprintf("look-%dx%d", size[0], size[1]), drawn(t, v, size[0], size[1]))
	}
}

func TestHelpAtThreeSizes(t *testing.T) {
	for _, size := range sizes {
		v := viewOf(zoo())
		press(v, "?")
		golden(t, fmt.Sprintf("help-%dx%d", size[0], size[1]), drawn(t, v, size[0], size[1]))
	}
}

func TestHelpFitsATerminal(t *testing.T) {
	for _, line := range helpLines() {
		if n := wide(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// What no row has leaves its room to addresses, unless it is sorted by.
func TestColumnsOfNoRowAreLeftOut(t *testing.T) {
	const address = "posix:/a.name.that.needs.so.much.room"
	plainItem := item(address)
	plainItem.Command = "somebody"
	v := viewOf(sampleAt(0, plainItem), sampleAt(1, plainItem))
	text := drawn(t, v, 80, 10)
	if !strings.Contains(text, address+" ") || strings.Contains(text, "MSG/s") || strings.Contains(text, "WAIT") || !strings.Contains(text, "USE") {
		t.Errorf("\n%s", text)
	}
	v.Sort = "waiters"
	if text := drawn(t, v, 80, 10); !strings.Contains(text, "WAIT") {
		t.Errorf("it is sorted by waiters:\n%s", text)
	}
	for _, c := range []struct {
		heading string
		set     func(*Item)
	}{
		{"MSG/s", func(i *Item) { i.Sent = Of(7) }}, {"DEPTH", func(i *Item) { i.Depth = Of(0) }},
		{"HOLD", func(i *Item) { i.Holders = Of(0) }}, {"WAIT", func(i *Item) { i.Waiters = Of(0) }},
	} {
		other := item("x:1")
		c.set(&other)
		if text := drawn(t, viewOf(sampleAt(0, plainItem, other), sampleAt(1, plainItem, other)), 80, 10); !strings.Contains(text, c.heading) {
			t.Errorf("%s:\n%s", c.heading, text)
		}
	}
}

// Where there is room for them addresses stand whole, and commands as well.
func TestLongAddressesOnAWideScreen(t *testing.T) {
	long := item("posix:/" + strings.Repeat("long", 18))
	long.Command = "somebody"
	for width, whole := range map[int]bool{200: true, 175: true, 120: false} {
		text := drawn(t, viewOf(sampleAt(0, long), sampleAt(1, long)), width, 10)
		if strings.Contains(text, long.Address+" ") != whole || !strings.Contains(text, "somebody") {
			t.Errorf("%d columns:\n%s", width, text)
		}
	}
}

// No size makes it panic, or write beside the screen, and each shows the row that is marked
// as long as there is a line.
func TestEverySmallScreenIsDrawn(t *testing.T) {
	for _, width := range []int{0, 1, 2, 3, 7, 8, 9, 13, 20, 29} {
		for height := range 12 {
			for _, keys := range []string{"", "<End>", "?", "/x", "i", "<Enter>"} {
				v := viewOf(zoo())
				v.Resize(width, height)
				press(v, keys)
				text := drawn(t, v, width, height)
				if got := strings.Count(text, "\n"); got != height {
					t.Fatalf("%d×%d: %d lines", width, height, got)
				}
				for line := range strings.Lines(text) {
					if n := wide(strings.TrimSuffix(line, "\n")); n > width {
						t.Fatalf("%d×%d: a line of %d: %q", width, height, n, line)
					}
				}
				if keys == "<End>" && width > 8 && height > 0 && !strings.Contains(text, "sem") {
					t.Fatalf("%d×%d: the last row, which is marked, is not there:\n%s", width, height, text)
				}
			}
		}
	}
}

func TestWhatIsSortedByIsShownHoweverNarrowItIs(t *testing.T) {
	for _, c := range columns {
		if c.Heading == "" || c.Name == "command" {
			continue
		}
		v := viewOf(zoo())
		v.Sort = c.Name
		if text := drawn(t, v, 30, 10); !strings.Contains(text, c.Heading) {
			t.Errorf("%s is not there:\n%s", c.Heading, text)
		}
	}
}

func TestWithoutColoursThereAreNone(t *testing.T) {
	for _, colour := range []bool{false, true} {
		s := tcell.NewSimulationScreen("UTF-8")
		if err := s.Init(); err != nil {
			t.Fatal(err)
		}
		defer s.Fini()
		v := viewOf(zoo())
		v.Colour = colour
		v.Fail(errors.New("no /proc"))
		v.Draw(s)
		s.Show()
		coloured, markedCells := 0, 0
		cells, _, _ := s.GetContents()
		for _, c := range cells {
			fg, bg, attr := c.Style.Decompose()
			if fg != tcell.ColorDefault || bg != tcell.ColorDefault {
				coloured++
			}
			if attr&tcell.AttrReverse != 0 {
				markedCells++
			}
		}
		if (coloured > 0) != colour || markedCells != 80 {
			t.Errorf("colour %t: %d cells have colours, %d are marked", colour, coloured, markedCells)
		}
	}
}

// Names are what others chose. Whatever they hold, the columns beside them stand where they
// stand beside other names, and nothing but printable characters comes to the terminal.
func TestHostileNamesDoNotBreakTheScreen(t *testing.T) {
	for _, name := range hostile {
		i := item("posix:/" + name)
		i.Size, i.Resident, i.Command, i.Owner, i.Marks = 4096, Of(7168), name, name, []string{name}
		for _, width := range []int{20, 40, 80, 200} {
			v := viewOf(nil, sampleAt(1, i, item("posix:/harmless")))
			v.Filter = name
			v.choose()
			v.Filter = ""
			v.choose()
			text := drawn(t, v, width, 10)
			isPlain(t, text)
			lines := strings.Split(text, "\n")
			if width >= 40 {
				at := func(line, column string) int {
					before, _, found := strings.Cut(line, column)
					if !found {
						t.Fatalf("%q: no %q in\n%s", name, column, text)
					}
					return wide(before)
				}
				if got, want := at(lines[3], "   7K "), at(lines[2], "RESv"); got+1 != want {
					t.Errorf("%q at %d: resident stands at %d, its heading at %d:\n%s", name, width, got, want, text)
				}
			}
			press(v, "<Enter>")
			looked, _ := v.Looking()
			v.Look(Looked{ID: looked.ID, Lines: []string{name, "last line"}, Err: nil})
			if text := drawn(t, v, width, 10); !strings.Contains(text, "\nlast line\n") {
				t.Errorf("%q: a line behind it is gone:\n%s", name, text)
			}
			isPlain(t, drawn(t, v, width, 10))
			v.Look(Looked{ID: looked.ID, Err: errors.New(name)})
			isPlain(t, drawn(t, v, width, 10))
			press(v, "<Esc>/"+name)
			isPlain(t, drawn(t, v, width, 10))
			v.Fail(errors.New(name))
			press(v, "<Enter>")
			isPlain(t, drawn(t, v, width, 10))
		}
	}
}

// isPlain fails if something is on a screen that may be more than text.
func isPlain(t *testing.T, screen string) {
	t.Helper()
	for line := range strings.Lines(screen) {
		if line = strings.TrimSuffix(line, "\n"); plain(line) != line {
			t.Fatalf("%q on the screen:\n%s", line, screen)
		}
	}
}

var hostile = []string{
	"\x1b[2J\x1b[31mred", "\x1b]0;title\a", "\u009b31m", "a\nb\r\tc", "\x7f\x00\b\b\b", "\xff\xfe", "\u202egnirts", "\u200b\u200d\ufeff",
	"e" + strings.Repeat("\u0301", 500), "\u0301\u0301", "日本語の名前日本語の名前日本語の名前日本語の名前", "한국어", "🇩🇪🇫🇷", "👩\u200d👩\u200d👧", "☺\ufe0f☺\ufe0f", "क्षि",
	strings.Repeat("x", 5000), "\u1100\u1161\u11a8", "ＷＩＤＥ", "\u2028\u2029", "\U000e0001\U000e0041", "שלום",
}

func TestAnObjectThatGoesWhileItIsLookedInto(t *testing.T) {
	before, now := zoo()
	v := viewOf(before, now)
	press(v, "/posix:<Enter><Enter>")
	i, is := v.Looking()
	if !is || i.Address != "posix:/frames" {
		t.Fatalf("looks into %+v", i)
	}
	v.Look(Looked{ID: i.ID, Lines: []string{"posix:/frames", "  size  8M"}})
	other := item("posix:/frames") // of the same name
	other.ID.Inode = 99
	later := sampleAt(3, other)
	v.Show(Compare(now, later))
	text := drawn(t, v, 80, 24)
	if !strings.Contains(text, "gone since 12:00:03; this was seen last:") || !strings.Contains(text, "size  8M") {
		t.Errorf("gone:\n%s", text)
	}
	// It was only seen to be gone, and what comes late does not change when.
	v.Look(Looked{ID: i.ID, At: later.At.Add(time.Second), Err: fs.ErrNotExist})
	if text := drawn(t, v, 80, 24); !strings.Contains(text, "gone since 12:00:03") {
		t.Errorf("later:\n%s", text)
	}
	press(v, "<Esc>")
	if text := drawn(t, v, 80, 24); strings.Contains(text, "gone") || !strings.Contains(text, "posix:/frames") {
		t.Errorf("the list has the other one:\n%s", text)
	}
	// An answer about one that is not looked into any more.
	press(v, "<Enter>")
	v.Look(Looked{ID: i.ID, Lines: []string{"of the old one"}})
	if text := drawn(t, v, 80, 24); strings.Contains(text, "old one") || strings.Contains(text, "gone") {
		t.Errorf("the new one:\n%s", text)
	}
	other, _ = v.Looking()
	v.Look(Looked{ID: other.ID, At: noon, Err: fmt.Errorf("posix:/frames: %w", fs.ErrNotExist)})
	if text := drawn(t, v, 80, 24); !strings.Contains(text, "gone since 12:00:00") {
		t.Errorf("the look saw it first:\n%s", text)
	}
	// A look that fails says why, and is tried again.
	press(v, "<Esc><Enter>")
	v.Look(Looked{ID: other.ID, Err: errors.New("no permission")})
	if text := drawn(t, v, 80, 24); !strings.Contains(text, "could not be looked at: no permission") {
		t.Errorf("a failure:\n%s", text)
	}
}

func TestWhyThereIsNothingIsSaid(t *testing.T) {
	v := NewView(Choice{Sort: "resident"}, time.Second)
	see := func(want string) {
		t.Helper()
		if text := drawn(t, v, 80, 24); !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	see("looking ...")
	v.Fail(errors.New("no /proc"))
	see("could not look: no /proc")
	v.Show(Compare(nil, sampleAt(0)))
	see("there is none")
	v.Show(Compare(nil, many(3)))
	press(v, "/nothing is called so<Enter>")
	see("none is chosen; Escape shows all")
	press(v, "<Esc>")
	see("object-0002")
}
