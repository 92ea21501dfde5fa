package inspect_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/inspect"
)

// pageFixture writes 64-bit words to a file below a made-up /proc, from a word on.
func pageFixture(t testing.TB, root, name string, at int64, words ...uint64) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, w := range words {
		if _, err := f.WriteAt(binary.NativeEndian.AppendUint64(nil, w), (at+int64(i))*8); err != nil {
			t.Fatal(err)
		}
	}
}

// mappedAt is an object that process 7 maps in some ranges, given as page of the address, number of pages, and
// page of the object.
func mappedAt(pages int, ranges ...[3]uint64) *inspect.Object {
	page := uint64(os.Getpagesize())
	o := &inspect.Object{Address: "sysv:id=3", ID: inspect.ID{Class: inspect.SegmentClass, Inode: 3}, Size: uint64(pages) * page}
	u := inspect.User{PID: 7, Command: "x"}
	for _, r := range ranges {
		u.Ranges = append(u.Ranges, inspect.Range{Start: r[0] * page, End: (r[0] + r[1]) * page, Offset: r[2] * page})
	}
	o.Users = []inspect.User{u}
	return o
}

const (
	mapPresent   = 1 << 63
	mapSwapped   = 1 << 62
	mapFile      = 1 << 61
	mapGuard     = 1 << 58
	mapExclusive = 1 << 56
	mapSoftDirty = 1 << 55
)

func TestEveryStateOfAPage(t *testing.T) {
	root := t.TempDir()
	cases := []struct {
		entry, flags, count uint64
		want                inspect.Page
	}{
		{0, 0, 0, inspect.Page{}},
		{mapPresent | mapFile | 1, 0, 3, inspect.Page{State: inspect.PagePresent, Frame: 1, Mapped: 3}},
		{mapPresent | mapFile | mapExclusive | mapSoftDirty | 2, 1<<4 | 1<<2, 1,
			inspect.Page{State: inspect.PagePresent | inspect.PageExclusive | inspect.PageSoftDirty | inspect.PageDirty | inspect.PageReferenced, Frame: 2, Mapped: 1}},
		{mapPresent | mapExclusive | 3, 1<<12 | 1<<14, 1, inspect.Page{State: inspect.PagePresent | inspect.PageExclusive | inspect.PageCopy | inspect.PageSwapBacked, Frame: 3, Mapped: 1}},
		{mapSwapped | 0x155, 0, 0, inspect.Page{State: inspect.PageSwapped | inspect.PageCopy}},
		{mapSwapped | mapExclusive | 0x155, 0, 0, inspect.Page{State: inspect.PageSwapped | inspect.PageCopy}}, // it has no frame
		{mapSwapped | mapFile | 0x155, 0, 0, inspect.Page{State: inspect.PageSwapped}},
		{mapGuard, 0, 0, inspect.Page{State: inspect.PageGuard}},
		{mapPresent | 4, 1 << 24, 0, inspect.Page{State: inspect.PagePresent | inspect.PageZero, Frame: 4}},
		{mapPresent | mapFile | 5, 1<<17 | 1<<15, 2, inspect.Page{State: inspect.PagePresent | inspect.PageHuge | inspect.PageLarge, Frame: 5, Mapped: 2}},
		{mapPresent | mapFile | 7, 1<<16 | 1<<22, 2, inspect.Page{State: inspect.PagePresent | inspect.PageLarge, Frame: 7, Mapped: 2}},
		{mapPresent | mapFile | 9, 1<<6 | 1<<8 | 1<<18, 2, inspect.Page{State: inspect.PagePresent | inspect.PageActive | inspect.PageWriteback | inspect.PageLocked, Frame: 9, Mapped: 2}},
		{mapPresent | mapFile | 11, 1 << 33, 2, inspect.Page{State: inspect.PagePresent | inspect.PageLocked, Frame: 11, Mapped: 2}},
		{mapPresent | mapFile, 0, 0, inspect.Page{State: inspect.PagePresent}}, // a frame that is not told
	}
	for i, c := range cases {
		pageFixture(t, root, "7/pagemap", 100+int64(i), c.entry)
		if frame := c.entry & (1<<55 - 1); c.entry&mapPresent != 0 && frame != 0 {
			pageFixture(t, root, "kpageflags", int64(frame), c.flags)
			pageFixture(t, root, "kpagecount", int64(frame), c.count)
		}
	}
	p := look(t, mappedAt(len(cases), [3]uint64{100, uint64(len(cases)), 0}), &inspect.PagesOptions{Proc: root})
	v := p.Processes[0]
	for i, got := range each(t, p, v) {
		if diff := cmp.Diff(cases[i].want, got); diff != "" {
			t.Errorf("entry %x, flags %x: %s", cases[i].entry, cases[i].flags, diff)
		}
	}
	if got := strings.Join(v.Blind, "\n"); !strings.Contains(got, "frame numbers are told to root only") || strings.Contains(got, "kpageflags") {
		t.Errorf("blind: %s", got)
	}
	if got := (inspect.PagePresent | inspect.PageSwapBacked).String() + "; " + inspect.PageState(0).String(); got != "present swap-backed; empty" {
		t.Error(got)
	}
	for i := range cases {
		if got, err := v.At(int64(i)); err != nil || got != cases[i].want {
			t.Errorf("page %d: %+v, %v", i, got, err)
		}
	}
}

