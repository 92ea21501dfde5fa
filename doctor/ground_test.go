package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// On an overlay a lease does not see who maps a file: so nothing is called unused there.
func TestWhereLeasesDoNotTellNothingIsRemoved(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	base, shm := t.TempDir(), t.TempDir()
	testenv.MountTmpfs(t, base, 1<<20)
	mountOverlay(t, base, shm)
	path := filepath.Join(shm, "x")
	put(t, path)
	user := testenv.Start(t, "user", "maps", path)
	user.Expect("ready")
	defer user.Kill()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := nameOf(path, info).remove(0); !errors.Is(err, ErrUnknown) || !exists(t, path) {
		t.Errorf("remove: %v", err)
	}
	if found := examine(t, Options{Shm: shm, Age: -1}); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

// mountOverlay mounts lower and upper of a folder, until the test ends.
func mountOverlay(t *testing.T, base, at string) {
	t.Helper()
	for _, dir := range []string{"lower", "upper", "work"} {
		if err := os.Mkdir(filepath.Join(base, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work,userxattr", base)
	if err := syscall.Mount("overlay", at, "overlay", 0, options); err != nil {
		if err = syscall.Mount("overlay", at, "overlay", 0, strings.TrimSuffix(options, ",userxattr")); err != nil {
			t.Skip("no overlay: ", err)
		}
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// Objects of programs that keep them without having them open.
func TestWhatProgramsKeepIsToldOfAndStays(t *testing.T) {
	shm := folder(t)
	for _, name := range []string{"libpod_lock", "libpod_rootless_lock_1000", "PostgreSQL.123"} {
		path := filepath.Join(shm, name)
		put(t, path)
		f, ok := about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
		if !ok || f.Fixable || f.Severity != Notice || f.Kept == "" {
			t.Errorf("%+v", f)
		}
	}
}

// A file in a folder is told of, and stays: it is closed most of the time.
func TestFilesInFoldersAreToldOfAndStay(t *testing.T) {
	shm := folder(t)
	dir := filepath.Join(shm, "some data")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "sub/b", "sub/used"} {
		put(t, filepath.Join(dir, name))
	}
	user := testenv.Start(t, "user", "reads", filepath.Join(dir, "sub/used"))
	user.Expect("ready")
	found := examine(t, Options{Shm: shm, Age: -1})
	f, ok := about(found, "file:"+dir)
	if !ok || len(found) != 1 || f.Kind != UnusedFile || f.Fixable || f.Severity != Notice || !strings.HasPrefix(f.Summary, "2 files") || !strings.Contains(f.Command, "'"+dir+"'") {
		t.Errorf("%+v", found)
	}
}

func TestNamesInShmThatNobodyCanOpen(t *testing.T) {
	shm := folder(t)
	link, closed := filepath.Join(shm, "link"), filepath.Join(shm, "closed")
	if err := os.Symlink("/etc/passwd", link); err != nil {
		t.Fatal(err)
	}
	put(t, closed)
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(shm, "secret") // its owner may write it, and not read it
	put(t, secret)
	if err := os.Chmod(secret, 0o200); err != nil {
		t.Fatal(err)
	}
	found := examine(t, Options{Shm: shm, Age: -1})
	if f, ok := about(found, "file:"+secret); !ok || f.Kind != UnusedObject || !f.Fixable {
		t.Errorf("%+v", f)
	}
	if f, ok := about(found, "file:"+link); !ok || f.Kind != Unopenable || f.Fixable || !strings.Contains(f.Meaning, "ELOOP") {
		t.Errorf("%+v", f)
	}
	f, ok := about(found, "file:"+closed)
	if os.Geteuid() == 0 { // who may open it nevertheless, and finds that nobody has
		if !ok || !f.Fixable {
			t.Errorf("%+v", f)
		}
	} else if !ok || f.Kind != Unopenable || f.Fixable {
		t.Errorf("%+v", f)
	}
	mendAll(t, found)
	if !exists(t, link) || !exists(t, "/etc/passwd") {
		t.Error("the link is gone, or what it leads to")
	}
}

// The name is given to another file when the first one has been looked at.
func TestANameThatIsReplacedAtTheSameMomentStays(t *testing.T) {
	shm := folder(t)
	path := filepath.Join(shm, "x")
	put(t, path)
	f, _ := about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
	put(t, path+"2")
	want, err := os.Stat(path + "2")
	if err != nil {
		t.Fatal(err)
	}
	at(t, "file:leased", func() {
		if err := os.Rename(path+"2", path); err != nil {
			t.Error(err)
		}
	})
	if err := Fix(ctx, f); !errors.Is(err, ErrChanged) {
		t.Errorf("Fix: %v", err)
	}
	if got, err := os.Stat(path); err != nil || !os.SameFile(got, want) || list(t, shm) != "x" {
		t.Errorf("%v; names: %s", err, list(t, shm))
	}
}
