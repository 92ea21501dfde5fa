package shmkit_test

import (
	"testing"
	"unsafe"

	"github.com/shmkit/shmkit"
)

func TestViewRefusesUnsafePointers(t *testing.T) {
	m := newMapping(t, 4096)
	wantAccessError(t, viewOf[unsafe.Pointer](m)(), "view", shmkit.ErrBadType, "unsafe.Pointer is a unsafe.Pointer")
	wantAccessError(t, viewOf[outer[unsafe.Pointer]](m)(), "view", shmkit.ErrBadType, ".Items[][].Bad is a unsafe.Pointer")
}
