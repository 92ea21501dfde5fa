package posixshm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

// filled are options of an object with a content of its own.
func filled(tag uint64, replace bool) *posixshm.Options {
	return &posixshm.Options{Replace: replace, Init: func(m *shmkit.Mapping) error { return fill(m, tag) }}
}

func TestReplaceLeavesTheOldObjectToItsUsers(t *testing.T) {
	d := newDir(t)
	first := create(t, d, "/frames", 100, filled(1, true)) // nothing to replace
	wantEntries(t, d, "frames")
	m := mapped(t, first, nil)
	second := create(t, d, "/frames", 3*pageSize, filled(2, true))
	wantEntries(t, d, "frames")
	if a, b := stat(t, first), stat(t, second); !a.Removed || b.Removed || a.Inode == b.Inode {
		t.Errorf("%+v\n%+v", a, b)
	}
	if got := text(t, m, 0, 100); got != string(content(1, 0, 100)) {
		t.Error("the old object has changed")
	}
	if tag, err := checkWhole(open(t, d, "/frames", nil), 1, 2); tag != 2 {
		t.Errorf("content %d, %v", tag, err)
	}
	// One that fails leaves the old one.
	boom := errors.New("boom")
	_, err := d.Create("/frames", 100, &posixshm.Options{Replace: true, Init: func(*shmkit.Mapping) error {
		if tag, err := checkWhole(open(t, d, "/frames", nil), 1, 2); tag != 2 {
			t.Errorf("while the next is made: content %d, %v", tag, err)
		}
		return boom
	}})
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	if info, err := d.Stat("/frames"); err != nil || info != stat(t, second) {
		t.Errorf("%+v, %v", info, err)
	}
	wantEntries(t, d, "frames")
}

// The lock that marks a temporary name is of no use afterwards, and gone.
func TestReplacedNameHasNoLock(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 100, nil)
	var own string
	posixshm.SetPoint(func(name string) {
		if locks, err := os.ReadFile("/proc/locks"); err == nil && name == "renamed" {
			own = lockOf(string(locks), inode(t, d, "/frames"))
		}
	})
	defer posixshm.SetPoint(func(string) {})
	create(t, d, "/frames", 100, &posixshm.Options{Replace: true})
	if own == "" {
		t.Error("there was no lock while it was renamed")
	}
	locks, err := os.ReadFile("/proc/locks")
	ok(t, err)
	if l := lockOf(string(locks), inode(t, d, "/frames")); l != "" {
		t.Errorf("a lock is left: %s", l)
	}
}

func inode(t *testing.T, d posixshm.Dir, name string) uint64 {
	info, err := d.Stat(name)
	ok(t, err)
	return info.Inode
}

// lockOf returns the line of /proc/locks about an inode.
func lockOf(locks string, inode uint64) string {
	for line := range strings.Lines(locks) {
		if strings.Contains(line, fmt.Sprintf(":%d 2305843009213693952 ", inode)) {
			return line
		}
	}
	return ""
}

// Nobody who opens the name while others replace it finds none, or half of one.
func TestOpenersFindTheOldOrTheNewObject(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 2*pageSize, filled(1, false))
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	const replacers = 4
	agents := make([]*testenv.Proc, replacers)
	var tags []uint64
	for i := range agents {
		agents[i] = startAgent(t, nil)
		tags = append(tags, uint64(i+1))
	}
	var over atomic.Bool
	type seen struct {
		opened int
		tags   map[uint64]bool
		err    error
	}
	done := make(chan seen)
	const openers = 3
	for range openers {
		go func() {
			s := seen{tags: map[uint64]bool{}}
			for s.err == nil && !over.Load() {
				var obj *posixshm.Object
				if obj, s.err = d.Open("/frames", nil); s.err != nil {
					break
				}
				var tag uint64
				tag, s.err = checkWhole(obj, tags...)
				s.tags[tag] = true
				s.opened++
				s.err = errors.Join(s.err, obj.Close())
			}
			done <- s
		}()
	}
	for range rounds {
		for i, p := range agents {
			give(t, p, order{Do: "create", Dir: d, Name: "/frames", Size: int64(i+1) * pageSize, Tag: tags[i], Replace: true})
		}
		for _, p := range agents {
			if a, _ := hear(t, p); a.Error != "" {
				t.Error(a.Error)
			}
		}
	}
	over.Store(true)
	for range openers {
		s := <-done
		if s.err != nil {
			t.Error(s.err)
		}
		t.Logf("opened %d times, saw the objects of %d processes", s.opened, len(s.tags))
	}
	wantEntries(t, d, "frames")
}

// pointsInSource finds the names of all points.
func pointsInSource(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	ok(t, err)
	call := regexp.MustCompile(`\bpoint\("([^"]+)"\)`)
	var names []string
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		ok(t, err)
		for _, m := range call.FindAllStringSubmatch(string(text), -1) {
			names = append(names, m[1])
		}
	}
	if len(names) < 8 {
		t.Fatalf("only the points %q found", names)
	}
	return names
}

