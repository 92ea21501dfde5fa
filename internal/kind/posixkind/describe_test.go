package posixkind_test

import (
	"testing"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind/posixkind"
)

func TestAnObjectIsNamedAlsoWhereItsAddressDoesNot(t *testing.T) {
	for _, o := range (posixkind.Objects{}).Describe([]inspect.Object{
		{Address: "map:1/7f0000000000", Kind: "posix", Name: "/frames", Removed: true},
		{Address: "file:/proc/1/fd/3", Kind: "posix", Name: "/frames"},
		{Address: "posix:/frames", Kind: "posix", Name: "/frames", Path: "/dev/shm/frames"},
	}) {
		if got := o.Value("name").Short(); got != "/frames" {
			t.Errorf("%s: %s", o.Address, got)
		}
	}
}
