package memfd_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/memfd"
)

// Two Files of one descriptor would each close it, and the other then be whatever gets
// the number next.
func TestOneDescriptorIsNotInheritedTwice(t *testing.T) {
	f, err := memfd.Create("x", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, env, err := memfd.PassExec(nil, "a", f)
	if err != nil {
		t.Fatal(err)
	}
	entry := strings.TrimPrefix(env[0], memfd.Variable+"=")
	t.Setenv(memfd.Variable, entry+",b"+strings.TrimPrefix(entry, "a"))
	for _, name := range []string{"a", "b"} {
		if _, err := memfd.Inherited(name, nil); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s of %s: %v", name, os.Getenv(memfd.Variable), err)
		}
	}
}

func TestWhatGoesWrongInInitLeavesNoMemory(t *testing.T) {
	create := func(init func(m *shmkit.Mapping) error) error {
		_, err := memfd.CreateWith("init", 8192, &memfd.Options{Init: init})
		return err
	}
	err := create(func(m *shmkit.Mapping) error {
		if err := m.Protect(0, int64(os.Getpagesize()), shmkit.Read); err != nil {
			return err
		}
		m.Bytes()[0] = 1
		return nil
	})
	var fault *shmkit.FaultError
	if !errors.As(err, &fault) {
		t.Errorf("a fault: %v", err)
	}
	func() {
		defer func() {
			if r := recover(); fmt.Sprint(r) != "no" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = create(func(*shmkit.Mapping) error { panic("no") })
	}()
	// That no descriptor and no mapping is left, TestMain sees.
}

func TestZeroFilesCanBeClosed(t *testing.T) {
	var f memfd.File
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
