package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rivo/uniseg"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
)

// A letter of Chinese takes two cells, a mark above a letter none.
func TestColumnsStandBelowEachOtherWhateverTheLetters(t *testing.T) {
	var out bytes.Buffer
	tab := &table{columns: []kind.Column{{Heading: "NAME"}, {Heading: "SIZE", Right: true}, {Heading: "WHAT"}}, screen: 24,
		rows: [][]string{{"漢字", "1", "漢字漢字漢字漢字漢字"}, {"e\u0301te\u0301", "22", "x"}, {"plain", "333", "y"}}}
	if err := tab.write(&out, &app{}, ""); err != nil {
		t.Fatal(err)
	}
	want := 0
	for n, line := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
		last := strings.TrimLeft(line[strings.LastIndex(line, "  "):], " ")
		at := uniseg.StringWidth(strings.TrimSuffix(line, last))
		if want = max(want, at); at != want {
			t.Errorf("the last column of line %d is at cell %d, not %d:\n%s", n, at, want, &out)
		}
		if w := uniseg.StringWidth(line); w > 24 {
			t.Errorf("line %d has %d cells", n, w)
		}
	}
}

// The command of a process may be very long.
func TestTheTableOfAKindEndsWhereTheScreenDoes(t *testing.T) {
	file := func(path string) item {
		o := &inspect.Object{Address: "memfd:1/2", Kind: inspect.KindMemfd}
		return item{o, kind.Object{Address: kind.AddressOf(o), Fields: []kind.Field{{Name: "command", Value: kind.Text(path)}}}}
	}
	var out bytes.Buffer
	a := &app{out: &out, screen: func() (int, int) { return 80, 24 }}
	for _, k := range kind.With[kind.Lister](allKinds()) {
		if k.Name() != inspect.KindMemfd {
			continue
		}
		l := listing{a: a, found: map[string][]item{k.Name(): {file(strings.Repeat("long ", 50))}}}
		if err := l.printKind(k); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(out.String(), "long long") {
		t.Errorf("it is not shown:\n%s", &out)
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if n := uniseg.StringWidth(line); n > 80 {
			t.Errorf("%d cells: %s", n, line)
		}
	}
}

// In the long form a command stands at the end as well, and not between other columns.
func TestACommandIsTheLastColumn(t *testing.T) {
	for _, k := range kind.With[kind.Lister](allKinds()) {
		columns := withFacts(k.Can.Columns())
		for i, c := range columns {
			if c.Field == "command" && i < len(columns)-1 {
				t.Errorf("%s: %s is behind the command", k.Name(), columns[len(columns)-1].Heading)
			}
		}
	}
}

// Of what has no name it is said what it is, and not what the kernel calls it.
func TestAMappingSaysWhatItIsOf(t *testing.T) {
	for want, m := range map[string]inspect.Mapping{
		`map:1/2 (memfd "ring\n")`:                   {Object: "map:1/2", Path: "/memfd:ring\n", Gone: true, ID: inspect.ID{Class: inspect.MemfdClass}},
		"map:1/2 (never had a name)":                 {Object: "map:1/2", Path: "/dev/zero", Gone: true, ID: inspect.ID{Class: inspect.AnonymousClass}},
		"map:1/2 (segment of another IPC namespace)": {Object: "map:1/2", Path: "/SYSV00000000", Gone: true, ID: inspect.ID{Class: inspect.SegmentClass}},
		"map:1/2 (was /dev/shm/gone)":                {Object: "map:1/2", Path: "/dev/shm/gone", Gone: true, ID: inspect.ID{Class: inspect.FileClass}},
		"file:/usr/lib/x.so":                         {Object: "file:/usr/lib/x.so", Path: "/usr/lib/x.so", ID: inspect.ID{Class: inspect.FileClass}},
		"[heap]":                                     {Path: "[heap]"},
	} {
		if got := mappedThing(&m); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
