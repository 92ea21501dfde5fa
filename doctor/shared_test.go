package doctor

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/topic"
)

// ownFolder makes a folder for objects of shmkit.
func ownFolder(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("/dev/shm", testenv.Name(t))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func examineOwn(t testing.TB, dir string) []Finding {
	t.Helper()
	return examine(t, Options{Shm: t.TempDir(), Dir: dir, Age: -1})
}

// member starts a process that has an object open.
func member(t testing.TB, kind, hold, dir string) *testenv.Proc {
	t.Helper()
	p := testenv.Start(t, "member", kind, hold, dir)
	p.Expect("ready")
	return p
}

func TestObjectsOfLivingMembersStay(t *testing.T) {
	for _, kind := range []string{"lock", "queue", "topic"} {
		for _, stopped := range []bool{false, true} {
			name := kind
			if stopped {
				name += ", stopped"
			}
			t.Run(name, func(t *testing.T) {
				dir := ownFolder(t)
				p := member(t, kind, "hold", dir)
				if stopped {
					if err := p.Signal(syscall.SIGSTOP); err != nil {
						t.Fatal(err)
					}
					testenv.Eventually(t, "it is stopped", func() bool { return testenv.Stopped(t, p.Pid()) })
				}
				before := list(t, dir)
				found := examineOwn(t, dir)
				if len(found) > 0 {
					t.Errorf("%+v", found)
				}
				// As if it had been found without anybody.
				for _, k := range ownKinds() {
					if k.kind == kind {
						o := own{kind: k, name: kind[:1], dir: dir}
						if err := o.reclaim(ctx); !errors.Is(err, ErrInUse) {
							t.Errorf("reclaim: %v", err)
						}
					}
				}
				if after := list(t, dir); after != before {
					t.Errorf("%s, and before %s", after, before)
				}
				if err := p.Signal(syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
				p.Send("done")
				p.Expect("fine")
			})
		}
	}
}

func TestWhatTheDeadLeft(t *testing.T) {
	for _, c := range []struct {
		name, kind, hold string
		others           bool // another one lives
		want             string
		severity         Severity
		fixable          bool
		there            bool // after it
	}{
		{"lock of nobody", "lock", "", false, Abandoned, Warning, true, false},
		{"lock that was held", "lock", "hold", false, Orphaned, Warning, false, true},
		{"persistent lock", "lock", "persistent", false, Persistent, Notice, false, true},
		{"lock of others", "lock", "hold", true, DeadMembers, Warning, true, true},
		{"queue of nobody", "queue", "", false, Abandoned, Warning, true, false},
		{"queue with an item", "queue", "hold", false, Orphaned, Warning, false, true},
		{"persistent queue", "queue", "persistent", false, Persistent, Notice, false, true},
		{"queue of others", "queue", "", true, DeadMembers, Warning, false, true},
		{"topic of nobody", "topic", "", false, Abandoned, Warning, true, false},
		{"persistent topic", "topic", "persistent", false, Persistent, Notice, false, true},
		{"topic of others", "topic", "", true, DeadMembers, Warning, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := ownFolder(t)
			p := member(t, c.kind, c.hold, dir)
			var other *testenv.Proc
			if c.others {
				other = member(t, c.kind, "", dir)
			}
			p.Kill()
			var f Finding
			address := c.kind + ":" + c.kind[:1]
			testenv.Eventually(t, "the kernel has let go", func() (ok bool) {
				f, ok = about(examineOwn(t, dir), address)
				return ok
			})
			if f.Kind != c.want || f.Severity != c.severity || f.Fixable != c.fixable || (f.Kept == "") != c.fixable {
				t.Errorf("%+v", f)
			}
			if !strings.Contains(f.Command, "SHMKIT_DIR="+dir+" shmkit ") && f.Command != "" {
				t.Errorf("command %q", f.Command)
			}
			mendAll(t, []Finding{f})
			path := filepath.Join(dir, c.kind+"."+c.kind[:1])
			if exists(t, path) != c.there || !c.there && list(t, dir) != "" {
				t.Errorf("it is there: %t; names: %s", !c.there, list(t, dir))
			}
			if c.want == DeadMembers && c.fixable {
				if found := examineOwn(t, dir); len(found) > 0 {
					t.Errorf("mended, and there is %+v", found)
				}
			}
			if other != nil {
				other.Send("done")
				other.Expect("fine")
			}
			_ = pshared.Remove("lock", "l", dir)
			_ = queue.Remove("q", dir)
			_ = topic.Remove("t", dir)
		})
	}
}

// A lock that was held and was nobody's is told of to the next one, also after doctor.
func TestNewsOfADeadHolderStay(t *testing.T) {
	dir := ownFolder(t)
	p := member(t, "lock", "hold", dir)
	p.Kill()
	testenv.Eventually(t, "the kernel has let go", func() bool { return len(examineOwn(t, dir)) > 0 })
	mendAll(t, examineOwn(t, dir))
	if removed, err := pshared.Reclaim(ctx, "lock", "l", dir); removed || err != nil {
		t.Errorf("Reclaim: %t, %v", removed, err)
	}
	m, err := pshared.OpenMutex("l", &pshared.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Lock(ctx); !errors.Is(err, pshared.ErrOwnerDead) {
		t.Errorf("Lock: %v", err)
	}
	if err := errors.Join(m.MakeConsistent(), m.Unlock()); err != nil {
		t.Error(err)
	}
}

// What is under the name of an object and is none.
func TestNamesThatCannotBeOpened(t *testing.T) {
	whole := func(path string) error { // an object with something changed
		p := member(t, "lock", "persistent", filepath.Dir(path))
		p.Send("done")
		p.Expect("fine")
		p.Kill() // a closed lock stays mapped for a while
		return os.Rename(filepath.Join(filepath.Dir(path), "lock.l"), path)
	}
	store := func(path string, at int64, v uint32) error {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteAt(binary.NativeEndian.AppendUint32(nil, v), at)
		return err
	}
	for _, c := range []struct {
		name    string
		put     func(path string) error
		says    string
		fixable bool
	}{
		{"symbolic link", func(p string) error { return os.Symlink("/etc/passwd", p) }, "", false},
		{"folder", func(p string) error { return os.Mkdir(p, 0o700) }, "", false},
		{"pipe", func(p string) error { return syscall.Mkfifo(p, 0o600) }, "regular", false},
		{"text", func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("x", 9000)), 0o600) }, "", true},
		{"empty", func(p string) error { return os.WriteFile(p, nil, 0o600) }, "", true},
		{"another version", func(p string) error { return errors.Join(whole(p), store(p, 8, 2)) }, "version", true},
		{"corrupt", func(p string) error { return errors.Join(whole(p), store(p, 76, 5000)) }, "corrupt", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := ownFolder(t)
			path := filepath.Join(dir, "lock.x")
			if err := c.put(path); err != nil {
				t.Fatal(err)
			}
			f, ok := about(examineOwn(t, dir), "lock:x")
			if !ok || f.Kind != Unopenable || f.Severity != Warning || f.Fixable != c.fixable || !strings.Contains(f.Summary, c.says) {
				t.Errorf("%+v", f)
			}
			if !c.fixable {
				return
			}
			// While somebody has it open, as members of another version have, it stays.
			user := testenv.Start(t, "opener", path)
			user.Expect("ready")
			user.Send("open")
			user.Expect("names 1")
			if f, _ := about(examineOwn(t, dir), "lock:x"); f.Fixable {
				t.Errorf("while it is open: %+v", f)
			}
			if err := Fix(ctx, f); !errors.Is(err, ErrInUse) || !exists(t, path) {
				t.Errorf("while it is open: %v", err)
			}
			user.Kill()
			testenv.Eventually(t, "the kernel has let go", func() bool { return Fix(ctx, f) == nil })
			if exists(t, path) {
				t.Error("it is there")
			}
		})
	}
}

