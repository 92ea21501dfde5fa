package inspect

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Between the walk and the table of segments processes end, and segments with them: what is in the table is newer.
func TestSegmentsAreSettledWithTheirTable(t *testing.T) {
	root := t.TempDir()
	write := func(name, format string, args ...any) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), fmt.Appendf(nil, format, args...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line := func(id int) string {
		return fmt.Sprintf("7f00%04x0000-7f00%04x1000 rw-s 00000000 00:01 %d /SYSV00000000 (deleted)\n", id, id, id)
	}
	const heading = "key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap\n"
	for _, pid := range []int{10, 20} {
		write(fmt.Sprintf("%d/comm", pid), "x\n")
		write(fmt.Sprintf("%d/maps", pid), "%s%s", line(1), line(2))
	}
	write("sysvipc/shm", heading+"0 1 600 4096 1 1 2 0 0 0 0 0 0 0 0 0\n0 2 600 4096 1 1 2 0 0 0 0 0 0 0 0 0\n")
	s, err := Take(context.Background(), &Options{Proc: root, Shm: t.TempDir(), Dir: t.TempDir(), Kinds: []string{KindSegment}})
	if err != nil {
		t.Fatal(err)
	}
	seen := func() string {
		var all []string
		for o, err := range s.Objects() {
			if err != nil {
				t.Error(err)
			}
			pids := []int{}
			for _, u := range o.Users {
				pids = append(pids, u.PID)
			}
			all = append(all, fmt.Sprint(o.Address, pids, o.Segment.Unseen))
		}
		return strings.Join(all, "; ")
	}
	if got, want := seen(), "sysv:id=1[10 20] 0; sysv:id=2[10 20] 0"; got != want {
		t.Fatalf("%s, expected %s", got, want)
	}
	// 20 has detached both; 2 went with 10, which still has 1. The snapshot's table is what came after.
	write("20/maps", "")
	write("10/maps", "%s", line(1))
	write("sysvipc/shm", heading+"0 1 600 4096 1 1 1 0 0 0 0 0 0 0 0 0\n")
	s.segments.rows[0].Attachments = 1
	s.segments.rows = s.segments.rows[:1]
	s.settleSegments()
	if got, want := seen(), "sysv:id=1[10] 0"; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
	// One that was made meanwhile is in the table when that is read again.
	write("10/maps", "%s%s", line(1), line(3))
	write("sysvipc/shm", heading+"0 1 600 4096 1 1 1 0 0 0 0 0 0 0 0 0\n0 3 600 4096 1 1 1 0 0 0 0 0 0 0 0 0\n")
	s, err = Take(context.Background(), &s.options)
	if err != nil {
		t.Fatal(err)
	}
	s.segments.rows = s.segments.rows[:1]
	s.settleSegments()
	if got, want := seen(), "sysv:id=1[10] 0; sysv:id=3[10] 0"; got != want {
		t.Errorf("%s, expected %s", got, want)
	}
}
