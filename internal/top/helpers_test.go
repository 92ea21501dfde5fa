package top

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gdamore/tcell/v2"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write what tests see into testdata, to be looked at")

// noon is when samples of tests are.
var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.Local)

// sampleAt is a sample some seconds after noon.
func sampleAt(seconds float64, items ...Item) *Sample {
	s := &Sample{At: noon.Add(time.Duration(seconds * float64(time.Second))), Took: 40 * time.Millisecond, Items: items, Processes: map[int]Process{}}
	for _, i := range items {
		for _, pid := range i.Users {
			s.Processes[pid] = Process{Start: uint64(pid), Minor: uint64(seconds) * 10 * uint64(pid), Major: uint64(seconds)}
		}
	}
	return s
}

// item is an item with an identity of its own.
func item(address string) Item {
	kind, _, _ := strings.Cut(address, ":")
	return Item{ID: Identity{Kind: kind, Address: address}, Address: address, Kind: kind, Owner: "root"}
}

// zoo is one of each, a second apart.
func zoo() (before, now *Sample) { return zooAt(0), zooAt(1) }

// zooAt is the zoo some seconds after noon.
func zooAt(n uint64) *Sample {
	segment := item("sysv:id=3")
	segment.Size, segment.Resident, segment.Dirty, segment.Users, segment.Command = 64<<20, Of((12+n)<<20), Of(0), []int{812, 813}, "postgres"
	posix := item("posix:/frames")
	posix.Size, posix.Resident, posix.Dirty, posix.Owner, posix.Users, posix.Command = 8<<20, Of(8<<20-n*4096), Of(0), "camera", []int{901}, "camera"
	topic := item("topic:numbers")
	topic.Size, topic.Resident, topic.Dirty, topic.Sent, topic.Depth = 1<<20, Of(1<<20), Of(0), Of(1000+12345*n), Of(17)
	topic.Holders, topic.Waiters, topic.Users, topic.Command = Of(0), Of(2), []int{901, 902}, "camera"
	lock := item("lock:backup")
	lock.Size, lock.Resident, lock.Dirty, lock.Holders, lock.Waiters = 4096, Of(4096), Of(0), Of(1), Of(3)
	lock.Users, lock.Command, lock.Marks = []int{77}, "rsync", []string{"broken"}
	file := item("file:/var/lib/index.db")
	file.Size, file.Owner, file.Users, file.Command, file.Marks = 1<<40, "nobody", []int{5}, "indexer", nil
	set := item("sem:id=0")
	gone := item("map:812/7f12a0000000")
	gone.Size, gone.Resident, gone.Users, gone.Command, gone.Marks = 143<<20, Of(99<<20), []int{812, 813, 814}, "postgres", []string{"removed"}
	s := sampleAt(float64(n), segment, posix, topic, lock, file, set, gone)
	s.Hidden = 4
	return s
}

// many are so many items.
func many(n int) *Sample {
	var all []Item
	for k := range n {
		i := item(fmt.Sprintf("posix:/object-%04d", k))
		i.Size = uint64(k) * 4096
		i.Resident = Of(i.Size)
		all = append(all, i)
	}
	return sampleAt(1, all...)
}

// viewOf is a view of what was compared.
func viewOf(before, now *Sample) *View {
	v := NewView(Choice{Sort: "resident"}, 2*time.Second)
	v.Show(Compare(before, now))
	return v
}

// drawn is the screen as text, at a size. Lines end where they are blank.
func drawn(t testing.TB, v *View, width, height int) string {
	t.Helper()
	s := tcell.NewSimulationScreen("UTF-8")
	if err := s.Init(); err != nil {
		t.Fatal(err)
	}
	defer s.Fini()
	s.SetSize(width, height)
	v.Resize(width, height)
	v.Draw(s)
	s.Show()
	return shown(s)
}

// shown is what a terminal shows.
func shown(s tcell.SimulationScreen) string {
	cells, width, height := s.GetContents()
	var b strings.Builder
	for y := range height {
		var line strings.Builder
		for x := 0; x < width; x++ {
			line.WriteString(string(cells[y*width+x].Runes))
			x += max(wide(string(cells[y*width+x].Runes)), 1) - 1
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// golden compares text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s: %s", path, d)
	}
}

// press presses keys: runes, and names in brackets such as <Enter>.
func press(v *View, keys string) (last Command) {
	for keys != "" {
		var e *tcell.EventKey
		if name, rest, ok := strings.Cut(strings.TrimPrefix(keys, "<"), ">"); strings.HasPrefix(keys, "<") && ok && named[name] != 0 {
			e, keys = tcell.NewEventKey(named[name], 0, 0), rest
		} else {
			r, n := utf8.DecodeRuneInString(keys)
			e, keys = tcell.NewEventKey(tcell.KeyRune, r, 0), keys[n:]
		}
		last = v.Key(e)
	}
	return last
}

var named = map[string]tcell.Key{
	"Enter": tcell.KeyEnter, "Esc": tcell.KeyEscape, "Up": tcell.KeyUp, "Down": tcell.KeyDown, "PgUp": tcell.KeyPgUp, "PgDn": tcell.KeyPgDn,
	"Home": tcell.KeyHome, "End": tcell.KeyEnd, "Left": tcell.KeyLeft, "Right": tcell.KeyRight, "Tab": tcell.KeyTab, "Backtab": tcell.KeyBacktab,
	"Back": tcell.KeyBackspace2, "C-c": tcell.KeyCtrlC, "C-z": tcell.KeyCtrlZ, "C-l": tcell.KeyCtrlL, "C-u": tcell.KeyCtrlU, "C-w": tcell.KeyCtrlW,
	"F1": tcell.KeyF1,
}
