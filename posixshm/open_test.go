package posixshm_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

func TestRemoveTakesAwayWhatIsNoObject(t *testing.T) {
	d := newDir(t)
	path := filepath.Join(string(d), "frames")
	target := filepath.Join(t.TempDir(), "target")
	ok(t, os.WriteFile(target, []byte("kept"), 0o600))
	for what, make := range map[string]func() error{
		"a link":           func() error { return os.Symlink(target, path) },
		"a link to itself": func() error { return os.Symlink(path, path) },
		"a pipe":           func() error { return syscall.Mkfifo(path, 0o600) },
	} {
		ok(t, make())
		if err := d.Remove("/frames"); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		wantEntries(t, d)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "kept" {
		t.Errorf("what the link led to: %q, %v", got, err)
	}
	ok(t, os.Mkdir(path, 0o700))
	wantError(t, d.Remove("/frames"), notObject, "it is a directory")
	wantEntries(t, d, "frames")
}

func TestOpenRefusesWhatIsNoObject(t *testing.T) {
	d := newDir(t)
	path := func(name string) string { return filepath.Join(string(d), name) }
	create(t, d, "/object", 100, nil)
	ok(t, os.Symlink(path("object"), path("link")))
	ok(t, os.Symlink(path("nothing"), path("dangling")))
	ok(t, os.Symlink(path("loop"), path("loop")))
	ok(t, os.Mkdir(path("directory"), 0o700))
	ok(t, syscall.Mkfifo(path("pipe"), 0o600))
	socket, err := net.ListenUnix("unix", &net.UnixAddr{Name: path("socket"), Net: "unix"})
	ok(t, err)
	defer closeOK(t, socket)
	for _, c := range []struct{ name, want, text string }{
		{"link", symbolicLink, "it is a symbolic link"}, {"dangling", symbolicLink, "symbolic link"},
		{"loop", symbolicLink, "symbolic link"}, {"directory", notObject, "it is a directory"},
		{"pipe", notObject, "it is a named pipe"}, {"socket", notObject, "it is a socket"},
	} {
		for _, o := range []*posixshm.OpenOptions{nil, {ReadOnly: true}, {AnyOwner: true}} {
			_, err := d.Open(c.name, o)
			wantError(t, err, c.want, "open file:", c.text)
		}
		_, err := d.OpenOrCreate(c.name, 1, nil)
		wantError(t, err, c.want, c.text)
		_, err = d.Create(c.name, 1, nil)
		wantError(t, err, exists)
		_, err = d.Stat(c.name)
		wantError(t, err, c.want, c.text)
	}
	all, err := d.List()
	ok(t, err)
	if len(all) != 1 || all[0].Name != "/object" {
		t.Errorf("listed %+v", all)
	}
	wantError(t, d.Remove("directory"), notObject, "it is a directory")
	ok(t, d.Remove("pipe"))
	// A directory is not replaced, but anything else is that bears the name.
	_, err = d.Create("directory", 1, &posixshm.Options{Replace: true})
	wantError(t, err, notObject, "it is a directory")
	create(t, d, "link", 1, &posixshm.Options{Replace: true})
	if info, err := d.Stat("object"); err != nil || info.Size != 100 {
		t.Errorf("where the link led to: %+v, %v", info, err)
	}
}

func TestOpenRefusesADevice(t *testing.T) {
	testenv.RequireRoot(t)
	d := newDir(t)
	const null = 1<<8 | 3
	if err := syscall.Mknod(filepath.Join(string(d), "null"), syscall.S_IFCHR|0o600, null); err != nil {
		t.Skipf("no device can be made: %v", err)
	}
	_, err := d.Open("null", nil)
	if errors.Is(err, syscall.EACCES) {
		return // mounted nodev
	}
	wantError(t, err, notObject, "it is a device")
}

// Whatever stands under the name at that moment: an object, or an error.
func TestOpenWhileTheNameChangesItsKind(t *testing.T) {
	d := newDir(t)
	path := func(name string) string { return filepath.Join(string(d), name) }
	var over atomic.Bool
	done := make(chan error)
	go func() {
		done <- func() error {
			for !over.Load() {
				for _, makeIt := range []func(string) error{
					func(p string) error { return os.WriteFile(p, []byte("content"), 0o600) },
					func(p string) error { return os.Symlink("/etc/passwd", p) },
					func(p string) error { return syscall.Mkfifo(p, 0o600) },
				} {
					if err := errors.Join(makeIt(path("new")), os.Rename(path("new"), path("frames"))); err != nil {
						return err
					}
				}
				if err := os.Remove(path("frames")); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	opened := 0
	for range rounds {
		obj, err := d.Open("frames", nil)
		switch {
		case err == nil:
			opened++
			if n, err := obj.Size(); n != 7 || err != nil {
				t.Errorf("opened something of %d bytes, %v", n, err)
			}
			closeOK(t, obj)
		case !errors.Is(err, posixshm.ErrNotObject) && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ELOOP):
			t.Error(err)
		}
	}
	over.Store(true)
	ok(t, <-done)
	t.Logf("%d of %d opened an object", opened, rounds)
}

func TestReadOnly(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 100, &posixshm.Options{Init: func(m *shmkit.Mapping) error { return fill(m, 1) }})
	obj := open(t, d, "/frames", &posixshm.OpenOptions{ReadOnly: true})
	m := mapped(t, obj, nil)
	if m.Protection() != shmkit.Read {
		t.Errorf("protection %v", m.Protection())
	}
	_, err := m.WriteAt([]byte("x"), 0)
	wantError(t, err, "EACCES fs.ErrPermission shmkit.ErrReadOnly")
	wantError(t, m.Protect(0, 100, shmkit.Read|shmkit.Write), accessDenied)
	wantError(t, obj.Resize(200), accessDenied, "it was opened read-only")
	wantError(t, obj.Reserve(), accessDenied, "it was opened read-only")

	private := mapped(t, obj, &posixshm.MapOptions{Private: true})
	write(t, private, 0, "mine")
	if tag, err := checkWhole(obj, 1); err != nil {
		t.Errorf("content %d, %v", tag, err)
	}
	writer := open(t, d, "/frames", nil)
	if m := mapped(t, writer, &posixshm.MapOptions{ReadOnly: true}); m.Protection() != shmkit.Read {
		t.Errorf("protection %v", m.Protection())
	}
}

func TestObjectsOfOtherUsers(t *testing.T) {
	testenv.RequireRoot(t)
	d := newDir(t)
	// Root's object, to somebody else: trusted, if the mode allows it.
	create(t, d, "/root-open", 100, &posixshm.Options{Mode: 0o666, ExactMode: true})
	create(t, d, "/root-read", 100, &posixshm.Options{Mode: 0o644, ExactMode: true})
	create(t, d, "/root-closed", 100, nil)
	if a := asOtherUser(t, order{Do: "open", Dir: d, Name: "/root-open"}); a.Error != "" {
		t.Error(a.Error)
	}
	if a := asOtherUser(t, order{Do: "open", Dir: d, Name: "/root-read", ReadOnly: true}); a.Error != "" {
		t.Error(a.Error)
	}
	for _, name := range []string{"/root-read", "/root-closed"} {
		a := asOtherUser(t, order{Do: "open", Dir: d, Name: name})
		wantDescription(t, a.Error, accessDenied, "it belongs to uid 0 gid 0, mode 06", "this process is uid 65534")
		a = asOtherUser(t, order{Do: "open or create", Dir: d, Name: name, Size: 1})
		wantDescription(t, a.Error, accessDenied)
	}
	if a := asOtherUser(t, order{Do: "stat", Dir: d, Name: "/root-closed"}); a.Error != "" || a.Info.Size != 100 {
		t.Errorf("%+v", a)
	}
	if a := asOtherUser(t, order{Do: "list", Dir: d}); !slices.Equal(a.Names, []string{"/root-closed", "/root-open", "/root-read"}) {
		t.Errorf("%+v", a)
	}
	// Somebody else's, to root: refused, but on request.
	if a := asOtherUser(t, order{Do: "create", Dir: d, Name: "/other", Size: 100}); a.Error != "" {
		t.Fatal(a.Error)
	}
	_, err := d.Open("/other", nil)
	wantError(t, err, foreignObject, "it belongs to uid 65534", "this process is uid 0", "AnyOwner")
	_, err = d.OpenOrCreate("/other", 1, nil)
	wantError(t, err, foreignObject)
	open(t, d, "/other", &posixshm.OpenOptions{AnyOwner: true})
	if obj, err := d.OpenOrCreate("/other", 1, &posixshm.Options{AnyOwner: true}); err != nil {
		t.Error(err)
	} else {
		closeOK(t, obj)
	}
	// In a directory like /dev/shm nobody removes or replaces what is not his own.
	a := asOtherUser(t, order{Do: "remove", Dir: d, Name: "/root-open"})
	wantDescription(t, a.Error, notPermitted, "it belongs to uid 0", "mode 1777")
	a = asOtherUser(t, order{Do: "create", Dir: d, Name: "/root-open", Size: 5, Replace: true})
	wantDescription(t, a.Error, notPermitted, "it belongs to uid 0")
	a = asOtherUser(t, order{Do: "chmod", Dir: d, Name: "/root-open", Mode: 0o600})
	wantDescription(t, a.Error, notPermitted, "it belongs to uid 0")
	a = asOtherUser(t, order{Do: "chown", Dir: d, Name: "/other"})
	wantDescription(t, a.Error, notPermitted, "it belongs to uid 65534")
	wantEntries(t, d, "other", "root-closed", "root-open", "root-read")
	ok(t, os.Chmod(string(d), 0o755))
	for _, do := range []string{"create", "open or create"} {
		a = asOtherUser(t, order{Do: do, Dir: d, Name: "/new", Size: 5})
		wantDescription(t, a.Error, accessDenied, "directory "+string(d)+" belongs to uid 0 gid 0, mode 0755")
	}
	a = asOtherUser(t, order{Do: "remove", Dir: d, Name: "/other"})
	wantDescription(t, a.Error, accessDenied)
}

func TestHandlesAreNotInherited(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 100, nil)
	open(t, d, "/frames", nil)
	open(t, d, "/frames", &posixshm.OpenOptions{ReadOnly: true})
	p := testenv.Start(t, "descriptors")
	line, err := p.ReadLine()
	ok(t, err)
	if strings.Contains(line, string(d)) {
		t.Errorf("the child has %s", line)
	}
}

// A handle is one descriptor, and opening takes the lowest that is free, as shm_open.
func TestHandleIsTheLowestDescriptor(t *testing.T) {
	d := newDir(t)
	before, err := openDescriptors()
	ok(t, err)
	create(t, d, "/frames", 100, nil)
	open(t, d, "/frames", nil)
	after, err := openDescriptors()
	ok(t, err)
	if more := len(after) - len(before); more != 2 {
		t.Errorf("two handles are %d descriptors", more)
	}
	last := open(t, d, "/frames", nil)
	now, err := openDescriptors()
	ok(t, err)
	for n, target := range now {
		if _, had := after[n]; had || !strings.HasPrefix(target, string(d)) {
			continue
		}
		for lower := range n {
			if _, taken := now[lower]; !taken {
				t.Errorf("%v is descriptor %d, and %d is free", last, n, lower)
			}
		}
	}
}

func TestNoDescriptorLeft(t *testing.T) {
	d := newDir(t)
	create(t, d, "/frames", 100, nil)
	p := startAgent(t, nil)
	for _, o := range []order{
		{Do: "create", Name: "/new", Size: 1}, {Do: "create", Name: "/frames", Size: 1, Replace: true},
		{Do: "open or create", Name: "/new", Size: 1}, {Do: "open", Name: "/frames"},
	} {
		o.Dir, o.NoFiles = d, true
		a := ask(t, p, o)
		wantDescription(t, a.Error, tooManyFiles, "ulimit -n")
	}
	wantEntries(t, d, "frames")
	if a := ask(t, p, order{Do: "open", Dir: d, Name: "/frames"}); a.Error != "" {
		t.Error(a.Error)
	}
}
