package stream

import (
	"fmt"
	"math"
	"os"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/vm"
)

// Not package fdmap, though that tells why a page cannot be had: its File closes the
// descriptor when the last mapping has gone and no fault is being looked into, and lets
// nobody else have it. Here the locks of the descriptor are the membership: they have to
// go when the member says so, and a fault is explained by fileGround.explain, which has
// the file.

// mapFile maps the first size bytes of a file, shared, for reading and writing.
func mapFile(fd int, size int64, name string) (*shmkit.Mapping, error) {
	page := int64(os.Getpagesize())
	whole := (size + page - 1) / page * page
	if whole > math.MaxInt/2 {
		return nil, fmt.Errorf("map %d bytes: too many", size)
	}
	addr, err := sys.Mmap(0, uint64(whole), sys.PROT_READ|sys.PROT_WRITE, sys.MAP_SHARED, fd, 0)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return shmkit.NewMapping(vm.New(vm.Spec{Addr: addr, Len: int(size), Size: int(whole), Readable: true, Writable: true, Name: name, Unmap: sys.Munmap})), nil
}
