package inspect_test

import (
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// roles are the other processes that tests look at.
var roles = map[string]testenv.Role{
	"maps": mapsRole,
}

func TestMain(m *testing.M) { testenv.Main(m, roles) }
