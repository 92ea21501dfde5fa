package explain

import (
	"crypto/rand"
	"path/filepath"
)

// Where experiments put what has a name, so that it is gone afterwards.

// posixName chooses the name of a POSIX object, and the path of the file that it is. It is
// known to the janitor before it exists.
func (x *lab) posixName() (name, path string) {
	name = "/shmkit-explain-" + rand.Text()[:12]
	path = filepath.Join("/dev/shm", name)
	x.remember("path", path)
	return name, path
}
