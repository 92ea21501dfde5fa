package kind

import (
	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
)

// Inspected is a kind whose objects package inspect sees under the name of the kind. The list of
// what exists is made from there, by one look at all processes for all kinds.
type Inspected interface {
	Lister
	// Describe tells of objects that were seen what a table of them shows, in the same order.
	Describe(seen []inspect.Object) []Object
}

// Amount is a number of bytes, or why it is unknown.
func Amount(a inspect.Amount) Value {
	if a.Unknown != "" {
		return Unknown(a.Unknown)
	}
	return Bytes(a.Bytes)
}

// AddressOf is the address that inspect gave an object. What is no address of the command is
// taken for a name.
func AddressOf(o *inspect.Object) address.Address {
	a, err := address.Parse(o.Address)
	if err != nil {
		return address.Address{Kind: o.Kind, Target: address.ObjectName(o.Address)}
	}
	return a
}

// Told is a value, or if the object could not be looked at that it is unknown, and why.
func Told(o *inspect.Object, v Value) Value {
	if o.Err != nil {
		return Unknown(o.Err.Error())
	}
	return v
}
