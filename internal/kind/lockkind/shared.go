package lockkind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/pshared"
)

// shared is what all objects of package pshared have in common.
type shared struct{ name, title string }

// Name implements kind.Kind; the methods below implement the capabilities.
func (k shared) Name() string { return k.name }

// Title implements kind.Kind.
func (k shared) Title() string { return k.title }

// name is what the object of an address is called.
func name(a address.Address) string { return string(a.Target.(address.ObjectName)) }

func (k shared) addressOf(name string) address.Address {
	return address.Address{Kind: k.name, Target: address.ObjectName(name)}
}

// Remove implements kind.Remover.
func (k shared) Remove(a address.Address) ([]address.Address, error) {
	err := pshared.Remove(k.name, name(a), "")
	if errors.Is(err, fs.ErrNotExist) {
		err = kind.Missing(a, err)
	}
	return nil, err
}

// AllRemovable implements kind.Disposable.
func (shared) AllRemovable() {}

// Complete implements kind.Completer.
func (k shared) Complete(text string) []string {
	names, err := pshared.Names(k.name, "")
	if err != nil {
		return nil // there is nobody to tell
	}
	var found []string
	for _, n := range names {
		if a := k.addressOf(n).String(); strings.HasPrefix(a, text) {
			found = append(found, a)
		}
	}
	return found
}

// Recover implements kind.Recoverer.
func (k shared) Recover(_ context.Context, a address.Address, reset bool) (done []string, err error) {
	if reset {
		return nil, fmt.Errorf("%s: what --reset would make usable again only its program can tell", a)
	}
	swept, err := pshared.Sweep(k.name, name(a), "")
	if errors.Is(err, fs.ErrNotExist) {
		err = kind.Missing(a, err)
	}
	return sweptText(swept), err
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
	_ kind.Lister     = Others{}
	_ kind.Stater     = Others{}
	_ kind.Disposable = Others{}
	_ kind.Recoverer  = Others{}
	_ kind.Completer  = Others{}
)
