package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

var ctx = context.Background()

// folder makes a folder of its own in /dev/shm that anybody can use, to examine as /dev/shm.
func folder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, fs.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// put makes a file with something in it, which nobody has open.
func put(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, append([]byte(content), make([]byte, os.Getpagesize()-len(content))...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
}

// examine looks at objects, but for System V's, which a test may have for itself or not.
func examine(t testing.TB, o Options) []Finding {
	t.Helper()
	o.Areas = cmp.Or(o.Areas, Shared|Files)
	if o.Dir == "" {
		o.Dir = filepath.Join(o.Shm, "none")
	}
	found, err := Examine(ctx, &o)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// about returns the finding about an object.
func about(found []Finding, object string) (Finding, bool) {
	for _, f := range found {
		if f.Object == object {
			return f, true
		}
	}
	return Finding{}, false
}

func exists(t testing.TB, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// mendAll does what doctor --fix does: all that is offered.
func mendAll(t testing.TB, found []Finding) {
	t.Helper()
	for _, f := range found {
		if f.Fixable {
			if err := Fix(ctx, f); err != nil && !errors.Is(err, ErrInUse) {
				t.Errorf("%s: %v", f.Object, err)
			}
		}
	}
}

func TestWhatAnybodyHasStays(t *testing.T) {
	for _, way := range []string{"reads", "writes", "maps", "maps private", "locks", "sends", "maps elsewhere"} {
		t.Run(way, func(t *testing.T) {
			shm := folder(t)
			used, unused := filepath.Join(shm, "used"), filepath.Join(shm, "unused")
			put(t, used)
			put(t, unused)
			o, args := &testenv.StartOptions{}, []string{way, used}
			if way == "maps elsewhere" {
				o.Cloneflags = syscall.CLONE_NEWNS
				if os.Geteuid() != 0 {
					o.Cloneflags |= syscall.CLONE_NEWUSER
				}
				args = append(args, t.TempDir(), shm)
			}
			user := testenv.StartWith(t, o, "user", args...)
			user.Expect("ready")
			before, err := os.Stat(used)
			if err != nil {
				t.Fatal(err)
			}
			found := examine(t, Options{Shm: shm, Age: -1})
			if f, ok := about(found, "file:"+used); ok {
				t.Errorf("found: %+v", f)
			}
			if f, ok := about(found, "file:"+unused); !ok || !f.Fixable || f.Kind != UnusedObject {
				t.Errorf("of the one that nobody has: %+v", f)
			}
			mendAll(t, found)
			if exists(t, unused) {
				t.Error("what nobody has is there")
			}
			if after, err := os.Stat(used); err != nil || !os.SameFile(before, after) {
				t.Errorf("what somebody has: %v", err)
			}
			user.Send("look")
			user.Expect("fine")
			// It was found unused before: the proof is made again.
			n := nameOf(used, before)
			if err := n.remove(0); !errors.Is(err, ErrInUse) || !exists(t, used) {
				t.Errorf("removing it: %v", err)
			}
			user.Kill()
			testenv.Eventually(t, "it is nobody's", func() bool { return n.remove(0) == nil })
			if exists(t, used) {
				t.Error("its user is dead, and it is there")
			}
		})
	}
}

// What a process of another user has, whom this one may not look at.
func TestWhatAnotherUserHasStays(t *testing.T) {
	nobody := testenv.Nobody(t)
	for _, c := range []struct {
		name           string
		user, examiner *syscall.Credential
		owner          int
		mended         bool
	}{
		{"root finds what nobody has", nobody, nil, int(nobody.Uid), true},
		{"nobody finds what root has", nil, nobody, int(nobody.Uid), true},
		{"nobody finds what is root's", nil, nobody, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			shm := folder(t)
			used, unused := filepath.Join(shm, "used"), filepath.Join(shm, "unused")
			for _, path := range []string{used, unused} {
				put(t, path)
				if err := os.Chown(path, c.owner, -1); err != nil {
					t.Fatal(err)
				}
			}
			user := testenv.StartWith(t, &testenv.StartOptions{Credential: c.user}, "user", "maps", used)
			user.Expect("ready")
			doctor := testenv.StartWith(t, &testenv.StartOptions{Credential: c.examiner}, "doctor", shm, filepath.Join(shm, "none"))
			said, err := doctor.ReadLine()
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if c.mended {
				want = "unused-object file:" + unused + " mended"
			}
			if said != want {
				t.Errorf("it said %q, not %q", said, want)
			}
			if !exists(t, used) || exists(t, unused) == c.mended {
				t.Errorf("used is there: %t, unused: %t", exists(t, used), exists(t, unused))
			}
			user.Send("look")
			user.Expect("fine")
		})
	}
}

func TestWhatHasAnotherNameStays(t *testing.T) {
	shm := folder(t)
	path := filepath.Join(shm, "x")
	put(t, path)
	if err := os.Link(path, filepath.Join(shm, "y")); err != nil {
		t.Fatal(err)
	}
	found := examine(t, Options{Shm: shm, Age: -1})
	f, ok := about(found, "file:"+path)
	if !ok || f.Fixable || !strings.Contains(f.Kept, "2 names") || f.Severity != Notice {
		t.Errorf("%+v", f)
	}
	if err := Fix(ctx, f); !errors.Is(err, ErrNotFixable) {
		t.Errorf("Fix: %v", err)
	}
	// It gets one between the two.
	if err := os.Remove(filepath.Join(shm, "y")); err != nil {
		t.Fatal(err)
	}
	f, _ = about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
	if err := os.Link(path, filepath.Join(shm, "y")); err != nil {
		t.Fatal(err)
	}
	if err := Fix(ctx, f); !errors.Is(err, ErrInUse) || !exists(t, path) {
		t.Errorf("Fix: %v", err)
	}
}

func TestWhatIsYoungStays(t *testing.T) {
	shm := folder(t)
	path := filepath.Join(shm, "x")
	put(t, path)
	o := Options{Shm: shm}
	put(t, filepath.Join(shm, "used"))
	user := testenv.Start(t, "user", "maps", filepath.Join(shm, "used"))
	user.Expect("ready")
	if found := examine(t, o); len(found) != 1 || found[0].Kind != TooYoung || !strings.HasPrefix(found[0].Summary, "1 object, together 4 KiB") {
		t.Errorf("just made: %+v", found)
	}
	ahead := 2 * DefaultAge
	clock = func() time.Time { return time.Now().Add(ahead) }
	defer func() { clock = time.Now }()
	f, ok := about(examine(t, o), "file:"+path)
	if !ok || !f.Fixable {
		t.Fatalf("after two hours: %+v", f)
	}
	// Somebody reads it, and closes it, between the two.
	if err := os.Chtimes(path, clock(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := Fix(ctx, f); !errors.Is(err, ErrRecent) || !exists(t, path) {
		t.Errorf("Fix: %v", err)
	}
	ahead *= 2
	if err := Fix(ctx, f); err != nil || exists(t, path) {
		t.Errorf("Fix, later: %v", err)
	}
	if err := Fix(ctx, f); err != nil {
		t.Errorf("Fix of what is gone: %v", err)
	}
}

func TestWhatWasReplacedStays(t *testing.T) {
	shm := folder(t)
	path := filepath.Join(shm, "x")
	put(t, path)
	f, _ := about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
	put(t, path+"2")
	if err := os.Rename(path+"2", path); err != nil {
		t.Fatal(err)
	}
	if err := Fix(ctx, f); !errors.Is(err, ErrChanged) || !exists(t, path) {
		t.Errorf("Fix: %v", err)
	}
	for what, replace := range map[string]func() error{
		"symbolic link": func() error { return os.Symlink("/etc/passwd", path) },
		"pipe":          func() error { return syscall.Mkfifo(path, 0o600) },
		"folder":        func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		if err := Fix(ctx, f); !errors.Is(err, ErrChanged) || !exists(t, path) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// at calls f at one point of what is done to a file, once.
func at(t *testing.T, name string, f func()) {
	t.Helper()
	done := false
	point = func(p string) {
		if p == name && !done {
			done = true
			f()
		}
	}
	t.Cleanup(func() {
		point = func(string) {}
		if !done {
			t.Errorf("it did not come to %s", name)
		}
	})
}

// Somebody comes to open the file while it is being removed: he gets it, and its name.
func TestWhoOpensAtTheSameMomentKeepsTheName(t *testing.T) {
	shm := folder(t)
	path := filepath.Join(shm, "x")
	put(t, path)
	f, _ := about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
	opener := testenv.Start(t, "opener", path)
	opener.Expect("ready")
	at(t, "file:leased", func() {
		opener.Send("open")
		testenv.Eventually(t, "it waits for the lease", func() bool { return testenv.InSyscall(t, opener.Pid(), syscall.SYS_OPENAT) })
	})
	if err := Fix(ctx, f); !errors.Is(err, ErrInUse) {
		t.Errorf("Fix: %v", err)
	}
	opener.Expect("names 1")
	if names := list(t, shm); names != "x" {
		t.Errorf("names: %s", names)
	}
}

// The same, and before the name is given back somebody makes a new object of it.
func TestANameThatWasTakenMeanwhileIsNotTakenBack(t *testing.T) {
	shm := folder(t)
	path := filepath.Join(shm, "x")
	put(t, path)
	f, _ := about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
	opener := testenv.Start(t, "opener", path)
	opener.Expect("ready")
	made := false
	point = func(p string) {
		switch p {
		case "file:leased":
			opener.Send("open")
			testenv.Eventually(t, "it waits for the lease", func() bool { return testenv.InSyscall(t, opener.Pid(), syscall.SYS_OPENAT) })
		case "file:aside":
			put(t, path)
			made = true
		}
	}
	defer func() { point = func(string) {} }()
	if err := Fix(ctx, f); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), ".shmkit-doctor-") {
		t.Errorf("Fix: %v", err)
	}
	opener.Expect("names 1")
	if names := list(t, shm); !made || !strings.HasPrefix(names, ".shmkit-doctor-") || !strings.HasSuffix(names, " x") {
		t.Errorf("names: %s", names)
	}
}

// Who comes so late that the name can't be given back is told of.
func TestWhoOpensTooLateIsToldOf(t *testing.T) {
	shm := folder(t)
	path := filepath.Join(shm, "x")
	put(t, path)
	f, _ := about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
	var opener *testenv.Proc
	at(t, "file:checked", func() { // by the name that it has just then, as if he had found the old one before
		opener = testenv.Start(t, "opener", filepath.Join(shm, list(t, shm)))
		opener.Expect("ready")
		opener.Send("open")
		testenv.Eventually(t, "it waits for the lease", func() bool { return testenv.InSyscall(t, opener.Pid(), syscall.SYS_OPENAT) })
	})
	if err := Fix(ctx, f); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "has it without one") {
		t.Errorf("Fix: %v", err)
	}
	opener.Expect("names 0")
}

func list(t testing.TB, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// Many open by name what is being removed again and again. Who has it open with a name keeps both.
func TestOpenersAndRemoversRace(t *testing.T) {
	shm := folder(t)
	var openers []*testenv.Proc
	for range 4 {
		openers = append(openers, testenv.Start(t, "openers", shm))
	}
	for _, p := range openers {
		p.Expect("ready")
	}
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	if testenv.Soaking() {
		rounds = 100000
	}
	removed, kept := 0, 0
	begin := time.Now()
	for i := 0; i < rounds || (removed == 0 || kept == 0) && time.Since(begin) < testenv.Failsafe; i++ {
		path := filepath.Join(shm, fmt.Sprint(i%4))
		if !exists(t, path) {
			put(t, path)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		switch err := nameOf(path, info).remove(0); {
		case err == nil:
			removed++
		case errors.Is(err, ErrInUse):
			kept++
		default:
			t.Fatal(err)
		}
	}
	for _, p := range openers {
		p.Send("over")
		said, err := p.ReadLine()
		if err != nil {
			t.Fatal("an opener ended:", err)
		}
		t.Log(said)
	}
	t.Logf("%d removed, %d kept", removed, kept)
	if removed == 0 || kept == 0 {
		t.Errorf("%d removed, %d kept: there was no race", removed, kept)
	}
}
