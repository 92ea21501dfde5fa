package sysv_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

var pageSize = os.Getpagesize()

// freeKey returns a key that nothing has. A segment that has it at the end of the
// test is removed.
func freeKey(t testing.TB) sysv.Key { return sysv.Key(testenv.Key(t)) }

// newSegment makes a segment with a key for this test.
func newSegment(t testing.TB, size int64, mode fs.FileMode) *sysv.Segment {
	t.Helper()
	seg, err := sysv.Create(freeKey(t), size, mode)
	if err != nil {
		t.Fatal(err)
	}
	return seg
}

// getPrivate is GetSegment of a segment without a key, for this test.
func getPrivate(t testing.TB, size int64, o *sysv.SegmentOptions) (*sysv.Segment, error) {
	t.Helper()
	seg, err := sysv.GetSegment(sysv.Private, size, o)
	if err == nil {
		t.Cleanup(func() { removeAtLast(t, seg) })
	}
	return seg, err
}

// removeAtLast removes a segment that may be gone already.
func removeAtLast(t testing.TB, seg *sysv.Segment) {
	t.Helper()
	if err := seg.Remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// attach attaches seg for the test.
func attach(t testing.TB, seg *sysv.Segment, o *sysv.AttachOptions) *shmkit.Mapping {
	t.Helper()
	m, err := seg.Attach(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOK(t, m) })
	return m
}

func closeOK(t testing.TB, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stat returns what the kernel knows of seg.
func stat(t testing.TB, seg *sysv.Segment) sysv.SegmentInfo {
	t.Helper()
	info, err := seg.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// wantAttached requires the kernel to count n mappings of seg.
func wantAttached(t testing.TB, seg *sysv.Segment, n int) {
	t.Helper()
	if got := stat(t, seg).Attached; got != n {
		t.Errorf("%d mappings are attached, want %d", got, n)
	}
}

// wantError requires err to be all of the errors in names, as describe gives
// them, and no other that has a name, and its message to say all of texts.
func wantError(t testing.TB, err error, names string, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one that is %s", names)
	}
	wantDescription(t, describe(err), names, texts...)
}

func wantDescription(t testing.TB, description, names string, texts ...string) {
	t.Helper()
	got, message, _ := strings.Cut(description, ": ")
	if got != names {
		t.Errorf("the error is %s, want %s: %s", got, names, message)
	}
	for _, text := range texts {
		if !strings.Contains(message, text) {
			t.Errorf("the message %q does not say %q", message, text)
		}
	}
}

// Names of errors as describe gives them.
const (
	accessDenied = "EACCES fs.ErrPermission"
	notOwner     = "EPERM fs.ErrPermission"
	invalid      = "EINVAL"
	noSuchID     = "EINVAL fs.ErrNotExist ErrRemoved"
	removedID    = "EIDRM fs.ErrNotExist ErrRemoved"
	noSuchKey    = "ENOENT fs.ErrNotExist"
	keyTaken     = "EEXIST fs.ErrExist"
	limitReached = "ENOSPC"
	noMemory     = "ENOMEM"
)

// wantGone requires err to say that the identifier is no more: EIDRM if the
// kernel uses its place again, else EINVAL.
func wantGone(t testing.TB, err error, texts ...string) {
	t.Helper()
	if err != nil && strings.HasPrefix(describe(err), "EIDRM") {
		wantError(t, err, removedID, texts...)
		return
	}
	wantError(t, err, noSuchID, append(texts, "no such identifier")...)
}

// other is another process that is told what to do.
type other struct {
	*testenv.Proc
	t *testing.T
}

// startOther starts it; nil options make it like this process.
func startOther(t *testing.T, o *testenv.StartOptions) other {
	t.Helper()
	return other{testenv.StartWith(t, o, "segments"), t}
}

// startNobody starts it as another user.
func startNobody(t *testing.T) other {
	t.Helper()
	return startOther(t, &testenv.StartOptions{Credential: testenv.Nobody(t)})
}

// startUnprivileged starts it as a user without privileges: ourselves, if we have
// none.
func startUnprivileged(t *testing.T) other {
	t.Helper()
	if os.Geteuid() == 0 {
		return startNobody(t)
	}
	return startOther(t, nil)
}

// ask sends a command and returns the answer.
func (o other) ask(command string) string {
	o.t.Helper()
	o.Send(command)
	line, err := o.ReadLine()
	if err != nil {
		o.t.Fatalf("%s: %v\n%s", command, err, o.Stderr())
	}
	return line
}

// does requires a command to work and returns what it answers.
func (o other) does(command string) string {
	o.t.Helper()
	answer, ok := strings.CutPrefix(o.ask(command), "ok ")
	if !ok {
		o.t.Fatalf("%s: %s", command, answer)
	}
	return answer
}

// failsTo requires a command to fail with the errors in names.
func (o other) failsTo(command, names string, texts ...string) {
	o.t.Helper()
	description, failed := strings.CutPrefix(o.ask(command), "error ")
	if !failed {
		o.t.Errorf("%s: worked, want %s", command, names)
		return
	}
	wantDescription(o.t, description, names, texts...)
}
