//go:build !race

package words

import "sync/atomic"

// Uint32, Uint64 and Int64 are words of structs in memory that may fault. But for programs
// built with -race they are what sync/atomic has, which the compiler turns into single
// instructions.
type (
	Uint32 = atomic.Uint32
	Uint64 = atomic.Uint64
	Int64  = atomic.Int64
)
