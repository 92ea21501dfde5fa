package stream

import (
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.Main(m, map[string]testenv.Role{
		"writer":   asRole(playWriter),
		"reader":   asRole(playReader),
		"sender":   asRole(playSender),
		"receiver": asRole(playReceiver),
		"cramped":  asRole(playCramped),
		"small":    asRole(playSmall),
	})
}
