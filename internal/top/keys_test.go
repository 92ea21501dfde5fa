package top

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"pgregory.net/rapid"
)

// addresses are those of the rows, in their order.
func addresses(v *View) (all []string) {
	for _, r := range v.rows {
		all = append(all, r.Address)
	}
	return all
}

func TestKeysSort(t *testing.T) {
	v := viewOf(zoo())
	for _, c := range []struct{ keys, sort, first, last string }{
		{"", "resident", "map:812/7f12a0000000", "sem:id=0"},
		{"r", "resident", "lock:backup", "sem:id=0"}, // what is not known stays at the end
		{"M", "resident", "map:812/7f12a0000000", "sem:id=0"},
		{"M", "resident", "lock:backup", "sem:id=0"},
		{"A", "address", "file:/var/lib/index.db", "topic:numbers"},
		{"A", "address", "topic:numbers", "file:/var/lib/index.db"},
		{"K", "kind", "file:/var/lib/index.db", "topic:numbers"},
		{">", "owner", "posix:/frames", "topic:numbers"},
		{">", "size", "file:/var/lib/index.db", "sem:id=0"},
		{"<<<<", "command", "sem:id=0", "lock:backup"},
		{">", "address", "file:/var/lib/index.db", "topic:numbers"},
		{"T", "messages", "topic:numbers", "sysv:id=3"},
		{"C", "change", "sysv:id=3", "sem:id=0"},
		{"W", "waiters", "lock:backup", "sysv:id=3"},
	} {
		press(v, c.keys)
		all := addresses(v)
		if v.Sort != c.sort || all[0] != c.first || all[len(all)-1] != c.last {
			t.Errorf("%q: by %s: %v, want by %s from %s to %s", c.keys, v.Sort, all, c.sort, c.first, c.last)
		}
	}
}

func TestEachColumnHasAKeyOfItsOwn(t *testing.T) {
	seen := map[rune]bool{}
	for _, c := range columns {
		if c.key == 0 {
			continue
		}
		if seen[c.key] {
			t.Errorf("%c sorts by two columns", c.key)
		}
		seen[c.key] = true
		v := viewOf(zoo())
		v.Sort = "marks"
		press(v, string(c.key))
		if v.Sort != c.Name {
			t.Errorf("%c sorts by %s, not by %s", c.key, v.Sort, c.Name)
		}
		if v.mode != listing || v.prompt != nil || v.Paused {
			t.Errorf("%c does something else as well", c.key)
		}
	}
}

func TestTheFilterFollowsWhatIsTyped(t *testing.T) {
	v := viewOf(zoo())
	for _, c := range []struct{ keys, want string }{
		{"/pOsT", "map:812/7f12a0000000 sysv:id=3"}, // the command
		{"<Back><Back><Back><Back>num", "topic:numbers"},
		{"<C-u>", "map:812/7f12a0000000 sysv:id=3 posix:/frames topic:numbers lock:backup file:/var/lib/index.db sem:id=0"},
		{"nobody x<C-w><Back>", "file:/var/lib/index.db"}, // the owner; q and the like are text here
		{"<Enter>", "file:/var/lib/index.db"},
		{"/broken", ""},
		{"<C-u>broken", "lock:backup"}, // marks
		{"<Esc>", "file:/var/lib/index.db"},
		{"<Esc>/quit", ""},
	} {
		press(v, c.keys)
		if got := strings.Join(addresses(v), " "); got != c.want {
			t.Errorf("%q: %s, want %s", c.keys, got, c.want)
		}
	}
	if text := drawn(t, v, 80, 24); !strings.Contains(text, "\nfilter: quit\n") {
		t.Errorf("what is typed is not seen:\n%s", text)
	}
}

func TestTabGoesThroughTheKindsThatThereAre(t *testing.T) {
	v := viewOf(zoo())
	var seen []string
	for range 9 {
		seen = append(seen, v.Kind)
		for _, r := range v.rows {
			if v.Kind != "" && r.Kind != v.Kind {
				t.Errorf("%s among %s", r.Address, v.Kind)
			}
		}
		press(v, "<Tab>")
	}
	if want := []string{"", "file", "lock", "map", "posix", "sem", "sysv", "topic", ""}; !slices.Equal(seen, want) {
		t.Errorf("%q, want %q", seen, want)
	}
	press(v, "<Backtab>")
	if v.Kind != "" {
		t.Errorf("back is %q", v.Kind)
	}
	press(v, "<Backtab>")
	if v.Kind != "topic" {
		t.Errorf("back again is %q", v.Kind)
	}
}

func TestTheIntervalIsTyped(t *testing.T) {
	v := viewOf(zoo())
	press(v, "i<C-u>0.5<Enter>")
	if v.Interval != 500*time.Millisecond || v.prompt != nil {
		t.Errorf("%v", v.Interval)
	}
	for _, wrong := range []string{"50ms", "0", "-1", "1e99", "NaN", "soon", "", "25h"} {
		press(v, "i<C-u>"+wrong+"<Enter>")
		if v.prompt == nil || v.prompt.err == nil || v.Interval != 500*time.Millisecond {
			t.Fatalf("%q is taken: %v", wrong, v.Interval)
		}
		if text := drawn(t, v, 80, 24); !strings.Contains(text, "interval") {
			t.Errorf("nothing is said:\n%s", text)
		}
		press(v, "<Esc>")
	}
	press(v, "i<C-u>3s<Esc>")
	if v.Interval != 500*time.Millisecond {
		t.Errorf("Escape takes it: %v", v.Interval)
	}
	press(v, "i<C-u>100ms<Enter>")
	if v.Interval != ShortestInterval {
		t.Errorf("%v", v.Interval)
	}
}

