package main

import (
	"fmt"
	"testing"

	"github.com/shmkit/shmkit/inspect"
)

// mappedBy is an object of 8 pages that some processes map, each from page 2 on, and 4 pages.
func mappedBy(pids ...int) *inspect.Object {
	o := &inspect.Object{Address: "posix:/frames", Size: 8 * pageSize}
	for _, pid := range pids {
		o.Users = append(o.Users, inspect.User{PID: pid, Ranges: []inspect.Range{
			{Start: uint64(pid) << 20, End: uint64(pid)<<20 + 4*pageSize, Offset: 2 * pageSize},
		}})
	}
	o.Users = append(o.Users, inspect.User{PID: 1000}) // has a descriptor
	return o
}

func TestAMappingIsThePartOfItsObject(t *testing.T) {
	for _, c := range []struct{ offset, length, wantOffset, wantLength uint64 }{
		{0, 0, 2, 4}, {1, 0, 3, 3}, {1, 2, 3, 2},
	} {
		s := &pageSubject{name: "map:7/x", object: mappedBy(6, 7), pid: 7, start: 7<<20 + pageSize}
		cmd := &pagesCommand{}
		cmd.part.offset.n, cmd.part.length.n = int64(c.offset*pageSize), int64(c.length*pageSize)
		if err := s.narrow(cmd); err != nil {
			t.Fatal(err)
		}
		if o := cmd.options(); o.Offset != int64(c.wantOffset*pageSize) || o.Length != int64(c.wantLength*pageSize) {
			t.Errorf("%+v: %+v", c, o)
		}
	}
	s := &pageSubject{object: mappedBy(7), pid: 7, start: 7 << 20}
	cmd := &pagesCommand{}
	cmd.part.length.n = int64(5 * pageSize)
	if s.narrow(cmd) == nil {
		t.Error("more than is mapped")
	}
	cmd.part.offset.n, cmd.part.length.n = int64(4*pageSize), 0
	if s.narrow(cmd) == nil {
		t.Error("from its end on")
	}
	s.start = 8 << 20
	if s.narrow(&pagesCommand{}) == nil {
		t.Error("nothing is mapped there")
	}
}

func TestOfManyProcessesSomeAreDrawn(t *testing.T) {
	for _, c := range []struct {
		users, asked []int
		named        int
		want         string
	}{
		{users: []int{1, 2, 3}, want: "[] 0"},
		{users: []int{1, 2, 3, 4, 5, 6, 7, 8}, want: "[1 2 3 4 5 6] 2"},
		{users: []int{1, 2, 3, 4, 5, 6, 7, 8}, named: 8, want: "[1 2 3 4 5 8] 2"},
		{users: []int{1, 2, 3, 4, 5, 6, 7, 8}, asked: []int{8}, want: "[8] 0"},
	} {
		s := &pageSubject{object: mappedBy(c.users...), pid: c.named}
		if got := fmt.Sprint(s.few(c.asked), s.left); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
