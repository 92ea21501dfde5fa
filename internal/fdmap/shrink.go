package fdmap

import (
	"os"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/vm"
)

// Shrink calls cut, which shortens the file to end bytes, while no view of any of its
// mappings in this process reaches beyond (shmkit.ErrInUse). m, if not nil, is one of them
// and becomes n bytes long with it; see shmkit.Shrink.
func (f *File) Shrink(end int64, m *shmkit.Mapping, n int64, cut func(*os.File) error) error {
	return f.Use(func(o *os.File) error {
		return shmkit.Shrink(vm.Cut{Object: f, End: end, Do: func() error { return cut(o) }}, m, n)
	})
}
