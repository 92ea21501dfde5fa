package filemap_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/testenv"
)

// Tests on file systems of their own: small, or on a device that fails. They are mounted
// by roles in a private mount namespace, and go with the process.

var mountRoles = map[string]testenv.Role{
	"open refused":    openRefused,
	"full tmpfs":      fullTmpfs,
	"large tmpfs":     largeTmpfs,
	"power failure":   powerFailure,
	"failing device":  failingDevice,
	"failing writing": failingWriting,
}

// mountPrivately mounts something that no other process sees.
func mountPrivately(source, dir, kind, data string) error {
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syscall.Mount(source, dir, kind, 0, data)
}

// mountImage makes the file a file system of that size, unless it is one, and mounts it.
// The kernel's loop device goes with the mount.
func mountImage(image, dir string, size int64) error {
	if size > 0 {
		if err := os.WriteFile(image, nil, 0o600); err != nil {
			return err
		}
		if err := os.Truncate(image, size); err != nil {
			return err
		}
		if out, err := exec.Command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image).CombinedOutput(); err != nil {
			return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if out, err := exec.Command("mount", "-o", "loop,errors=continue", image, dir).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: mount: %v: %s", errNoLoop, err, out)
	}
	return nil
}

// errNoLoop: this machine has no loop devices to give.
var errNoLoop = errors.New("cannot mount an image")

// requireLoop returns the options to start a role that mounts images.
func requireLoop(t testing.TB) *testenv.StartOptions {
	t.Helper()
	testenv.RequireRoot(t)
	testenv.RequireTool(t, "mkfs.ext4")
	testenv.RequireTool(t, "mount")
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skipf("needs loop devices: %v", err)
	}
	return privateMounts(t)
}

// check collects what a role finds.
type check struct{ errs []error }

func (c *check) that(ok bool, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf(format, args...))
	}
}

// is requires err to be all of wants.
func (c *check) is(what string, err error, wants ...error) {
	for _, want := range wants {
		c.that(errors.Is(err, want), "%s: got %v, want %v", what, err, want)
	}
}

func (c *check) ok(what string, err error) { c.that(err == nil, "%s: %w", what, err) }

func (c *check) result() error { return errors.Join(c.errs...) }

// On a file system of 64 KiB: what does not fit is an error at creation and leaves
// nothing; what was created never faults; a sparse file that finds no room faults with
// ErrNoSpace, and works again when there is some.
func TestFullFileSystem(t *testing.T) {
	runRole(t, privateMounts(t), "full tmpfs", filepath.Join(t.TempDir(), "small"))
}

// On a file system larger than the memory it is made of, what the machine cannot give is
// an error before the kernel has to kill somebody.
func TestFileSystemLargerThanMemory(t *testing.T) {
	runRole(t, privateMounts(t), "large tmpfs", filepath.Join(t.TempDir(), "large"))
}

func largeTmpfs(args []string) error {
	dir := args[0]
	if err := mountPrivately("none", dir, "tmpfs", fmt.Sprint("size=", 1<<47)); err != nil {
		return err
	}
	var c check
	_, err := filemap.Create(filepath.Join(dir, "a"), 1<<46, nil)
	c.is("create 64 TiB", err, syscall.ENOMEM)
	c.that(err != nil && strings.Contains(err.Error(), "its file system is memory"), "create 64 TiB: %v", err)
	f, err := filemap.Create(filepath.Join(dir, "a"), 5000, nil)
	if err != nil {
		return errors.Join(c.result(), err)
	}
	defer f.Close()
	c.is("grow to 64 TiB", f.Resize(1<<46), syscall.ENOMEM)
	n, err := f.Size()
	c.that(err == nil && n == 5000, "it has %d bytes, %v", n, err)
	return c.result()
}

