package main

// A work is one row: something that two processes do together.
type work struct {
	name string // for -works
	op   string // what one operation is
	// base is the work whose operations it is measured in. "" is the floor.
	base string
	// n is how many operations a slice has: such that it takes two milliseconds or so.
	n int
	// parts is into how many parts a slice is cut, of which the median counts; 10 if it is 0, and
	// one operation each if there are fewer. n is a multiple of it.
	parts int
	// together puts both processes on one CPU: for works in which one of them does nothing
	// while the other does.
	together bool
	// free binds neither to a CPU: for works that wait for a mutex, whose holder is best not kept from a
	// CPU by who waits for it.
	free bool
	// memory is how many bytes the two share, whole pages; a page if it is 0.
	memory int64
	// moved is how many bytes an operation moves; 0 if that is not of interest.
	moved int64
	// inverse shows how many operations there are in one of the base instead of the ratio.
	inverse bool
	// asked is the ratio that is asked for at most; with inverse it is how many operations at
	// least. 0: nothing is asked for.
	asked float64

	parent, child func(*room) (side, error)
}

// A side is what one of the two processes does. The same calls are made on both sides, each on
// a locked thread: so they go on from one another, and know by themselves who is next.
type side interface {
	// run does n operations. With check it also looks at all that there is to see, on the same
	// way; that is not timed.
	run(n int, check bool) error
	close() error
}

// A timer is a side, of the parent, that knows better than the clock what counts of its last run.
type timer interface {
	// took is in nanoseconds an operation.
	took() float64
}
