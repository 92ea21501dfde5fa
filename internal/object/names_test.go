package object

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
)

// What may stand in the way of an object, or in its place, and is not touched.
func TestWhatIsNoObjectIsRefusedAndLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		put  func(path string) error
		want error
	}{
		"symlink":           {func(p string) error { return os.Symlink("/etc/passwd", p) }, ErrForeign},
		"dangling symlink":  {func(p string) error { return os.Symlink(p+".else", p) }, ErrForeign},
		"FIFO":              {func(p string) error { return syscall.Mkfifo(p, 0o600) }, ErrForeign},
		"directory":         {func(p string) error { return os.Mkdir(p, 0o700) }, syscall.EISDIR},
		"empty file":        {func(p string) error { return os.WriteFile(p, nil, 0o600) }, ErrForeign},
		"somebody's text":   {func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("x", 9000)), 0o600) }, ErrForeign},
		"file of no access": {func(p string) error { return os.WriteFile(p, nil, 0) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDir(t)
			path := filepath.Join(d.path, "struct.x")
			if err := c.put(path); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(path)
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, open := range []func(ctxt, Dir, string, Config) (*Object, error){Open, OpenOrCreate, Create} {
				_, err := open(ctx, d, "x", small())
				if err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
			}
			if i, err := Look(d, Struct, "x", nil); err != nil || i.Err == nil {
				t.Errorf("Look: %v, %v", err, i.Err)
			}
			after, err := os.Lstat(path)
			if err != nil || after.Mode() != before.Mode() || after.Size() != before.Size() || !os.SameFile(before, after) {
				t.Errorf("it was touched: %v, %v", after, err)
			}
		})
	}
}

func TestAHardLinkIsRefused(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", small())
	if err := os.Link(o.place.path, filepath.Join(d.path, "struct.y")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x", "y"} {
		if _, err := Open(ctx, d, name, small()); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "hard link") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(d.path, "struct.y")); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, d, "x", small())
}

func TestAnotherUsersObject(t *testing.T) {
	nobody := testenv.Nobody(t)
	d := newDir(t)
	if err := os.Chmod(d.path, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	p := shmtest.StartWith(t, &shmtest.StartOptions{Credential: nobody}, "member", d.path)
	if _, err := p.ReadLine(); err != nil {
		t.Fatal(err, p.Stderr())
	}
	if _, err := Open(ctx, d, "x", small()); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "65534") {
		t.Errorf("%v", err)
	}
	c := recovering()
	c.AnyOwner = true
	o, err := Open(ctx, d, "x", c)
	if err != nil {
		t.Fatal(err)
	}
	closeOK(t, o)
	p.CloseStdin()
	if err := p.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.Stderr())
	}
	// And the other way round: it may not read root's.
	root := mustOpen(t, d, "x", recovering())
	q := shmtest.StartWith(t, &shmtest.StartOptions{Credential: nobody}, "member", d.path)
	if err := q.Wait(); err == nil || !strings.Contains(q.Stderr(), fs.ErrPermission.Error()) {
		t.Errorf("%v, %s", err, q.Stderr())
	}
	closeOK(t, root)
}

// The directory that nobody chose must be this user's own; one that somebody chose must at
// least not let strangers remove what others made.
func TestASquattedDirectoryIsRefused(t *testing.T) {
	base := newDir(t).path
	path := filepath.Join(base, "dir")
	for name, c := range map[string]struct {
		make   func() error
		chosen bool
		root   bool
	}{
		"others may write":              {make: func() error { return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o777)) }},
		"its group may write":           {make: func() error { return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o770)) }},
		"it is another user's":          {make: func() error { return errors.Join(os.Mkdir(path, 0o700), os.Chown(path, 65534, 65534)) }, root: true},
		"it is a symlink":               {make: func() error { return os.Symlink("/tmp", path) }},
		"it is a file":                  {make: func() error { return os.WriteFile(path, nil, 0o600) }},
		"chosen, and everybody's":       {make: func() error { return errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, 0o777)) }, chosen: true},
		"chosen, and it is a file":      {make: func() error { return os.WriteFile(path, nil, 0o600) }, chosen: true},
		"chosen, and there is none yet": {make: func() error { return nil }, chosen: true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root {
				testenv.RequireRoot(t)
			}
			if err := c.make(); err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(path)
			_, err := OpenOrCreate(ctx, Dir{path: path, chosen: c.chosen}, "x", small())
			if !errors.Is(err, ErrForeign) && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := os.Stat("/tmp/struct.x"); err == nil {
		t.Error("an object was made behind the symlink")
	}
}

// A directory that is missing is not taken for an object that is.
func TestADirectoryThatIsMissingIsNamed(t *testing.T) {
	for _, path := range []string{filepath.Join(newDir(t).path, "none"), "/dev/null/none"} {
		_, err := OpenOrCreate(ctx, Dir{path: path, chosen: true}, "x", small())
		if err == nil || !strings.Contains(err.Error(), "struct:x: its directory "+path+": no") {
			t.Errorf("%v", err)
		}
	}
}

