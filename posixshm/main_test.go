package posixshm_test

import (
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.Main(m, map[string]testenv.Role{"agent": agent, "descriptors": descriptors})
}
