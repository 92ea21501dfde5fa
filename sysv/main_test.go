package sysv_test

import (
	"maps"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	roles := maps.Clone(segmentRoles)
	for name, role := range ipcRoles {
		if _, taken := roles[name]; taken {
			panic("two roles are named " + name)
		}
		roles[name] = role
	}
	testenv.Main(m, roles)
}
