package filemap_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// A device that cannot read any more: an image of a file system whose end was cut off.
func TestFailingDeviceIsAnError(t *testing.T) {
	runLoopRole(t, "failing device")
}

// A device that cannot write any more: an image in a file system that is full.
func TestFailingWriteIsAnErrorOfFlush(t *testing.T) {
	runLoopRole(t, "failing writing")
}

func runLoopRole(t *testing.T, role string) {
	p := testenv.StartWith(t, requireLoop(t), role, t.TempDir())
	for {
		line, err := p.ReadLine()
		if err != nil {
			break
		}
		if strings.HasPrefix(line, "skip ") {
			t.Skip(line)
		}
		t.Log(line)
	}
	if err := p.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, p.Stderr())
	}
}

func failingDevice(args []string) error {
	image, disk := filepath.Join(args[0], "image"), filepath.Join(args[0], "disk")
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := mountImage(image, disk, 48<<20); err != nil {
		if errors.Is(err, errNoLoop) {
			return testenv.Say("skip %v", err)
		}
		return err
	}
	const size = 24 << 20
	path := filepath.Join(disk, "file")
	f, err := filemap.Create(path, size, nil)
	if err != nil {
		return err
	}
	var c check
	_, err = f.WriteAt(pattern(size), 0)
	c.ok("write", err)
	c.ok("sync", f.Sync())
	c.ok("close", f.Close())
	// What is in the kernel's cache would still be there.
	plain, err := os.Open(path)
	c.ok("open", err)
	c.ok("drop the cache", sys.Fadvise(int(plain.Fd()), 0, 0, sys.FADV_DONTNEED))
	c.ok("close", plain.Close())
	if f, err = filemap.Open(path, &filemap.Options{Writable: true, Advice: shmkit.AdviseRandom}); err != nil {
		return errors.Join(c.result(), err)
	}
	defer f.Close()
	content, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	c.ok("cut the device", os.Truncate(image, 4<<20))

	last := int64(size - 10)
	var fault *shmkit.FaultError
	_, err = f.ReadAt(make([]byte, 10), last)
	c.is("read", err, shmkit.ErrIO, syscall.EIO)
	c.that(errors.As(err, &fault) && fault.Access == shmkit.Read && fault.Mapping == "file:"+path, "the fault is %v", err)
	_, err = f.WriteAt(make([]byte, 10), last)
	c.is("write", err, shmkit.ErrIO)
	c.is("read under Guard", touch(f.Bytes(), int(last)), shmkit.ErrIO)
	err = f.Scan(background, nil, func(_ int64, chunk []byte) error {
		for off := 0; off < len(chunk); off += pageSize {
			sink += chunk[off]
		}
		return nil
	})
	c.is("scan", err, shmkit.ErrIO)
	if err := testenv.Say("%v", err); err != nil {
		return err
	}
	c.ok("mend the device", os.WriteFile(image, content, 0o600))
	_, err = f.ReadAt(make([]byte, 10), last)
	c.ok("read again", err)
	return c.result()
}

func failingWriting(args []string) error {
	small, disk := filepath.Join(args[0], "small"), filepath.Join(args[0], "disk")
	if err := mountPrivately("none", small, "tmpfs", "size=16m"); err != nil {
		return err
	}
	if err := mountImage(filepath.Join(small, "image"), disk, 64<<20); err != nil {
		if errors.Is(err, errNoLoop) {
			return testenv.Say("skip %v", err)
		}
		return err
	}
	const size = 24 << 20 // more than the image can hold in fact
	f, err := filemap.Create(filepath.Join(disk, "file"), size, nil)
	if err != nil {
		return err
	}
	defer f.Close()
	var c check
	_, err = f.WriteAt(pattern(size), 0) // into the cache, which holds it
	c.ok("write", err)
	err = f.Flush(0, size, filemap.Sync)
	c.that(errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC), "flush: %v", err)
	var op *shmkit.OpError
	c.that(errors.As(err, &op) && op.Op == "flush", "flush: %v", err)
	if err := testenv.Say("%v", err); err != nil {
		return err
	}
	return c.result()
}
