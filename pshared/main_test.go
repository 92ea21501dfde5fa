package pshared_test

import (
	"testing"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func TestMain(m *testing.M) {
	pshared.SetPoint(shmtest.Point)
	shmtest.Main(m, roles)
}