// What a new object's mode is says its Config, whatever files get of this process otherwise.
func TestTheUmaskIsNotForObjects(t *testing.T) {
	d := newDir(t)
	c := small()
	c.Mode, c.Annex, c.AnnexMode = 0o664, 1, 0o646
	was := syscall.Umask(0o077)
	defer syscall.Umask(was)
	o := mustOpen(t, d, "x", c)
	if info, err := os.Stat(o.place.path); err != nil || info.Mode() != c.Mode {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(o.AnnexPath()); err != nil || info.Mode() != c.AnnexMode {
		t.Errorf("the second file: %v, %v", info.Mode(), err)
	}
}

// The user's own directory comes and goes with its objects.
func TestTheOwnDirectoryLeavesNothing(t *testing.T) {
	for name, c := range map[string]Config{"one file": small(), "two files": twoFiles()} {
		t.Run(name, func(t *testing.T) { ownDirectoryLeavesNothing(t, c) })
	}
}

func ownDirectoryLeavesNothing(t *testing.T, c Config) {
	path := filepath.Join(newDir(t).path, "own")
	d := Dir{path: path}
	o, err := Create(ctx, d, "x", c)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	closeOK(t, o)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	// Also with an object that only the dead had, for who wants none made.
	o, err = Create(ctx, d, "x", c)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.unmap(); err != nil { // as the kernel does for the dead
		t.Fatal(err)
	}
	if _, err := Open(ctx, d, "x", c); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("only the dead had it: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there, after the dead: %v", err)
	}
	// And with one that could not be made.
	c.Init = func(*Object) error { return io.ErrUnexpectedEOF }
	if _, err := Create(ctx, d, "x", c); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("its initialiser failed: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there, after nothing: %v", err)
	}
	t.Setenv(EnvDir, path)
	if got := ChooseDir(""); got.Path() != path || !got.chosen {
		t.Errorf("%+v", got)
	}
}

// A full file system is an error when the object is made, and never a fault later.
func TestAFullTmpfs(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	path := t.TempDir()
	testenv.MountTmpfs(t, path, 64<<10)
	t.Setenv(EnvDir, path)
	d := ChooseDir("")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	c := small()
	c.BodySize = 1 << 20
	if _, err := OpenOrCreate(ctx, d, "x", c); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), EnvDir) {
		t.Errorf("an object larger than the file system: %v", err)
	}
	// Until there is no room left, and each that was made is whole.
	var all []*Object
	for name := "a"; ; name += "a" {
		o, err := Create(ctx, d, name, small())
		if errors.Is(err, syscall.ENOSPC) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
		for i := range o.Body() {
			o.Body()[i] = 1
		}
	}
	if len(all) == 0 {
		t.Fatal("there was no room for one")
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) != len(all) {
		t.Errorf("%d names of %d objects, %v", len(entries), len(all), err)
	}
	// Joining and leaving need no room.
	closeOK(t, mustOpen(t, d, "a", small()))
	closeOK(t, all[0])
	mustOpen(t, d, "new", small())
	for _, o := range all[1:] {
		closeOK(t, o)
	}
}

// A file system whose locks are not known to be real is refused, and the error says what to do.
func TestAnotherFileSystemIsRefused(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	d := Dir{path: t.TempDir(), chosen: true}
	if err := syscall.Mount("ramfs", d.path, "ramfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	refused := func(op string, err error) {
		if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), EnvDir) {
			t.Errorf("%s: %v", op, err)
		}
	}
	_, err := Create(ctx, d, "x", small())
	refused("create", err)
	if entries, err := os.ReadDir(d.path); len(entries) != 0 || err != nil {
		t.Errorf("%d names, %v", len(entries), err)
	}
	path, content := image(t, newDir(t))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.path, "struct.x"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(ctx, d, "x", small())
	refused("open", err)
	if err := syscall.Unmount(d.path, 0); err != nil {
		t.Error(err)
	}
}

// Limits of the process are errors that say which, and leave nothing behind.
func TestLimitsReached(t *testing.T) {
	d := newDir(t)
	o := mustOpen(t, d, "x", recovering())
	for _, limit := range []string{"descriptors", "memory"} {
		if limit == "memory" && underRace {
			t.Log("the race detector has no address space to spare")
			continue
		}
		p := shmtest.Start(t, "limited", d.path, limit)
		if err := p.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", limit, err, p.Stderr())
		}
		alone(t, d, o)
	}
}

// limited reaches a limit, opening and making objects, and gets over it.
func limited(args []string) error {
	d := Dir{path: args[0], chosen: true}
	big := recovering()
	big.BodySize = 32 << 20
	y, err := Create(ctx, d, "y", big)
	if err != nil {
		return err
	}
	resource, want := syscall.RLIMIT_NOFILE, error(syscall.EMFILE)
	var limit uint64 // none at all
	if args[1] == "memory" {
		resource, want = syscall.RLIMIT_AS, syscall.ENOMEM
		text, err := os.ReadFile("/proc/self/statm")
		if err != nil {
			return err
		}
		if _, err := fmt.Sscan(string(text), &limit); err != nil {
			return err
		}
		limit = limit*uint64(os.Getpagesize()) + 16<<20 // what Go needs, and less than is mapped
	}
	var old syscall.Rlimit
	if err := syscall.Getrlimit(resource, &old); err != nil {
		return err
	}
	if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: limit, Max: old.Max}); err != nil {
		return err
	}
	_, openErr := Open(ctx, d, "y", big)
	_, createErr := Create(ctx, d, "z", big)
	if err := syscall.Setrlimit(resource, &old); err != nil {
		return err
	}
	for _, err := range []error{openErr, createErr} {
		if !errors.Is(err, want) {
			return errors.Join(errors.New("the error is another"), err)
		}
	}
	again, err := Open(ctx, d, "y", big)
	if err != nil {
		return err
	}
	z, err := Create(ctx, d, "z", big)
	if err != nil {
		return err
	}
	return errors.Join(again.Close(), y.Close(), z.Close())
}