func fullTmpfs(args []string) (err error) {
	dir := args[0]
	if err := mountPrivately("none", dir, "tmpfs", "size=64k"); err != nil {
		return err
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	var c check
	names := func() int {
		list, err := os.ReadDir(dir)
		c.ok("list", err)
		return len(list)
	}
	_, err = filemap.Create(at("too large"), 1<<20, nil)
	c.is("create 1 MiB", err, syscall.ENOSPC)
	c.that(strings.Contains(err.Error(), "no room"), "create 1 MiB: %v", err)
	c.that(names() == 0, "something is left: %d", names())

	half, err := filemap.Create(at("half"), 32<<10, nil)
	if err != nil {
		return errors.Join(c.result(), err)
	}
	_, err = filemap.OpenOrCreate(at("other"), 40<<10, nil)
	c.is("create 40 KiB beside 32 KiB", err, syscall.ENOSPC)
	c.that(names() == 1, "there are %d names", names())
	c.is("grow to 100 KiB", half.Resize(100<<10), syscall.ENOSPC)
	size, err := half.Size()
	c.that(size == 32<<10 && half.Len() == 32<<10 && err == nil, "after that it has %d bytes, mapped %d: %v", size, half.Len(), err)

	sparse, err := filemap.Create(at("sparse"), 1<<20, &filemap.Options{Sparse: true})
	if err != nil {
		return errors.Join(c.result(), err)
	}
	view, err := shmkit.ViewSlice[byte](sparse.Mapping(), 0, sparse.Len())
	c.ok("view", err)
	written := 0
	for ; err == nil && written < sparse.Len(); written += pageSize {
		_, err = sparse.WriteAt([]byte{1}, int64(written))
	}
	written -= pageSize // the one that failed
	c.is("fill a sparse file by WriteAt", err, shmkit.ErrNoSpace, syscall.ENOSPC)
	var fault *shmkit.FaultError
	c.that(errors.As(err, &fault) && fault.Access == shmkit.Write && fault.Off == int64(written), "the fault is %v", err)
	c.is("the same through a view", poke(view.Data(), written), shmkit.ErrNoSpace)
	// A hole has no page either, and even reading it would take one.
	c.is("reading a hole", touch(view.Data(), sparse.Len()-1), shmkit.ErrNoSpace)
	c.is("loading a word of a hole", func() error { _, err := sparse.Mapping().Load32(int64(sparse.Len() - 4)); return err }(), shmkit.ErrNoSpace)
	c.is("prefaulting it", sparse.Mapping().Prefault(0, int64(sparse.Len()), shmkit.Write), shmkit.ErrNoSpace)
	for off := range half.Len() { // reserved, so never a fault
		_, err := half.WriteAt([]byte{byte(off)}, int64(off))
		c.ok("write to what was reserved", err)
	}
	c.ok("close", half.Close())
	c.ok("remove", os.Remove(at("half")))
	_, err = sparse.WriteAt([]byte{1}, int64(written))
	c.ok("write when there is room again", err)
	c.ok("close", errors.Join(view.Close(), sparse.Close()))
	return c.result()
}

// What a device holds after Flush and Sync is what a machine finds that lost its power in
// that moment: a copy of the device, mounted anew.
func TestWhatIsFlushedSurvivesAPowerFailure(t *testing.T) {
	opts := requireLoop(t)
	dir := t.TempDir()
	p := testenv.StartWith(t, opts, "power failure", dir)
	for {
		line, err := p.ReadLine()
		if err != nil {
			break
		}
		if strings.HasPrefix(line, "skip ") {
			t.Skip(line)
		}
		if line != "async" {
			t.Log(line)
			continue
		}
		// Nobody calls for it any more, and it gets there: the kernel was told to begin.
		testenv.Eventually(t, "what was flushed with Async is on the device", func() bool {
			image, err := os.ReadFile(filepath.Join(dir, "image"))
			must(t, err)
			return bytes.Contains(image, marker("async"))
		})
		p.Send("seen")
	}
	if err := p.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, p.Stderr())
	}
}

// marker is content that stands out.
func marker(name string) []byte {
	return bytes.Repeat([]byte("<"+name+" was here, in a place of its own on the device>"), 20)
}

