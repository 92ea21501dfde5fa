package topic_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/topic"
)

func TestMain(m *testing.M) {
	topic.SetPoint(basePoint)
	shmtest.Main(m, roles)
}

// roles are what other processes of the tests do.
var roles = map[string]shmtest.Role{}

func addRoles(more map[string]shmtest.Role) bool {
	maps.Copy(roles, more)
	return true
}

var ctx = context.Background()

// limited is a context that ends only if something is stuck.
func limited(t testing.TB) context.Context {
	c, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// basePoint is what points do but in tests of their own.
var basePoint = shmtest.Point
