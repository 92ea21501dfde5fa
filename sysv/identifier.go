package sysv

import "math"

// identifier is a kernel identifier plus one, so that the zero value of a handle
// means no object: 0 is the identifier of a real one, the first in its namespace.
type identifier int

func identified(id int) identifier { return identifier(id + 1) }

// num returns the identifier as the kernel knows it, and -1, which is EINVAL to the
// kernel, for none.
func (i identifier) num() int { return int(i) - 1 }

// fitsID reports whether id reaches the kernel uncut: identifiers are C ints.
func fitsID(id int) bool { return id >= 0 && id <= math.MaxInt32 }
