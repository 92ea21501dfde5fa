package doctor

import (
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.Main(m, map[string]testenv.Role{
		"user":    userRole,
		"opener":  openerRole,
		"openers": openersRole,
		"segment": segmentRole,
		"member":  memberRole,
		"doctor":  doctorRole,
		"gone":    goneRole,
	})
}
