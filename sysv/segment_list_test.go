package sysv_test

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// segmentTable is /proc/sysvipc/shm: a second way to what the list and the totals
// say. It does not tell Seq, which it leaves 0.
type segmentTable struct {
	segments                 []sysv.SegmentInfo
	bytes, resident, swapped uint64
}

func readSegmentTable(t *testing.T) segmentTable {
	t.Helper()
	f, err := os.Open("/proc/sysvipc/shm")
	ok(t, err)
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan()
	names := strings.Fields(lines.Text())
	var table segmentTable
	for lines.Scan() {
		row := map[string]int64{}
		for i, word := range strings.Fields(lines.Text()) {
			base := 10
			if names[i] == "perms" {
				base = 8
			}
			n, err := strconv.ParseInt(word, base, 64)
			ok(t, err)
			row[names[i]] = n
		}
		at := func(name string) time.Time {
			if row[name] == 0 {
				return time.Time{}
			}
			return time.Unix(row[name], 0)
		}
		info := sysv.SegmentInfo{
			Permission: sysv.Permission{
				Key: sysv.Key(row["key"]), ID: int(row["shmid"]), UID: uint32(row["uid"]), GID: uint32(row["gid"]),
				CreatorUID: uint32(row["cuid"]), CreatorGID: uint32(row["cgid"]), Mode: os.FileMode(row["perms"] & 0o777),
			},
			Size: row["size"], Attached: int(row["nattch"]), CreatorPID: int(row["cpid"]), LastPID: int(row["lpid"]),
			AttachTime: at("atime"), DetachTime: at("dtime"), ChangeTime: at("ctime"),
			Removed: row["perms"]&0o1000 != 0, Locked: row["perms"]&0o2000 != 0,
		}
		table.segments = append(table.segments, info)
		table.bytes += uint64((row["size"] + int64(pageSize) - 1) / int64(pageSize) * int64(pageSize))
		table.resident += uint64(row["rss"])
		table.swapped += uint64(row["swap"])
	}
	ok(t, lines.Err())
	return table
}

// wantSegmentTable requires list and use to be what /proc/sysvipc/shm says.
func wantSegmentTable(t *testing.T, what string, n int) {
	t.Helper()
	table := readSegmentTable(t)
	all, err := sysv.Segments()
	ok(t, err)
	for i := range all {
		all[i].Seq = 0
	}
	if diff := cmp.Diff(table.segments, all); diff != "" {
		t.Errorf("%s: the list differs from /proc/sysvipc/shm (-proc +list):\n%s", what, diff)
	}
	var ds sys.ShmidDS
	highest, err := sys.ShmUsage(new(sys.ShmUse))
	ok(t, err)
	if _, err := sys.ShmStat(highest, sys.SHM_STAT_ANY, &ds); (err == nil) != (n > 0) {
		t.Errorf("%s: of %d segments, that at the highest index, %d: %v", what, n, highest, err)
	}
	limits, err := sysv.ReadSegmentLimits()
	ok(t, err)
	page := uint64(pageSize)
	got := []uint64{limits.Segments, limits.Pages * page, limits.ResidentPages * page, limits.SwappedPages * page}
	want := []uint64{uint64(n), table.bytes, table.resident, table.swapped}
	if diff := cmp.Diff(want, got); diff != "" || len(all) != n {
		t.Errorf("%s: %d listed; segments, bytes, resident, swapped (-proc +use):\n%s", what, len(all), diff)
	}
}

func TestListAndUseAgreeWithProc(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	wantSegmentTable(t, "nothing", 0)
	var segs []*sysv.Segment
	for i, size := range []int64{1, 4096, 4097, 1 << 20, 12345} {
		seg, err := sysv.Create(sysv.Key(i+1), size, 0o600+os.FileMode(i))
		ok(t, err)
		t.Cleanup(func() { removeAtLast(t, seg) })
		segs = append(segs, seg)
		wantSegmentTable(t, fmt.Sprintf("%d untouched", i+1), i+1)
	}
	m := attach(t, segs[3], nil)
	for off := range int64(100) {
		ok(t, m.Store32(off*int64(pageSize), 1))
	}
	wantSegmentTable(t, "a hundred pages in memory", 5)
	limits, err := sysv.ReadSegmentLimits()
	ok(t, err)
	if limits.ResidentPages+limits.SwappedPages != 100 {
		t.Errorf("%d pages in memory, %d swapped; 100 were touched", limits.ResidentPages, limits.SwappedPages)
	}
	// A gap in the kernel's table, a mark, another mode: all in both.
	ok(t, segs[1].Remove())
	wantSegmentTable(t, "one removed", 4)
	ok(t, segs[3].Remove())
	ok(t, segs[4].SetMode(0))
	wantSegmentTable(t, "one marked", 4)
	ok(t, segs[4].Remove())
	wantSegmentTable(t, "the last of the table removed", 3)
}

func TestListAndUseAreTheSameForNobody(t *testing.T) {
	testenv.RequireRoot(t)
	if !testenv.InPrivateIPC(t) {
		return
	}
	for i := range 4 {
		seg, err := sysv.Create(sysv.Key(i+1), int64(i+1)*5000, os.FileMode(i))
		ok(t, err)
		t.Cleanup(func() { removeAtLast(t, seg) })
		ok(t, seg.SetOwner(i, i))
	}
	wantSegmentTable(t, "as root", 4)
	root, nobody := startOther(t, nil), startNobody(t)
	if list := nobody.does("list"); list != root.does("list") {
		t.Errorf("nobody's list is\n%s", list)
	}
	if limits := nobody.does("limits"); limits != root.does("limits") {
		t.Errorf("nobody's limits are %s", limits)
	}
}

func TestListHasWhatStatHas(t *testing.T) {
	seg := newSegment(t, 777, 0o640)
	attach(t, seg, nil)
	all, err := sysv.Segments()
	ok(t, err)
	n := 0
	for _, info := range all {
		if info.ID == seg.ID() {
			n++
			if diff := cmp.Diff(stat(t, seg), info); diff != "" {
				t.Errorf("(-stat +list):\n%s", diff)
			}
		}
	}
	if n != 1 {
		t.Errorf("listed %d times", n)
	}
}

// The list is made index by index, while others come and go. The kernel gives
// indexes in turn, so that one list can meet several of those that come and go:
// each further along than the last.
func TestListingDuringChangesNeverFails(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	stay, err := sysv.Create(1, 1, 0o600)
	ok(t, err)
	t.Cleanup(func() { removeAtLast(t, stay) })
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			seg, err := sysv.Create(sysv.Private, 1, 0)
			if err == nil {
				err = seg.Remove()
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	for range 2000 {
		all, err := sysv.Segments()
		if err != nil || len(all) == 0 || all[0].ID != stay.ID() {
			t.Errorf("got %+v, %v", all, err)
			break
		}
		for _, info := range all[1:] {
			if info.Mode != 0 || info.Size != 1 || info.ID == stay.ID() {
				t.Errorf("listed %+v, which never was", info)
			}
		}
	}
	close(stop)
	ok(t, <-done)
}
