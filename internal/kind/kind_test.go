package kind_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// thing is a kind that can do nothing.
type thing string

func (t thing) Name() string  { return string(t) }
func (t thing) Title() string { return string(t) + "s" }

// lockable is a kind that can be locked.
type lockable struct{ thing }

func (lockable) Lock(address.Address) error   { return nil }
func (lockable) Unlock(address.Address) error { return nil }

func TestFindGivesTheCapabilityOfTheKindOfTheAddress(t *testing.T) {
	r := kind.NewRegistry(thing("sysv"), lockable{"sem"})
	a := address.Address{Kind: "sem", Target: address.Key(1)}
	c, err := kind.Find[kind.Locker](r, a, "lock", "memory to lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Lock(a); err != nil {
		t.Error(err)
	}
}

func TestFindSaysWhichKindsHaveTheCapability(t *testing.T) {
	a := address.Address{Kind: "sysv", Target: address.Key(1)}
	for _, c := range []struct {
		kinds []kind.Kind
		want  string
	}{
		{[]kind.Kind{thing("sysv")}, "sysv:0x1 has no memory to lock; lock works on no kind there is"},
		{[]kind.Kind{thing("sysv"), lockable{"a"}}, "sysv:0x1 has no memory to lock; lock works on a:"},
		{[]kind.Kind{thing("sysv"), lockable{"a"}, lockable{"b"}, lockable{"c"}}, "sysv:0x1 has no memory to lock; lock works on a:, b: and c:"},
		{[]kind.Kind{lockable{"a"}}, `no kind is called "sysv"`},
	} {
		_, err := kind.Find[kind.Locker](kind.NewRegistry(c.kinds...), a, "lock", "memory to lock")
		var usage *kind.UsageError
		if !errors.As(err, &usage) || err.Error() != c.want {
			t.Errorf("got %v, want the usage error %q", err, c.want)
		}
	}
}

func TestWithListsTheCapableKindsInOrder(t *testing.T) {
	r := kind.NewRegistry(lockable{"b"}, thing("x"), lockable{"a"})
	var names []string
	for _, k := range kind.With[kind.Locker](r) {
		names = append(names, k.Name())
	}
	if got := strings.Join(names, " "); got != "b a" {
		t.Errorf("With = %q", got)
	}
	if n := len(kind.With[kind.Kind](r)); n != 3 {
		t.Errorf("%d kinds are kinds", n)
	}
	if n := len(r.Kinds()); n != 3 {
		t.Errorf("Kinds has %d", n)
	}
}

func TestTwoKindsOfOneNameAreRefused(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	kind.NewRegistry(thing("x"), thing("x"))
}
