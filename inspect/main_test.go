package inspect_test

import (
	"runtime"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// onMainThread keeps the main goroutine on the main thread: only while packages are initialized it is there for sure. Roles
// change its namespace, and end it.
var onMainThread = func() bool { runtime.LockOSThread(); return true }()

func TestMain(m *testing.M) { testenv.Main(m, roles) }
