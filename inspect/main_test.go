package inspect_test

import (
	"runtime"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// A role that changes its namespace, or ends its main thread, must be on that thread.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) { testenv.Main(m, roles) }