func TestFilesThatBelongToNoObject(t *testing.T) {
	dir := ownFolder(t)
	p, err := topic.NewPublisher[[8]byte]("t", &topic.Options{Dir: dir, Persistent: true})
	if err != nil {
		t.Fatal(err)
	}
	defer topic.Remove("t", dir)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	stale, strange := filepath.Join(dir, "messages.00000000000000000000000000000000"), filepath.Join(dir, "x")
	put(t, stale)
	put(t, strange)
	found := examineOwn(t, dir)
	var objects []string
	for _, f := range found {
		if f.Kind == StaleName && f.Fixable {
			objects = append(objects, f.Object)
		}
	}
	if len(found) != 3 || len(objects) != 2 {
		t.Errorf("found %+v", found)
	}
	// An object that cannot be read may be the one that the messages belong to.
	broken := filepath.Join(dir, "topic.broken")
	put(t, broken)
	if f, ok := about(examineOwn(t, dir), "file:"+stale); ok {
		t.Errorf("beside a broken object: %+v", f)
	}
	mendAll(t, found)
	mendAll(t, examineOwn(t, dir))
	names := list(t, dir)
	if fields := strings.Fields(names); len(fields) != 2 || !strings.HasPrefix(fields[0], "messages.") || fields[1] != "topic.t" {
		t.Errorf("there are %s", names)
	}
	o, err := topic.Look("t", dir)
	if err != nil || o.MessagesErr != nil {
		t.Errorf("the topic: %v, %v", err, o.MessagesErr)
	}
}

