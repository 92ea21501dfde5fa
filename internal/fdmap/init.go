package fdmap

import (
	"errors"

	"github.com/shmkit/shmkit"
)

// Init runs what fills in a new object, and closes the mapping that it does so through. A
// fault in it is its error.
func Init(m *shmkit.Mapping, fill func(*shmkit.Mapping) error) (err error) {
	defer func() { // also when it panics
		err = errors.Join(err, m.Close())
	}()
	if fault := shmkit.Guard(func() { err = fill(m) }); fault != nil {
		return fault
	}
	return err
}
