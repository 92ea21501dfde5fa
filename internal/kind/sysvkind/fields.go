package sysvkind

import (
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

// describer makes fields.
type describer struct{ names kind.Names }

func newDescriber() *describer { return &describer{} }

// object begins the description of an object with what all three kinds have. What
// a kind has in more stands between identity and mode, where people look for it.
func (d *describer) object(kindName string, p sysv.Permission, more ...kind.Field) kind.Object {
	id := address.Address{Kind: kindName, Target: address.ID(p.ID)}
	usual := id
	if p.Key != sysv.Private {
		usual.Target = address.Key(p.Key)
	}
	fields := []kind.Field{
		{Name: "kind", Value: kind.Text(kindName), Machine: true},
		{Name: "address", Value: kind.Text(usual.String()), Machine: true},
		{Name: "key", Value: kind.Key(p.Key)},
		{Name: "id", Value: kind.Count(p.ID)},
	}
	fields = append(fields, more...)
	fields = append(fields, kind.Field{Name: "mode", Value: kind.Mode(p.Mode)})
	fields = append(fields, d.names.User("owner", "owner_uid", p.UID)...)
	fields = append(fields, d.names.Group("group", "group_gid", p.GID)...)
	fields = append(fields, d.names.User("creator", "creator_uid", p.CreatorUID)...)
	fields = append(fields, d.names.Group("creator_group", "creator_gid", p.CreatorGID)...)
	return kind.Object{Address: id, Owners: []uint32{p.UID, p.CreatorUID}, Fields: fields}
}

// columns are what all three kinds show, and then their own.
func columns(own ...kind.Column) []kind.Column {
	return append([]kind.Column{
		{Heading: "ADDRESS", Field: "address"},
		{Heading: "KEY", Field: "key", Long: true},
		{Heading: "ID", Field: "id", Right: true},
		{Heading: "OWNER", Field: "owner"},
		{Heading: "GROUP", Field: "group", Long: true},
		{Heading: "CREATOR", Field: "creator"},
		{Heading: "CGROUP", Field: "creator_group", Long: true},
		{Heading: "MODE", Field: "mode"},
	}, own...)
}