// What posixshm left when it was killed while it replaced an object.
func TestTemporaryNamesOfPosixshm(t *testing.T) {
	shm := folder(t)
	dir := filepath.Join(shm, ".posixshm-"+itoa(os.Geteuid()))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "X")
	put(t, path)
	f, ok := about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
	if !ok || f.Kind != StaleName || !f.Fixable {
		t.Errorf("%+v", f)
	}
	if err := Fix(ctx, f); err != nil || exists(t, dir) {
		t.Errorf("%v; the folder is there: %t", err, exists(t, dir))
	}
}

// An object that nobody had is opened between the two.
func TestAnObjectIsProvedUnusedAgain(t *testing.T) {
	dir := ownFolder(t)
	member(t, "queue", "", dir).Kill()
	var f Finding
	testenv.Eventually(t, "the kernel has let go", func() (ok bool) {
		f, ok = about(examineOwn(t, dir), "queue:q")
		return ok
	})
	q, err := queue.OpenBytes("q", &queue.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := Fix(ctx, f); !errors.Is(err, ErrInUse) {
		t.Errorf("open again: %v", err)
	}
	if err := q.Push(ctx, []byte("x")); err != nil {
		t.Error(err)
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	if err := Fix(ctx, f); !errors.Is(err, ErrInUse) {
		t.Errorf("with an item: %v", err)
	}
	if i, err := queue.Look("q", dir); err != nil || i.Ready != 1 {
		t.Errorf("%d items, %v", i.Ready, err)
	}
	if err := queue.Remove("q", dir); err != nil {
		t.Error(err)
	}
}

// The directory of a user's objects, as others may have made it.
func TestDirectoriesThatNobodyTrusts(t *testing.T) {
	me := "shmkit-" + itoa(os.Geteuid())
	for _, c := range []struct {
		name, why string
		put       func(path string) error
	}{
		{"as it should be", "", func(p string) error { return os.Mkdir(p, 0o700) }},
		{"symbolic link", "symbolic link", func(p string) error { return os.Symlink("/tmp", p) }},
		{"file", "no directory", func(p string) error { return os.WriteFile(p, nil, 0o600) }},
		{"others may write", "others may write", func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o777)) }},
		{"another user's", "belongs to user 65533", func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chown(p, 65533, -1)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("SHMKIT_DIR", "")
			shm := folder(t)
			path := filepath.Join(shm, me)
			if err := c.put(path); errors.Is(err, os.ErrPermission) {
				t.Skip("needs root: ", err)
			} else if err != nil {
				t.Fatal(err)
			}
			found, err := Examine(ctx, &Options{Shm: shm, Age: -1, Areas: Shared})
			if err != nil || len(found) > 1 || len(found) == 1 != (c.why != "") {
				t.Fatalf("%+v, %v", found, err)
			}
			if len(found) > 0 && (found[0].Kind != Unopenable || found[0].Severity != Problem || !strings.Contains(found[0].Summary, c.why)) {
				t.Errorf("%+v", found)
			}
		})
	}
}

// An object of a user whom nobody but himself trusts.
func TestAnObjectOfAStranger(t *testing.T) {
	testenv.RequireRoot(t)
	dir := ownFolder(t)
	p := member(t, "lock", "persistent", dir)
	if err := os.Chown(filepath.Join(dir, "lock.l"), 65533, -1); err != nil {
		t.Fatal(err)
	}
	f, ok := about(examineOwn(t, dir), "lock:l")
	if !ok || f.Kind != Unopenable || f.Fixable || !strings.Contains(f.Summary, "user 65533") {
		t.Errorf("%+v", f)
	}
	p.Send("done")
	p.Expect("fine")
}
