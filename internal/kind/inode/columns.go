package inode

import "github.com/shmkit/shmkit/internal/kind"

// Columns are what lists of files show behind the address.
func Columns() []kind.Column {
	return []kind.Column{
		{Heading: "OWNER", Field: "owner"},
		{Heading: "GROUP", Field: "group", Long: true},
		{Heading: "MODE", Field: "mode"},
		{Heading: "SIZE", Field: "size", Right: true},
		{Heading: "ALLOC", Field: "allocated", Right: true},
		{Heading: "RESIDENT", Field: "resident", Right: true},
		{Heading: "PROCS", Field: "mapped_by", Right: true},
		{Heading: "MODIFIED", Field: "modify_time"},
		{Heading: "ACCESSED", Field: "access_time", Long: true},
		{Heading: "CHANGED", Field: "change_time", Long: true},
	}
}

// UseLimit is what a file system has of something, total 0 being no limit.
func UseLimit(name, description, unit string, total, free uint64) kind.Limit {
	l := kind.Limit{Name: name, Description: description, Unit: unit}
	if total > 0 {
		used := total - free
		l.Max, l.Used = &total, &used
	}
	return l
}
