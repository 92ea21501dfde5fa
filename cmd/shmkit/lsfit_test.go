package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/rivo/uniseg"

	"github.com/shmkit/shmkit/inspect"
)

// onScreen is the list of some objects on a screen of so many columns; 0: no screen.
func onScreen(t *testing.T, columns int, objects ...*inspect.Object) string {
	t.Helper()
	var out bytes.Buffer
	a := &app{out: &out}
	if columns > 0 {
		a.screen = func() (int, int) { return columns, 24 }
	}
	if err := (&listing{a: a}).printTable(objects, nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func someObjects() []*inspect.Object {
	users := []inspect.User{{PID: 1, Command: "camera"}, {PID: 2, Command: "viewer"}, {PID: 3, Command: "viewer"}}
	memory := func(address, kind string) *inspect.Object {
		return &inspect.Object{Address: address, Kind: kind, ID: inspect.ID{Class: inspect.FileClass, Inode: 1}, Size: 1433 << 10,
			Resident: inspect.Amount{Bytes: 1433 << 10}, Mode: 0o600, Users: users, Use: inspect.Used}
	}
	return []*inspect.Object{
		memory("map:23475/7f9f8c51", inspect.KindMap),
		memory("file:/dev/shm/frames-of-the-left-eye/2026-12-01/camera.raw", inspect.KindFile),
	}
}

func TestOnANarrowScreenItIsStillToldWhatAnObjectIs(t *testing.T) {
	all := someObjects()
	wide := onScreen(t, 0, all...)
	for _, want := range []string{"SWAP", "MODE", "OWNER", "camera, viewer ×2", all[0].Address + " "} {
		if !strings.Contains(wide, want) {
			t.Errorf("without a screen %q is missing:\n%s", want, wide)
		}
	}
	for _, columns := range []int{64, 80, 100, 200} {
		out := onScreen(t, columns, all...)
		for _, line := range strings.Split(out, "\n") {
			if uniseg.StringWidth(line) > columns && !strings.HasPrefix(line, "file:") && !strings.Contains(line, "objects") {
				t.Errorf("%d columns: %q has %d", columns, line, uniseg.StringWidth(line))
			}
		}
		if strings.Count(out, "camera, viewer ×2\n") != 2 {
			t.Errorf("%d columns:\n%s", columns, out)
		}
		if !strings.Contains(out, "\n"+all[1].Address+"\n") { // whole, in a line of its own
			t.Errorf("%d columns: the long address is not whole:\n%s", columns, out)
		}
		if wantAll := columns >= 100; strings.Contains(out, "SWAP") != wantAll || strings.Contains(out, "shmkit ls --long") == wantAll {
			t.Errorf("%d columns:\n%s", columns, out)
		}
	}
}

func TestColumnsThatTellSomethingStay(t *testing.T) {
	all := someObjects()
	all[0].Swapped.Bytes = 4096
	all[0].UID = 1
	all[1].Use = inspect.Unused
	out := onScreen(t, 80, all...)
	for _, heading := range []string{"SWAP", "OWNER", "MARKS"} {
		if !strings.Contains(out, heading) {
			t.Errorf("%s is missing:\n%s", heading, out)
		}
	}
	if !strings.Contains(out, "camera, viewer") || !strings.Contains(out, "; mode: shmkit ls --long") {
		t.Errorf("\n%s", out)
	}
}

func TestOfASegmentOfAnotherNamespaceNothingIsInvented(t *testing.T) {
	o := someObjects()[0]
	o.Kind, o.Segment, o.Mode, o.ModeUnknown = inspect.KindSegment, &inspect.Segment{Namespace: 7}, 0, "only processes of its IPC namespace are told"
	if out := onScreen(t, 0, o); !strings.Contains(out, "  ?      ?   ") {
		t.Errorf("\n%s", out)
	}
	o.CreatorUID = 1 + uint32(os.Geteuid())
	o.UID = uint32(os.Geteuid())
	if (item{seen: o}).mine() {
		t.Error("it is root's, whose owner is not known")
	}
}
