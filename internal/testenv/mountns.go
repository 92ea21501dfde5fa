package testenv

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// InPrivateMount is InPrivateIPC for mounts: what the test mounts, over /dev/shm too,
// nobody else sees, and it is gone with the child. The child's own children, started
// by Start, see it.
func InPrivateMount(t *testing.T) bool {
	t.Helper()
	private, err := inPrivateMount()
	if err != nil {
		t.Fatal(err)
	}
	if private {
		reportResult(t)
		// In the parent's namespace mounts may be shared, and would appear there.
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Skipf("the mounts cannot be made private: %v", err)
		}
		return true
	}
	outer, err := mountNamespace()
	if err != nil {
		t.Skipf("no mount namespaces here: %v", err)
	}
	runInNamespace(t, "a private mount namespace", envOuterMount+"="+outer, syscall.CLONE_NEWNS)
	return false
}

// inPrivateMount is inPrivateIPC for InPrivateMount.
func inPrivateMount() (bool, error) {
	outer, ok := os.LookupEnv(envOuterMount)
	if !ok {
		return false, nil
	}
	inner, err := mountNamespace()
	if err != nil {
		return false, err
	}
	if inner == outer {
		return false, fmt.Errorf("%s is set, but this process is in that namespace (%s) itself", envOuterMount, outer)
	}
	return true, nil
}

func mountNamespace() (string, error) { return os.Readlink("/proc/self/ns/mnt") }

// MountTmpfs mounts a tmpfs of size bytes (0: without a limit), mode 1777 like
// /dev/shm, over a folder until the test ends. Only where InPrivateMount was true.
func MountTmpfs(t testing.TB, dir string, size int64) {
	t.Helper()
	if private, err := inPrivateMount(); err != nil || !private {
		t.Fatalf("MountTmpfs outside InPrivateMount: %v", err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, fmt.Sprintf("mode=1777,size=%d", size)); err != nil {
		t.Skipf("mount a tmpfs on %s: %v", dir, err)
	}
	t.Cleanup(func() {
		err := syscall.Unmount(dir, 0)
		// What another thread has just unmapped is off the list of mappings before it is let go.
		for end := time.Now().Add(10 * time.Second); err == syscall.EBUSY && time.Now().Before(end); err = syscall.Unmount(dir, 0) {
			time.Sleep(time.Millisecond)
		}
		if err != nil {
			t.Errorf("unmount %s: %v", dir, err) // EBUSY: something of it is still open or mapped
		}
	})
}
