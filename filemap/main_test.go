package filemap_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	roles := map[string]testenv.Role{}
	for _, some := range []map[string]testenv.Role{mountRoles, scanRoles, crashRoles, limitRoles} {
		for name := range some {
			if _, taken := roles[name]; taken {
				panic(fmt.Sprintf("two roles are named %s", name))
			}
		}
		maps.Copy(roles, some)
	}
	testenv.Main(m, roles)
}
