package lockkind

import (
	"context"
	"fmt"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/named"
	"github.com/shmkit/shmkit/pshared"
)

// shared is what all objects of package pshared have in common.
type shared struct{ named.Kind }

func newShared(word, title string) shared {
	return shared{named.Kind{Word: word, Heading: title,
		NamesOf:   func(dir string) ([]string, error) { return pshared.Names(word, dir) },
		RemoveOne: func(name, dir string) error { return pshared.Remove(word, name, dir) },
	}}
}

// Recover implements kind.Recoverer.
func (k shared) Recover(_ context.Context, a address.Address, reset bool) (done []string, err error) {
	if reset {
		return nil, fmt.Errorf("%s: what --reset would make usable again only its program can tell", a)
	}
	swept, err := pshared.Sweep(k.Word, named.Of(a), "")
	return sweptText(swept), named.Missing(a, err)
}

// sweptText says how many records of dead members were taken out.
func sweptText(n int) []string {
	switch n {
	case 0:
		return nil
	case 1:
		return []string{"1 dead member was taken out"}
	}
	return []string{fmt.Sprintf("%d dead members were taken out", n)}
}

// Others are the kinds that a program makes, and the command only tells of.
type Others struct{ shared }

// What they can do.
var (
	_ kind.Inspected  = Others{}
	_ kind.Stater     = Others{}
	_ kind.Disposable = Others{}
	_ kind.Recoverer  = Others{}
	_ kind.Completer  = Others{}
)
