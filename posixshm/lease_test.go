package posixshm_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

// Who looks whether an object is unused holds a lease on it for some microseconds. That is no
// reason to fail for who opens it, though he opens it so that a pipe would not make him wait.
func TestOpenWaitsForTheEndOfALease(t *testing.T) {
	name := testenv.Name(t)
	path := filepath.Join("/dev/shm", name)
	if err := os.WriteFile(path, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		fd := int(f.Fd())
		if err := sys.Lease(fd); err != nil {
			t.Fatal(err)
		}
		opened := make(chan error, 1)
		go func() {
			o, err := posixshm.Open(name, &posixshm.OpenOptions{ReadOnly: readOnly})
			if err == nil {
				err = o.Close()
			}
			opened <- err
		}()
		testenv.Eventually(t, "it wants to open", func() bool {
			wanted, err := sys.LeaseWanted(fd)
			return wanted && err == nil
		})
		if err := sys.EndLease(fd); err != nil {
			t.Fatal(err)
		}
		if err := <-opened; err != nil {
			t.Errorf("read-only %t: %v", readOnly, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
