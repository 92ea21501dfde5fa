package explain

import (
	"os"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	Main()
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	testenv.Main(m, nil)
}
