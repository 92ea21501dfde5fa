package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// leak makes a segment whose maker is gone.
func leak(t testing.TB) *sysv.Segment {
	t.Helper()
	p := testenv.Start(t, "segment", "make")
	s := made(t, p)
	if code := p.ExitCode(); code != 0 {
		t.Fatal("exit code", code)
	}
	return s
}

// made returns the segment that a role has made.
func made(t testing.TB, p *testenv.Proc) *sysv.Segment {
	t.Helper()
	line, err := p.ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sysv.OpenID(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	return s
}

func attached(t testing.TB, s *sysv.Segment) int {
	t.Helper()
	info, err := s.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Attached
}

// segmentsFound are the findings about System V objects.
func segmentsFound(t testing.TB) []Finding {
	t.Helper()
	return examine(t, Options{Shm: t.TempDir(), Age: -1, Areas: SystemV})
}

func TestLeakedSegmentsAreRemovedAndOthersStay(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	unused := leak(t)
	for _, c := range []struct {
		name string
		use  func(t *testing.T) (s *sysv.Segment, still func())
		kind string // of the finding
		kept string
	}{
		{"attached", func(t *testing.T) (*sysv.Segment, func()) {
			s := leak(t)
			p := testenv.Start(t, "segment", "attach", fmt.Sprint(s.ID()))
			p.Expect("ready")
			return s, func() { p.Send("use"); p.Expect("fine") }
		}, "", ""},
		{"attached by who left the namespace", func(t *testing.T) (*sysv.Segment, func()) {
			s := leak(t)
			p := testenv.Start(t, "segment", "attach and leave", fmt.Sprint(s.ID()))
			if said, err := p.ReadLine(); err != nil || said != "ready" {
				t.Skip("it could not leave: ", said, err)
			}
			return s, func() { p.Send("use"); p.Expect("fine") }
		}, "", ""},
		{"its maker lives", func(t *testing.T) (*sysv.Segment, func()) {
			p := testenv.Start(t, "segment", "make and stay")
			return made(t, p), func() {}
		}, DetachedSegment, "number of the one that made it"},
		{"its last user lives", func(t *testing.T) (*sysv.Segment, func()) {
			s := leak(t)
			p := testenv.Start(t, "segment", "use and stay", fmt.Sprint(s.ID()))
			p.Expect("ready")
			return s, func() {}
		}, DetachedSegment, "last one to attach or detach"},
		{"locked", func(t *testing.T) (*sysv.Segment, func()) {
			s := leak(t)
			if err := s.Lock(); err != nil {
				t.Skip(err)
			}
			return s, func() {}
		}, DetachedSegment, "locked it into memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, still := c.use(t)
			found := segmentsFound(t)
			f, ok := about(found, s.String())
			if ok != (c.kind != "") || f.Kind != c.kind || !strings.Contains(f.Kept, c.kept) || f.Fixable {
				t.Errorf("found: %+v", f)
			}
			mendAll(t, found)
			if _, err := s.Stat(); err != nil {
				t.Error(err)
			}
			still()
		})
	}
	if _, err := unused.Stat(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what nobody has: %v", err)
	}
}

func TestALeakedSegmentIsToldOf(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	s := leak(t)
	if found := examine(t, Options{Shm: t.TempDir(), Areas: SystemV}); len(found) != 1 || found[0].Kind != TooYoung {
		t.Errorf("just made: %+v", found)
	}
	f, ok := about(segmentsFound(t), s.String())
	if !ok || f.Kind != LeakedSegment || f.Severity != Warning || !f.Fixable || f.Command != "shmkit rm "+s.String() || !strings.Contains(f.Evidence, "attach count 0") {
		t.Errorf("%+v", f)
	}
	if err := Fix(ctx, f); err != nil {
		t.Error(err)
	}
	if err := Fix(ctx, f); err != nil {
		t.Errorf("Fix of what is gone: %v", err)
	}
}

