package inspect_test

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// segments are the objects of System V segments with an identifier, here or elsewhere.
func segments(id int) func(*inspect.Object) bool {
	return func(o *inspect.Object) bool { return o.Kind == "sysv" && o.IPC == id }
}

func TestAProcessOfAnotherNamespaceDoesNotUseASegmentOfThisOne(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	seg := newSegment(t) // the first of its namespace, as that of the other process is
	p, line := says(t, "elsewhere", "new")
	if line[0] != fmt.Sprint(seg.ID()) {
		t.Skipf("the identifiers differ: %s there, %d here", line[0], seg.ID())
	}
	all := listed(t, take(t, nil), segments(seg.ID()))
	if len(all) != 2 {
		t.Fatalf("%d segments: %v", len(all), all)
	}
	here, there := all[0], all[1]
	if here.Use != inspect.Unused || len(here.Users) != 0 || here.Segment.Namespace != 0 || here.Address != fmt.Sprintf("sysv:id=%d", seg.ID()) {
		t.Errorf("here: %+v", here)
	}
	wantPIDs(t, &there, p)
	if want := fmt.Sprintf("map:%d/%s", p.Pid(), line[1]); there.Address != want || there.Segment.Namespace == 0 || !there.Users[0].OtherNamespace || there.Use != inspect.Used {
		t.Errorf("there: %+v, %+v", there, there.Segment)
	}
	// Owner and mode stand in the table of its namespace alone.
	if there.ModeUnknown == "" || there.Mode != 0 || here.ModeUnknown != "" || here.Mode == 0 {
		t.Errorf("modes: %v (%s) here, %v (%s) there", here.Mode, here.ModeUnknown, there.Mode, there.ModeUnknown)
	}
	if there.Allocated.Unknown == "" && there.CreatorUID != uint32(os.Geteuid()) {
		t.Errorf("made by %d", there.CreatorUID)
	}
}

func TestAttachmentsThatCannotBeSeenAreCounted(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	p, line := says(t, "elsewhere", "leaves") // with what it has attached here
	id, err := strconv.Atoi(line[0])
	ok(t, err)
	t.Cleanup(func() { remove(t, id) })
	visible, _ := says(t, "segment", line[0], "w")
	s := take(t, nil)
	o, err := s.Object("sysv:id=" + line[0])
	ok(t, err)
	wantPIDs(t, &o, visible)
	if o.Segment.Attachments != 2 || o.Segment.Unseen != 1 || o.Use != inspect.Used {
		t.Errorf("%+v, %s", o.Segment, o.UseWhy)
	}
	visible.Kill()
	o, err = take(t, nil).Object("sysv:id=" + line[0])
	ok(t, err)
	if o.Segment.Attachments != 1 || o.Segment.Unseen != 1 || o.Use != inspect.Used || len(o.Users) != 0 {
		t.Errorf("%+v, %s, %v", o.Segment, o.UseWhy, o.Users)
	}
	p.Kill()
	o, err = take(t, nil).Object("sysv:id=" + line[0])
	ok(t, err)
	if o.Segment.Attachments != 0 || o.Segment.Unseen != 0 || o.Use != inspect.Unused {
		t.Errorf("%+v, %s", o.Segment, o.UseWhy)
	}
}

func TestAMemfdAndASegmentWithOneInodeNumberAreTwo(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	maker, line := says(t, "memfd", "twin", "both")
	if n, err := strconv.ParseUint(line[1], 10, 31); err != nil || n == 0 {
		t.Skipf("no segment can have the identifier %s: %v", line[1], err)
	}
	// It goes back by itself when it has been used.
	if err := os.WriteFile("/proc/sys/kernel/shm_next_id", []byte(line[1]), 0); err != nil {
		t.Skipf("the kernel does not let identifiers be chosen: %v", err)
	}
	seg := newSegment(t)
	if fmt.Sprint(seg.ID()) != line[1] {
		t.Skipf("the kernel does not let identifiers be chosen: %d", seg.ID())
	}
	user, _ := says(t, "segment", line[1], "w")
	s := take(t, nil)
	memfd, segment := only(t, s, inode("memfd", uint64(seg.ID()))), only(t, s, segments(seg.ID()))
	wantPIDs(t, &memfd, maker)
	wantPIDs(t, &segment, user)
}

func TestTheFirstSegmentOfANamespaceIsMatched(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	seg := newSegment(t)
	if seg.ID() != 0 {
		t.Skipf("the first one has the identifier %d", seg.ID())
	}
	user, _ := says(t, "segment", "0", "w")
	o := only(t, take(t, nil), segments(0))
	wantPIDs(t, &o, user)
}

// remove removes a segment by its identifier.
func remove(t *testing.T, id int) {
	t.Helper()
	if err := sys.ShmRemove(id); err != nil && err != syscall.EINVAL && err != syscall.EIDRM {
		t.Error(err)
	}
}
