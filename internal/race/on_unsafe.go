//go:build race

package race

import (
	"runtime"
	"unsafe"
)

// Enabled reports whether the program was built with -race.
const Enabled = true

var table [entries]byte

// Acquire says that what was released under k is seen from here on.
func Acquire(k Key) { runtime.RaceAcquire(unsafe.Pointer(&table[k])) }

// Release says that what was done so far is seen by who acquires k.
func Release(k Key) { runtime.RaceReleaseMerge(unsafe.Pointer(&table[k])) }
