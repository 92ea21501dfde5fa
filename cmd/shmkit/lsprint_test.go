package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/inspect"
)

// Of files that are only read there may be hundreds, so that they are counted; what is stored to, in
// memory alone, or without a name is shown.
func TestFilesThatAreOnlyReadAreCounted(t *testing.T) {
	reader, writer := inspect.User{PID: 1, Shared: true}, inspect.User{PID: 2, Shared: true, Writable: true}
	file := func(path string, users ...inspect.User) *inspect.Object {
		return &inspect.Object{Address: "file:" + path, Kind: inspect.KindFile, Path: path, Users: users, Resident: inspect.Amount{Bytes: 4096}}
	}
	gone := file("/x/gone", reader, reader)
	gone.Removed = true
	segment := &inspect.Object{Address: "sysv:id=1", Kind: inspect.KindSegment, Users: []inspect.User{reader}}
	all := []*inspect.Object{segment, file("/x/cache", reader, reader), file("/x/data", reader, writer), gone, file("/dev/shm/a/b", reader)}

	var out bytes.Buffer
	l := listing{a: &app{out: &out}}
	shown, counted := l.leaveOut(all)
	if err := l.printTable(shown, counted); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"sysv:id=1", "file:/x/data", "file:/x/gone", "file:/dev/shm/a/b", "4 objects", "and 1 file mapped for reading only, 4 KiB in memory: shmkit ls file"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(out.String(), "/x/cache") {
		t.Errorf("it is shown:\n%s", &out)
	}
	l.long = true
	if shown, counted = l.leaveOut(all); len(shown) != len(all) || len(counted) != 0 {
		t.Errorf("the long form leaves out %d", len(counted))
	}
}

func TestWhatHasLostItsNameIsToldByIt(t *testing.T) {
	for _, o := range []*inspect.Object{
		{Kind: inspect.KindPOSIX, Name: "/gone", Removed: true},
		{Kind: inspect.KindFile, Name: "/gone", Removed: true},
	} {
		if got := whatIs(o); got != `was "/gone"` {
			t.Errorf("%s: %q", o.Kind, got)
		}
		o.Removed = false
		if got := whatIs(o); got != `"/gone", not reachable here` {
			t.Errorf("%s whose name is not here: %q", o.Kind, got)
		}
		o.Path = "/gone"
		if got := whatIs(o); got != "" {
			t.Errorf("%s that has its name: %q", o.Kind, got)
		}
	}
}
