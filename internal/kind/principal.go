package kind

import (
	"os/user"
	"strconv"
)

// Names looks up the names of users and groups, each once. The zero value is ready.
type Names struct {
	users, groups map[uint32]string
}

// User returns the two fields that tell a user: the name, and for programs the number.
func (n *Names) User(name, number string, uid uint32) []Field {
	return principal(name, number, Principal{known(&n.users, uid, func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	}), uid})
}

// Group returns the two fields that tell a group likewise.
func (n *Names) Group(name, number string, gid uint32) []Field {
	return principal(name, number, Principal{known(&n.groups, gid, func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	}), gid})
}

func principal(name, number string, p Principal) []Field {
	return []Field{{Name: name, Value: p}, {Name: number, Value: Count(p.ID), Machine: true}}
}

// known looks up the name of a number once. Who has none is called by it.
func known(names *map[uint32]string, id uint32, lookup func(string) (string, error)) string {
	if *names == nil {
		*names = map[uint32]string{}
	}
	name, ok := (*names)[id]
	if !ok {
		number := strconv.FormatUint(uint64(id), 10)
		var err error
		if name, err = lookup(number); err != nil || name == "" {
			name = number
		}
		(*names)[id] = name
	}
	return name
}
