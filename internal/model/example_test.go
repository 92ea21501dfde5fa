package model_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/shmkit/shmkit/internal/model"
)

// What happens to a mapping when somebody cuts its file off, and why.
func Example() {
	script, err := model.ParseScript(strings.NewReader(`
		A memfd fd=d0
		A truncate fd=d0 size=2p
		A mmap fd=d0 len=2p prot=rw- flags=shared
		A store addr=1p val=7
		A table
		A truncate fd=d0 size=100
		A load addr=1p
		A maps
	`))
	if err != nil {
		log.Fatal(err)
	}
	w := model.NewWorld(model.Machine{}, model.User{})
	for i, out := range script.Run(w) {
		fmt.Printf("%v => %v\n\t%s\n", script[i].Op, out, out.Why)
	}

	// Output:
	// A memfd fd=d0 => ok
	// 	New memory without a name. It may not be sealed, as if it were sealed against seals.
	// A truncate fd=d0 size=2p => ok
	// 	The object has more bytes. They take no memory until they are touched.
	// A mmap fd=d0 len=2p prot=rw- flags=shared => ok
	// 	A new mapping. Its pages come when they are touched.
	// A store addr=1p val=7 => ok
	// 	The object had no memory for this page yet. The first touch made it, full of zeros.
	// A table => -f--------------
	// 	The page table: a letter a page.
	// A truncate fd=d0 size=100 => ok
	// 	Pages behind the new end are gone, for everybody, with the private copies of them.
	// A load addr=1p => SIGBUS
	// 	The page lies behind the end of the object, which has 100 bytes; this would be page 1 of it.
	// A maps => [0-2 rw-s A1+0]
	// 	The areas, in ascending order.
}