// Somebody comes between Examine and Fix.
func TestASegmentIsProvedUnusedAgain(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	s := leak(t)
	f, _ := about(segmentsFound(t), s.String())
	m, err := s.Attach(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := Fix(ctx, f); !errors.Is(err, ErrInUse) {
		t.Errorf("attached: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Fix(ctx, f); !errors.Is(err, ErrInUse) {
		t.Errorf("detached by this process, which lives: %v", err)
	}

	s = leak(t)
	f, _ = about(segmentsFound(t), s.String())
	if err := s.SetMode(0o600); err != nil {
		t.Fatal(err)
	}
	if err := Fix(ctx, f); !errors.Is(err, ErrChanged) {
		t.Errorf("changed: %v", err)
	}

	s = leak(t)
	clock = func() time.Time { return time.Now().Add(2 * DefaultAge) }
	defer func() { clock = time.Now }()
	f, ok := about(examine(t, Options{Shm: t.TempDir(), Areas: SystemV}), s.String())
	if !ok {
		t.Error("after two hours it is not found")
	}
	clock = time.Now
	if err := Fix(ctx, f); !errors.Is(err, ErrRecent) {
		t.Errorf("young: %v", err)
	}
}

// Who attaches between the proof and the removal keeps the memory.
func TestWhoAttachesAtTheSameMomentKeepsTheSegment(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	s := leak(t)
	f, _ := about(segmentsFound(t), s.String())
	p := (*testenv.Proc)(nil)
	at(t, "segment:proved", func() {
		p = testenv.Start(t, "segment", "attach", fmt.Sprint(s.ID()))
		p.Expect("ready")
	})
	if err := Fix(ctx, f); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "at the very moment") {
		t.Errorf("Fix: %v", err)
	}
	if n := attached(t, s); n != 1 {
		t.Errorf("attached %d times", n)
	}
	p.Send("use")
	p.Expect("fine")
}

// What cannot be known of processes elsewhere.
func TestMakersThatAreNotSeenMayLive(t *testing.T) {
	dead := testenv.Start(t, "segment", "nothing", "x") // it fails
	dead.ExitCode()
	o := &Options{}
	ok := sysv.SegmentInfo{CreatorPID: dead.Pid(), LastPID: dead.Pid()}
	if why := o.maybeUsed(ok); why != "" {
		t.Fatal(why)
	}
	for want, change := range map[string]func(*sysv.SegmentInfo){
		"made it is of another PID namespace": func(s *sysv.SegmentInfo) { s.CreatorPID = 0 },
		"attach it is of another PID":         func(s *sysv.SegmentInfo) { s.LastPID, s.AttachTime = 0, time.Unix(1, 0) },
		"1 attachments":                       func(s *sysv.SegmentInfo) { s.Attached = 1 },
		"number of the one that made it":      func(s *sysv.SegmentInfo) { s.CreatorPID = 1 },
	} {
		s := ok
		change(&s)
		if why := o.maybeUsed(s); !strings.Contains(why, want) {
			t.Errorf("%q, want %q", why, want)
		}
	}
}

// A process that /proc does not show, as with hidepid, is not taken to be gone.
func TestAProcessThatProcHidesLives(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	nobody := testenv.Nobody(t)
	living := testenv.Start(t, "segment", "make and stay")
	made(t, living)
	if err := syscall.Mount("proc", "/proc", "proc", 0, "hidepid=2"); err != nil {
		t.Skip(err)
	}
	defer syscall.Unmount("/proc", syscall.MNT_DETACH)
	dead := testenv.Start(t, "segment", "nothing", "x")
	dead.ExitCode()
	testenv.StartWith(t, &testenv.StartOptions{Credential: nobody}, "gone", fmt.Sprint(living.Pid()), fmt.Sprint(dead.Pid())).Expect("false true true")
}

func TestSetsAndQueuesAreToldOfAndStay(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	set, err := sysv.CreateSemaphores(sysv.Private, 2, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Remove()
	q, err := sysv.CreateQueue(sysv.Private, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Remove()
	found := segmentsFound(t)
	for object, kind := range map[string]string{set.String(): IdleSemaphores, q.String(): IdleQueue} {
		f, ok := about(found, object)
		if !ok || f.Kind != kind || f.Severity != Notice || f.Fixable || f.Kept == "" {
			t.Errorf("%s: %+v", object, f)
		}
		if err := Fix(ctx, f); !errors.Is(err, ErrNotFixable) {
			t.Errorf("Fix: %v", err)
		}
	}
	// Who used them last lives: this process.
	if err := set.Op(ctx, sysv.Post(1)); err != nil {
		t.Fatal(err)
	}
	if err := q.Send(ctx, 1, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if found := segmentsFound(t); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

// TestYoungOnesAreCounted: what was used a short while ago is not called unused, and not passed over in silence.
func TestYoungOnesAreCounted(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	leaked := leak(t)
	found, err := Examine(t.Context(), &Options{Areas: SystemV, Age: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	young := slices.IndexFunc(found, func(f Finding) bool { return f.Kind == TooYoung })
	if young < 0 || found[young].Severity != Notice || found[young].Fixable || !strings.HasPrefix(found[young].Summary, "1 object, together ") {
		t.Errorf("%+v", found)
	}
	found, err = Examine(t.Context(), &Options{Areas: SystemV, Age: -1})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || found[0].Kind != LeakedSegment || found[0].Object != fmt.Sprintf("sysv:id=%d", leaked.ID()) {
		t.Errorf("%+v", found)
	}
}
