package inspect_test

import (
	"fmt"
	"os"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/posixshm"
)

// All shared memory of the machine, with who uses it.
func ExampleObjects() {
	for o, err := range inspect.Objects(nil) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err) // of one source; the others are told
			continue
		}
		fmt.Printf("%q: %d bytes, resident %v, %v: %s\n", o.Address, o.Size, o.Resident, o.Use, o.UseWhy)
		for _, u := range o.Users {
			fmt.Printf("    process %d (%q) maps %d bytes\n", u.PID, u.Command, u.Mapped)
		}
	}
}

// One object, from a snapshot that can answer for others as well.
func ExampleSnapshot_Object() {
	object, err := posixshm.Create(fmt.Sprintf("/inspected-%d", os.Getpid()), 8192, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer object.Close()
	defer posixshm.Remove(object.Name())

	s, err := inspect.Take(ctx(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	o, err := s.Object("posix:" + object.Name())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.Kind, o.Size, len(o.Users), o.Users[0].Self)
	// Output: posix 8192 1 true
}

// What a process maps, and how much of it is in memory.
func ExampleMappingsOf() {
	p, err := inspect.MappingsOf(os.Getpid(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range p.Mappings {
		if m.Protection&inspect.SharedMapping != 0 {
			fmt.Printf("%x-%x %v %q: %d of %d bytes\n", m.Start, m.End, m.Protection, m.Object, m.Resident, m.Len())
		}
	}
}
