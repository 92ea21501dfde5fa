package pshared_test

import (
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

func TestMain(m *testing.M) {
	testenv.OwnIPC() // some objects are in System V segments
	pshared.SetPoint(shmtest.Point)
	shmtest.Main(m, roles)
}
