package object

import (
	"testing"

	"github.com/shmkit/shmkit/shmtest"
)

func TestMain(m *testing.M) {
	point = shmtest.Point
	shmtest.Main(m, roles)
}
