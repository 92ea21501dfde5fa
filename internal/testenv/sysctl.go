package testenv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Sysctl returns a kernel parameter, named by its path under /proc/sys such as
// "kernel/shmmni", without the newline at its end.
func Sysctl(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc/sys", path))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

// SetSysctl changes a kernel parameter for the rest of the test. Only the limits
// of a private IPC namespace are the test's to change: outside of one, or for a
// parameter that isn't per namespace, it fails the test.
func SetSysctl(t testing.TB, path, value string) {
	t.Helper()
	private, err := inPrivateIPC()
	if err != nil {
		t.Fatal(err)
	}
	if !private {
		t.Fatalf("SetSysctl(%s) would change the whole machine: call InPrivateIPC first", path)
	}
	if !ipcParameters[path] {
		t.Fatalf("SetSysctl(%s): not known to belong to the IPC namespace", path)
	}
	old := Sysctl(t, path)
	if err := writeSysctl(path, value); err != nil {
		if inUserNS() && errors.Is(err, fs.ErrPermission) {
			t.Skipf("set %s: root of a user namespace may not, on this kernel: %v", path, err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := writeSysctl(path, old); err != nil {
			t.Errorf("restore %s to %q: %v", path, old, err)
		}
	})
}

func writeSysctl(path, value string) error {
	return os.WriteFile(filepath.Join("/proc/sys", path), []byte(value), 0)
}

// ipcParameters are the parameters that each IPC namespace has for itself, after
// ipc/ipc_sysctl.c and ipc/mq_sysctl.c.
var ipcParameters = map[string]bool{
	"kernel/shmmax":             true,
	"kernel/shmall":             true,
	"kernel/shmmni":             true,
	"kernel/shm_rmid_forced":    true,
	"kernel/shm_next_id":        true,
	"kernel/sem":                true,
	"kernel/sem_next_id":        true,
	"kernel/msgmax":             true,
	"kernel/msgmnb":             true,
	"kernel/msgmni":             true,
	"kernel/msg_next_id":        true,
	"kernel/auto_msgmni":        true,
	"fs/mqueue/queues_max":      true,
	"fs/mqueue/msg_max":         true,
	"fs/mqueue/msgsize_max":     true,
	"fs/mqueue/msg_default":     true,
	"fs/mqueue/msgsize_default": true,
}
