package inspect_test

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/sysv"
)

// impossible returns what cannot be true of an object, whatever happens meanwhile.
func impossible(o *inspect.Object) (what []string) {
	claim := func(holds bool, format string, args ...any) {
		if !holds {
			what = append(what, fmt.Sprintf(format, args...))
		}
	}
	claim(o.Address != "", "it has no address")
	claim(slices.Contains(inspect.Kinds(), o.Kind), "kind %q", o.Kind)
	claim(o.Use != inspect.Unknown || o.UseWhy != "", "nothing is said of its use")
	claim(slices.IsSortedFunc(o.Users, func(a, b inspect.User) int { return cmp.Or(cmp.Compare(a.PID, b.PID), 1) }), "users %v", pidsOf(o))
	seen := 0
	for _, u := range o.Users {
		claim(u.PID > 0 && u.Command != "" && (len(u.Ranges) > 0 || len(u.Descriptors) > 0), "user %+v", u)
		for _, r := range u.Ranges {
			claim(r.Start < r.End, "range %x-%x", r.Start, r.End)
		}
		claim(u.Writable == false || u.Shared, "user %+v writes to what it does not share", u)
		if !u.Self {
			seen++
		}
	}
	claim(o.Use != inspect.Unused || seen == 0, "it is unused, by %v", pidsOf(o))
	if o.Segment != nil {
		claim(o.Segment.Unseen >= 0 && o.Segment.Unseen <= o.Segment.Attachments, "%d of %d attachments are not seen", o.Segment.Unseen, o.Segment.Attachments)
	}
	for _, a := range []inspect.Amount{o.Allocated, o.Resident, o.Dirty, o.Swapped} {
		claim(a.Unknown == "" || a.Bytes == 0, "amount %+v", a)
		claim(a.Bytes < 1<<50, "amount %d", a.Bytes)
	}
	return what
}

func TestObjectsAndProcessesMayComeAndGoAtAnyMoment(t *testing.T) {
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	ok(t, os.Mkdir(dir, 0o700))
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	rounds := 20
	switch {
	case shmtest.Soaking():
		rounds = 2000
	case testing.Short():
		rounds = 5
	}
	path, _ := shmFile(t)
	made := map[int]bool{} // by PID, who may have been killed between making a segment and removing it
	t.Cleanup(func() { removeSegmentsOf(t, made) })
	for range 2 {
		p, _ := says(t, "churn", dir)
		t.Cleanup(p.Kill)
		made[p.Pid()] = true
	}
	churned := 0
	for n := range rounds {
		// It is killed while it begins, while it works, or while it is looked at.
		victims := []*testenv.Proc{testenv.Start(t, "churn", dir), testenv.Start(t, "file", path, "w", "keep")}
		made[victims[0].Pid()] = true
		if n%2 == 0 {
			_, err := victims[0].ReadLine()
			ok(t, err)
		}
		s := take(t, &inspect.Options{Shm: dir, Deep: n%4 == 0})
		if n%3 == 0 {
			victims[0].Kill()
		}
		addresses := map[string]bool{}
		for o, err := range s.Objects() {
			if err != nil {
				t.Errorf("%s %s: %v", o.Kind, o.Address, err)
				continue
			}
			for _, what := range impossible(&o) {
				t.Errorf("round %d: %s %s: %s: %+v", n, o.Kind, o.Address, what, o)
			}
			if addresses[o.Address] {
				t.Errorf("round %d: %s is there twice", n, o.Address)
			}
			addresses[o.Address] = true
			if o.Name == "churned" || filepath.Dir(o.Path) == dir {
				churned++
			}
		}
		for _, v := range victims {
			if _, err := inspect.MappingsOf(v.Pid(), nil); err != nil && n%3 != 0 {
				t.Errorf("round %d: %v", n, err)
			}
			v.Kill()
		}
	}
	if churned == 0 {
		t.Error("nothing was seen of what comes and goes")
	}
}

// removeSegmentsOf removes what was left by processes that were killed.
func removeSegmentsOf(t *testing.T, pids map[int]bool) {
	t.Helper()
	all, err := sysv.Segments()
	ok(t, err)
	for _, i := range all {
		if !pids[i.CreatorPID] || i.Attached != 0 || i.Size != int64(pages*page) {
			continue
		}
		if s, err := sysv.OpenID(i.ID); err == nil {
			if err := s.Remove(); err != nil && !errors.Is(err, sysv.ErrRemoved) {
				t.Error(err)
			}
		}
	}
}
