package pshared_test

import (
	"errors"
	"os"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// A type that cannot be in shared memory makes no struct, also no persistent one.
func TestATypeThatCannotBeMakesNoStruct(t *testing.T) {
	dir := shmtest.Dir(t)
	if _, err := pshared.Open[struct{ Text string }]("ledger", &pshared.Options{Dir: dir, Persistent: true}); !errors.Is(err, shmkit.ErrBadType) {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
