package topic

import (
	"runtime"

	"github.com/shmkit/shmkit/internal/object"
)

// unmapLater gives the memory back when nothing refers to n any more.
func unmapLater(n *node) {
	runtime.AddCleanup(n, func(o *object.Object) { _ = o.Unmap() }, n.o)
}