func TestWhatKeysAskFor(t *testing.T) {
	for keys, want := range map[string]Command{
		"q": Quit, "Q": Quit, "<C-c>": Interrupt, "<C-z>": Suspend, "<C-l>": Redraw, "x": Nothing, "<Enter>": LookNow, "<Right>": LookNow,
		"?q": Quit, "<Enter>q": Quit, "/q": Nothing, "/<C-c>": Interrupt, "?<C-z>": Suspend, "/<Enter>q": Quit, "<Enter><Esc>q": Quit,
	} {
		if got := press(viewOf(zoo()), keys); got != want {
			t.Errorf("%q asks for %v, want %v", keys, got, want)
		}
	}
	if got := press(viewOf(nil, sampleAt(0)), "<Enter>"); got != Nothing {
		t.Errorf("where there is nothing to look into: %v", got)
	}
}

func TestHelpGoesBackToWhereItCameFrom(t *testing.T) {
	v := viewOf(zoo())
	press(v, "?x")
	if v.mode != listing {
		t.Errorf("from the list to %v", v.mode)
	}
	press(v, "<Enter>?")
	if _, is := v.Looking(); !is {
		t.Error("behind help nobody looks")
	}
	press(v, "x")
	if v.mode != looking {
		t.Errorf("from a look to %v", v.mode)
	}
}

func TestPause(t *testing.T) {
	v := viewOf(zoo())
	press(v, " ")
	if !v.Paused || !strings.Contains(drawn(t, v, 80, 24), "paused") {
		t.Error("not paused")
	}
	press(v, " ")
	if v.Paused {
		t.Error("paused")
	}
}

// The marked row is the object that somebody chose, wherever it comes to stand.
func TestTheMarkFollowsItsObject(t *testing.T) {
	v := viewOf(zoo())
	press(v, "<Down><Down>")
	was := v.marked().Address
	press(v, "A")
	if got := v.marked().Address; got != was {
		t.Errorf("it was on %s, and is on %s", was, got)
	}
	_, now := zoo()
	now.Items = slices.DeleteFunc(now.Items, func(i Item) bool { return i.Address == was })
	at := v.cursor
	v.Show(Compare(nil, now))
	if v.cursor != at {
		t.Errorf("its object has gone: it moves from %d to %d", at, v.cursor)
	}
	// At the first place it stays there, whoever has it.
	press(v, "<Home>T")
	if v.cursor != 0 {
		t.Errorf("first is %d", v.cursor)
	}
}

func TestTheWindowMovesOnlyWhenTheMarkLeavesIt(t *testing.T) {
	v := viewOf(nil, many(100))
	drawn(t, v, 80, 24)
	for _, c := range []struct {
		keys   string
		offset int
	}{{"<End>", 80}, {"<Up><Up>", 80}, {"<PgUp>", 78}, {"<Down>", 78}, {"<Home>", 0}, {"<Down><Down>", 0}, {"<PgDn>", 2}} {
		press(v, c.keys)
		drawn(t, v, 80, 24)
		if v.offset != c.offset {
			t.Errorf("%s: row %d is marked, and the window begins at %d, not at %d", c.keys, v.cursor, v.offset, c.offset)
		}
	}
}

// Whatever is pressed, shown and resized: the mark is on a row, and in the window.
func TestTheMarkStaysInBounds(t *testing.T) {
	keys := []string{"<Up>", "<Down>", "<PgUp>", "<PgDn>", "<Home>", "<End>", "k", "j", "g", "G", "r", "A", "/9<Enter>", "<Esc>", "<Tab>", "<Enter>", "<Left>", "<Right>", "?"}
	s := tcell.NewSimulationScreen("UTF-8")
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	defer s.Fini()
	var frames []*Frame
	for _, n := range []int{0, 1, 2, 30, 5000} {
		frames = append(frames, Compare(nil, many(n)))
	}
	rapid.Check(t, func(t *rapid.T) {
		v := NewView(Choice{Sort: "address"}, time.Second)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				v.Show(rapid.SampledFrom(frames).Draw(t, "frame"))
			case 1:
				v.Resize(rapid.IntRange(0, 120).Draw(t, "width"), rapid.IntRange(0, 40).Draw(t, "height"))
			default:
				press(v, rapid.SampledFrom(keys).Draw(t, "key"))
			}
			s.SetSize(max(v.width, 1), max(v.height, 1))
			v.Draw(s)
			window := v.window()
			if v.cursor < 0 || len(v.rows) > 0 && v.cursor >= len(v.rows) {
				t.Fatalf("row %d of %d is marked", v.cursor, len(v.rows))
			}
			if v.mode == listing && (v.offset > v.cursor || v.cursor >= v.offset+window || v.offset > max(len(v.rows)-window, 0)) {
				t.Fatalf("row %d of %d is marked, the window begins at %d and has %d", v.cursor, len(v.rows), v.offset, window)
			}
		}
	})
}