func powerFailure(args []string) error {
	dir := args[0]
	image, disk := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mountImage(image, disk, 48<<20); err != nil {
		if errors.Is(err, errNoLoop) {
			return testenv.Say("skip %v", err)
		}
		return err
	}
	var c check
	onDevice := func(name string) bool {
		content, err := os.ReadFile(image)
		c.ok("read the device", err)
		return bytes.Contains(content, marker(name))
	}
	// after mounts what the device holds now, as after a power failure, and reads a file.
	failures := 0
	after := func(name string) ([]byte, fs.FileInfo, error) {
		failures++
		snapshot, again := fmt.Sprintf("%s-%d", image, failures), fmt.Sprintf("%s-%d", disk, failures)
		content, err := os.ReadFile(image)
		if err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(snapshot, content, 0o600); err != nil {
			return nil, nil, err
		}
		if err := mountImage(snapshot, again, 0); err != nil {
			return nil, nil, err
		}
		defer syscall.Unmount(again, 0) //nolint:errcheck // it goes with the process
		text, err := os.ReadFile(filepath.Join(again, name))
		if err != nil {
			return nil, nil, err
		}
		info, err := os.Stat(filepath.Join(again, name))
		return text, info, err
	}

	f, err := filemap.Create(filepath.Join(disk, "file"), 64<<10, nil)
	if err != nil {
		return err
	}
	store := func(name string, off int64) {
		_, err := f.WriteAt(marker(name), off)
		c.ok("store "+name, err)
	}
	c.ok("sync", f.Sync())
	folder, err := os.Open(disk)
	c.ok("open the folder", err)
	c.ok("sync the folder, for the name", folder.Sync())
	c.ok("close", folder.Close())

	store("sync", 5)
	if err := testenv.Say("before Flush on the device: %t", onDevice("sync")); err != nil {
		return err
	}
	c.ok("flush", f.Flush(5, int64(len(marker("sync"))), filemap.Sync))
	c.that(onDevice("sync"), "flushed with Sync, and not on the device")
	text, _, err := after("file")
	c.that(err == nil && len(text) == 64<<10 && bytes.HasPrefix(text[5:], marker("sync")), "a power failure after Flush leaves %d bytes, %v", len(text), err)

	// What was not flushed, on other pages, need not be there; a later Sync takes all.
	store("other", 40<<10)
	c.ok("flush", f.Flush(5, 1, filemap.Sync))
	if err := testenv.Say("another page's on the device after Flush: %t", onDevice("other")); err != nil {
		return err
	}
	c.ok("grow", f.Resize(80<<10))
	store("grown", 70<<10)
	c.ok("flush", f.Flush(70<<10, int64(len(marker("grown"))), filemap.Sync))
	text, _, err = after("file")
	c.that(err == nil && len(text) == 80<<10 && bytes.HasPrefix(text[70<<10:], marker("grown")), "a power failure after Resize and Flush leaves %d bytes, %v", len(text), err)

	c.ok("chmod", os.Chmod(filepath.Join(disk, "file"), 0o640))
	c.ok("sync", f.Sync())
	text, info, err := after("file")
	c.that(err == nil && info.Mode() == 0o640 && bytes.HasPrefix(text[40<<10:], marker("other")), "a power failure after File.Sync: %v", err)

	// A private mapping never gets there.
	private, err := f.Map(0, 0, &filemap.MapOptions{Writable: true, Private: true})
	if err != nil {
		return errors.Join(c.result(), err)
	}
	_, err = private.WriteAt(marker("private"), 20<<10)
	c.ok("store privately", err)
	c.ok("flush", private.Flush(0, int64(private.Len()), filemap.Sync))
	c.ok("sync", f.Sync())
	c.that(!onDevice("private"), "what was stored in a private mapping is on the device")
	c.ok("close", private.Close())

	store("async", 30<<10)
	c.ok("flush", f.Flush(30<<10, int64(len(marker("async"))), filemap.Async))
	if err := testenv.Say("async"); err != nil {
		return err
	}
	if _, err := testenv.Hear(); err != nil {
		return errors.Join(c.result(), err)
	}
	c.ok("close", f.Close())
	return errors.Join(c.result(), syscall.Unmount(disk, 0))
}
