package sysv_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// bootSlack is how far the kernel's seconds, taken from a coarse clock, may be
// behind time.Now.
const bootSlack = 2 * time.Second

func TestAFreshSegmentHasNoHistory(t *testing.T) {
	before := time.Now().Add(-bootSlack)
	seg := newSegment(t, 12345, 0o640)
	info := stat(t, seg)
	if !info.ChangeTime.After(before) || info.ChangeTime.After(time.Now()) {
		t.Errorf("made at %v, want a time between %v and now", info.ChangeTime, before)
	}
	want := sysv.SegmentInfo{
		Permission: sysv.Permission{
			Key: seg.Key(), ID: seg.ID(), Mode: 0o640,
			UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), CreatorUID: uint32(os.Geteuid()), CreatorGID: uint32(os.Getegid()),
			Seq: info.Seq,
		},
		Size: 12345, CreatorPID: os.Getpid(), ChangeTime: info.ChangeTime,
	}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf("a fresh segment (-want +got):\n%s", diff)
	}
	if !info.AttachTime.IsZero() || !info.DetachTime.IsZero() {
		t.Error("never is not the zero time")
	}
}

func TestAttachAndDetachAreRecorded(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	made := stat(t, seg)
	before := time.Now().Add(-bootSlack)
	m := attach(t, seg, nil)
	attached := stat(t, seg)
	if attached.Attached != 1 || attached.LastPID != os.Getpid() || attached.AttachTime.Before(before) || !attached.DetachTime.IsZero() {
		t.Errorf("after attaching: %+v", attached)
	}
	closeOK(t, m)
	detached := stat(t, seg)
	if detached.Attached != 0 || detached.LastPID != os.Getpid() || detached.DetachTime.Before(before) {
		t.Errorf("after detaching: %+v", detached)
	}
	if !detached.ChangeTime.Equal(made.ChangeTime) || detached.CreatorPID != made.CreatorPID {
		t.Errorf("attaching changed what it has nothing to do with: %+v, was %+v", detached, made)
	}
}

func TestLastPIDIsWhoAttachedOrDetachedLast(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	m := attach(t, seg, nil)
	o := startOther(t, nil)
	o.does(fmt.Sprintf("open-id %d", seg.ID()))
	if pid := stat(t, seg).LastPID; pid != os.Getpid() {
		t.Errorf("opening alone made %d the last pid", pid)
	}
	o.does("attach")
	if pid := stat(t, seg).LastPID; pid != o.Pid() {
		t.Errorf("last pid %d, want that of the other process, %d", pid, o.Pid())
	}
	closeOK(t, m)
	if pid := stat(t, seg).LastPID; pid != os.Getpid() {
		t.Errorf("last pid %d, want ours, %d", pid, os.Getpid())
	}
	o.does("close")
	if info := stat(t, seg); info.LastPID != o.Pid() || info.CreatorPID != os.Getpid() {
		t.Errorf("last pid %d, creator %d; want %d, %d", info.LastPID, info.CreatorPID, o.Pid(), os.Getpid())
	}
}

// A process that ends, however, detaches.
func TestAttachCountFollowsTwentyProcesses(t *testing.T) {
	const n = 20
	seg := newSegment(t, 1, 0o600)
	procs := make([]other, n)
	for i := range procs {
		procs[i] = startOther(t, nil)
		procs[i].does(fmt.Sprintf("open-id %d", seg.ID()))
	}
	wantAttached(t, seg, 0)
	for i, p := range procs {
		p.does("attach")
		wantAttached(t, seg, i+1)
	}
	all, err := sysv.Segments()
	ok(t, err)
	listed := false
	for _, info := range all {
		if info.ID == seg.ID() {
			listed = true
			if diff := cmp.Diff(stat(t, seg), info); diff != "" {
				t.Errorf("the list says otherwise than Stat (-stat +list):\n%s", diff)
			}
		}
	}
	if !listed {
		t.Error("the list does not have the segment")
	}
	for i, p := range procs {
		switch i % 3 {
		case 0:
			p.does("close")
		case 1:
			p.Kill()
		default:
			p.CloseStdin()
			if err := p.Wait(); err != nil {
				t.Error(err)
			}
		}
		wantAttached(t, seg, n-1-i)
	}
}

// A Go program is no fork, but its children may be: nattch, as shmctl(2) counts
// it, is inherited and given back.
func TestForkInheritsAttachments(t *testing.T) {
	const children = 20
	seg := newSegment(t, 1, 0o600)
	m := attach(t, seg, nil)
	p := startC(t, "forks", fmt.Sprint(seg.ID()), fmt.Sprint(children))
	p.expect("attached")
	wantAttached(t, seg, 2)
	p.send("go")
	p.expect("forked")
	wantAttached(t, seg, 2+children)
	p.send("go")
	p.expect("ended")
	wantAttached(t, seg, 2)
	p.send("go")
	p.expect("executed")
	wantAttached(t, seg, 1)
	closeOK(t, m)
	wantAttached(t, seg, 0)
}

func TestChangesAdvanceTheChangeTime(t *testing.T) {
	seg := newSegment(t, 1, 0o600)
	for what, change := range map[string]func() error{
		"mode":  func() error { return seg.SetMode(0o640) },
		"owner": func() error { return seg.SetOwner(-1, -1) },
	} {
		old := stat(t, seg).ChangeTime
		testenv.Eventually(t, "a change of "+what+" advances the change time, of seconds", func() bool {
			ok(t, change())
			return stat(t, seg).ChangeTime.After(old)
		})
	}
}
