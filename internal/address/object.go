package address

import (
	"errors"
	"strings"
)

// ObjectName is the name of one of shmkit's own objects: any text but "", without zero
// byte.
type ObjectName string

func (n ObjectName) String() string { return string(n) }
func (ObjectName) target()          {}

func parseObjectName(rest string) (Target, error) {
	switch {
	case rest == "":
		return nil, errors.New("nothing behind the colon: give a name such as orders")
	case strings.ContainsRune(rest, 0):
		return nil, errors.New("no name has a zero byte")
	}
	return ObjectName(rest), nil
}
