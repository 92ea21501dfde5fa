package memfd

import (
	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/fdmap"
)

// MapReadOnly is what Map does where the kernel refuses the plain way.
func MapReadOnly(f *File, n int64) (*shmkit.Mapping, error) {
	return f.mapReadOnly(fdmap.Options{Len: n, Protection: shmkit.Read, PageSize: f.pageSize})
}

// What the fuzzers need.
var (
	ParseVariable  = parseVariable
	FormatVariable = formatVariable
	LinkName       = linkName
)

// DescriptorsIn returns the descriptors in control data: sent, and put in by the kernel.
func DescriptorsIn(control []byte) (rights, others []int, err error) {
	d, err := descriptorsIn(control)
	return d.rights, d.others, err
}
