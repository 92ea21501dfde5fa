// Package kind is what stands between the verbs of the command and the things
// they act on. A Kind is one sort of object that an address can name; what can be
// done with it is told by the capability interfaces it has. A verb asks the
// Registry for the kind of an address and for the capability it needs:
//
//	m, err := kind.Find[kind.Memory](registry, addr, "dump", "memory to dump")
//
// so that a new kind, registered where the program begins, works with every verb
// whose capability it has, and no verb knows the kinds by name.
//
// The sources of memory each have a folder below with their kinds: sysvkind for
// System V, posixkind, filekind and memfdkind. What these three have in common,
// because each is a file in the end, is in inode.
package kind

import (
	"strings"

	"github.com/shmkit/shmkit/internal/address"
)

// Kind is one sort of object.
type Kind interface {
	// Name is what addresses of the kind begin with: "sysv".
	Name() string
	// Title names several of them, for a heading: "shared memory segments".
	Title() string
}

// Registry is the kinds that the program knows, in the order in which it shows
// them. It is never changed once made.
type Registry struct {
	kinds []Kind
}

// NewRegistry makes a registry. Two kinds of one name are a mistake of the
// programmer, and panic.
func NewRegistry(kinds ...Kind) *Registry {
	r := &Registry{}
	for _, k := range kinds {
		if _, twice := r.Kind(k.Name()); twice {
			panic("kind: " + k.Name() + " is registered twice")
		}
		r.kinds = append(r.kinds, k)
	}
	return r
}

// Kinds returns all kinds.
func (r *Registry) Kinds() []Kind { return append([]Kind(nil), r.kinds...) }

// Kind returns the kind of a name.
func (r *Registry) Kind(name string) (Kind, bool) {
	for _, k := range r.kinds {
		if k.Name() == name {
			return k, true
		}
	}
	return nil, false
}

// Capable is a kind together with one of its capabilities.
type Capable[C any] struct {
	Kind
	Can C
}

// With returns the kinds that have the capability C.
func With[C any](r *Registry) []Capable[C] {
	var with []Capable[C]
	for _, k := range r.kinds {
		if c, ok := k.(C); ok {
			with = append(with, Capable[C]{k, c})
		}
	}
	return with
}

// Find returns the capability C of the kind that a belongs to. verb and lacks
// serve the error when it has none: what was to be done ("dump"), and what the
// object would need for it ("memory to dump"). The error is a *UsageError.
func Find[C any](r *Registry, a address.Address, verb, lacks string) (C, error) {
	var none C
	k, ok := r.Kind(a.Kind)
	if !ok {
		return none, Usage("no kind is called %q", a.Kind)
	}
	c, ok := k.(C)
	if !ok {
		return none, Lacking[C](r, a.Kind, a.String(), verb, lacks)
	}
	return c, nil
}

// Lacking is the error of Find for a kind that there is and that has no capability C; what
// is the thing to name in it.
func Lacking[C any](r *Registry, name, what, verb, lacks string) error {
	k, _ := r.Kind(name)
	if e, explains := k.(Explainer); explains {
		if why := e.Without(verb); why != "" {
			return Usage("%s: %s", what, why)
		}
	}
	return Usage("%s has no %s; %s works on %s", what, lacks, verb, names(With[C](r)))
}

// names lists kinds for people: "sysv: and sem:".
func names[C any](with []Capable[C]) string {
	var all []string
	for _, k := range with {
		all = append(all, k.Name()+":")
	}
	switch n := len(all); n {
	case 0:
		return "no kind there is"
	case 1:
		return all[0]
	default:
		return strings.Join(all[:n-1], ", ") + " and " + all[n-1]
	}
}