func TestRunsAreOfOneStateWithFramesInOrder(t *testing.T) {
	root := t.TempDir()
	const shared = mapPresent | mapFile
	pageFixture(t, root, "7/pagemap", 16, shared|10, shared|11, shared|12, shared|20, shared|21|mapExclusive, 0, 0, shared|22)
	p := look(t, mappedAt(12, [3]uint64{16, 8, 2}), &inspect.PagesOptions{Proc: root})
	var got []inspect.PageRun
	for r, err := range p.Processes[0].Runs(t.Context(), 0, 12) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	state := func(s inspect.PageState, frame uint64) inspect.Page { return inspect.Page{State: s, Frame: frame} }
	want := []inspect.PageRun{
		{First: 0, Count: 2, Page: state(inspect.PageOutside, 0)},
		{First: 2, Count: 3, Page: state(inspect.PagePresent, 10)},
		{First: 5, Count: 1, Page: state(inspect.PagePresent, 20)},
		{First: 6, Count: 1, Page: state(inspect.PagePresent|inspect.PageExclusive, 21)},
		{First: 7, Count: 2},
		{First: 9, Count: 1, Page: state(inspect.PagePresent, 22)},
		{First: 10, Count: 2, Page: state(inspect.PageOutside, 0)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got[1].At(4).Frame != 12 {
		t.Errorf("%+v", got[1].At(4))
	}
	if blind := strings.Join(p.Processes[0].Blind, "\n"); !strings.Contains(blind, "kpageflags") {
		t.Errorf("blind: %s", blind)
	}
	if blind := strings.Join(p.Object.Blind, "\n"); !strings.Contains(blind, "attaching") {
		t.Errorf("blind: %s", blind)
	}
}

func TestPagesMappedTwiceAreTwoViews(t *testing.T) {
	root := t.TempDir()
	pageFixture(t, root, "7/pagemap", 16, mapPresent|mapFile|1, 0, mapPresent|mapFile|2)
	pageFixture(t, root, "7/pagemap", 32, 0, mapPresent|mapFile|9)
	// Pages 0 and 1 in one range, 2 in a second one beside it; page 1 and 2 once more.
	p := look(t, mappedAt(3, [3]uint64{32, 2, 1}, [3]uint64{18, 1, 2}, [3]uint64{16, 2, 0}), &inspect.PagesOptions{Proc: root})
	if len(p.Processes) != 2 {
		t.Fatalf("%d views", len(p.Processes))
	}
	for i, want := range []string{"M.M", "x.M"} {
		if got := picture(each(t, p, p.Processes[i]), inspect.PageOutside, "x", inspect.PagePresent, "M"); got != want {
			t.Errorf("view %d: %s, want %s", i, got, want)
		}
	}
}

func TestAPageTableThatMayNotBeReadIsUnknown(t *testing.T) {
	p := look(t, mappedAt(3, [3]uint64{16, 2, 0}), &inspect.PagesOptions{Proc: t.TempDir()})
	v := p.Processes[0]
	if got := picture(each(t, p, v), inspect.PageUnknown, "?", inspect.PageOutside, "x"); got != "??x" {
		t.Error(got)
	}
	if len(v.Blind) != 1 || !strings.Contains(v.Blind[0], "the page table of process 7: no such file") {
		t.Errorf("blind: %q", v.Blind)
	}
}

// What stands behind the end of pagemap is what a process has that ended: nothing can be read.
func TestAPageTableThatEndsIsUnknownFromThere(t *testing.T) {
	root := t.TempDir()
	pageFixture(t, root, "7/pagemap", 16, mapPresent|mapFile|1, 0)
	p := look(t, mappedAt(4, [3]uint64{16, 4, 0}), &inspect.PagesOptions{Proc: root})
	var got []string
	for row, err := range p.Rows(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(row.First, " ", row.Count, " ", row.Runs[1].State))
	}
	if diff := cmp.Diff([]string{"0 1 present", "1 3 unknown"}, got); diff != "" {
		t.Error(diff)
	}
	if p.Processes[0].Err == nil {
		t.Error("nobody says so")
	}
	var runs []string
	var last error
	for r, err := range p.Processes[0].Runs(t.Context(), 0, 4) {
		if last = err; err == nil {
			runs = append(runs, fmt.Sprint(r.First, " ", r.Count, " ", r.State))
		}
	}
	if diff := cmp.Diff([]string{"0 1 present", "1 3 unknown"}, runs); diff != "" || last == nil {
		t.Error(diff, last)
	}
}

func TestALookEndsWithItsContext(t *testing.T) {
	root := t.TempDir()
	pageFixture(t, root, "7/pagemap", 16, mapPresent|mapFile|1, 0)
	p := look(t, mappedAt(2, [3]uint64{16, 2, 0}), &inspect.PagesOptions{Proc: root})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for _, err := range p.Rows(ctx) {
		last = err
	}
	if !errors.Is(last, context.Canceled) || p.Processes[0].Err != nil {
		t.Errorf("%v, %v", last, p.Processes[0].Err)
	}
}

func TestPartsThatAreNotThereAreRefused(t *testing.T) {
	page := int64(os.Getpagesize())
	for _, o := range []inspect.PagesOptions{{Offset: -1}, {Length: -1}, {Offset: 3*page + 1}, {Offset: page, Length: 2*page + 1}} {
		o.Proc = t.TempDir()
		if p, err := inspect.PagesOf(mappedAt(3), &o); err == nil {
			t.Errorf("%+v: pages %d, %d", o, p.First, p.Count)
		}
	}
}