// Killed at each point: the name means nothing, the old object, or the new one whole,
// and the next creation by anyone of this user removes what is left.
func TestKilledAtEveryPoint(t *testing.T) {
	type stage struct {
		name string
		o    order
		old  bool
	}
	killed := map[string]bool{}
	for _, s := range []stage{
		{"create", order{Do: "create"}, false},
		{"open or create", order{Do: "open or create"}, false},
		{"replace", order{Do: "create", Replace: true}, true},
	} {
		for _, point := range pointsInSource(t) {
			t.Run(s.name+"/"+point, func(t *testing.T) {
				d := newDir(t)
				if s.old {
					create(t, d, "/frames", 100, filled(1, false))
				}
				p := startAgent(t, nil)
				s.o.Dir, s.o.Name, s.o.Size, s.o.Tag, s.o.KillAt = d, "/frames", 5*pageSize, 2, point
				give(t, p, s.o)
				if _, alive := hear(t, p); alive {
					return // it does not come there
				}
				killed[point] = true

				obj, err := d.Open("/frames", nil)
				switch {
				case err == nil:
					if tag, err := checkWhole(obj, 1, 2); err != nil || tag == 1 && !s.old {
						t.Errorf("content %d, %v", tag, err)
					}
					closeOK(t, obj)
				case s.old || !errors.Is(err, os.ErrNotExist):
					t.Error(err)
				}
				all, err := d.List()
				ok(t, err)
				for _, info := range all {
					if info.Name != "/frames" {
						t.Errorf("listed: %+v", info)
					}
				}
				left := len(all)
				create(t, d, "/another", 1, nil)
				if now := entries(t, d); len(now) != left+1 || strings.HasPrefix(now[0], ".") {
					t.Errorf("left over: %q", now)
				}
			})
		}
	}
	for _, point := range pointsInSource(t) {
		if !killed[point] {
			t.Errorf("nobody was killed at point %q", point)
		}
	}
}

// A temporary name goes when its process is dead, and not before.
func TestSweepLeavesTheLivingAlone(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 100, filled(1, false))
	// As a replacement by a living process has it.
	temporary := posixshm.TemporaryDir(d)
	inTheMiddle := 0
	posixshm.SetPoint(func(name string) {
		if name != "linked aside" || inTheMiddle > 0 {
			return
		}
		inTheMiddle++
		create(t, d, "/another", 1, nil)
		create(t, d, "/another", 1, &posixshm.Options{Replace: true})
		if names, err := os.ReadDir(temporary); err != nil || len(names) != 1 {
			t.Errorf("temporary names %v, %v", names, err)
		}
	})
	defer posixshm.SetPoint(func(string) {})
	create(t, d, "/frames", 100, filled(2, true))
	if inTheMiddle != 1 {
		t.Error("nobody came in the middle")
	}
	wantEntries(t, d, "another", "frames")
	if tag, err := checkWhole(open(t, d, "/frames", nil), 1, 2); tag != 2 {
		t.Errorf("content %d, %v", tag, err)
	}
}

// The directory of temporary names may go between any two steps.
func TestTemporaryDirectoryGoesMeanwhile(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 100, nil)
	temporary := posixshm.TemporaryDir(d)
	times := 0
	posixshm.SetPoint(func(name string) {
		if name == "directory made" && times < 5 {
			times++
			ok(t, os.Remove(temporary))
		}
	})
	defer posixshm.SetPoint(func(string) {})
	create(t, d, "/frames", 100, filled(2, true))
	if times != 5 {
		t.Errorf("removed %d times", times)
	}
	wantEntries(t, d, "frames")
}

func TestSomethingInTheWayOfTemporaryNames(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 100, filled(1, false))
	temporary := posixshm.TemporaryDir(d)
	ways := map[string]func() error{
		"file": func() error { return os.WriteFile(temporary, nil, 0o600) },
		"link": func() error { return os.Symlink(t.TempDir(), temporary) },
	}
	if os.Geteuid() == 0 {
		ways["another user's directory"] = func() error {
			return errors.Join(os.Mkdir(temporary, 0o700), os.Chown(temporary, 12345, 12345))
		}
	}
	for what, inTheWay := range ways {
		ok(t, inTheWay())
		_, err := d.Create("/frames", 100, &posixshm.Options{Replace: true})
		wantError(t, err, exists, temporary+" is in the way", "have it removed")
		create(t, d, "/"+what, 1, nil) // which needs no temporary name
		if tag, err := checkWhole(open(t, d, "/frames", nil), 1); tag != 1 {
			t.Errorf("%s: content %d, %v", what, tag, err)
		}
		ok(t, os.Remove(temporary))
	}
}

// What an attacker, or a mistake, puts among the temporary names hurts nobody.
func TestSweepOfStrangeThings(t *testing.T) {
	d := newDir(t)
	temporary := posixshm.TemporaryDir(d)
	target := create(t, d, "/target", 100, nil)
	ok(t, os.Mkdir(temporary, 0o700))
	in := func(name string) string { return filepath.Join(temporary, name) }
	ok(t, os.Symlink(filepath.Join(string(d), "target"), in("link")))
	ok(t, os.Mkdir(in("directory"), 0o700))
	ok(t, syscall.Mkfifo(in("pipe"), 0o600))
	ok(t, os.WriteFile(in("dead"), []byte("x"), 0o200))
	create(t, d, "/frames", 1, nil)
	if stat(t, target).Removed {
		t.Error("the target of a link was removed")
	}
	left, err := os.ReadDir(temporary)
	ok(t, err)
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	if slices.Contains(names, "dead") || !slices.Contains(names, "directory") {
		t.Errorf("left: %q", names)
	}
}
