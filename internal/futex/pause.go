package futex

// Pause tells the processor that this is a waiting loop: PAUSE on amd64, ISB on arm64,
// some 10 to 50 ns.
//
//go:noescape
func Pause()
