package futex

import (
	"maps"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	all := map[string]testenv.Role{}
	for _, some := range []map[string]testenv.Role{benchRoles, processRoles} {
		maps.Copy(all, some)
	}
	testenv.Main(m, all)
}
