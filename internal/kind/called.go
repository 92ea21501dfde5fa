package kind

import (
	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

// Called puts the address that the user wrote in the place of the path under which
// package filemap knows what failed.
func Called(err error, path, name string) error {
	mapping := "file:" + path
	switch e := err.(type) {
	case *filemap.Error:
		if e.Path == path {
			c := *e
			c.Path = name
			return &c
		}
	case *shmkit.FaultError:
		if e.Mapping == mapping {
			c := *e
			c.Mapping = name
			return &c
		}
	case *shmkit.OpError:
		if e.Mapping == mapping {
			c := *e
			c.Mapping = name
			return &c
		}
	}
	return err
}
