// Counter counts how often it was run, in memory that outlives it.
package main

import (
	"fmt"
	"log"

	"github.com/shmkit/shmkit/sysv"
)

func main() {
	seg, err := sysv.OpenOrCreate(0x5eed, 4096, 0o600) // every process finds it by its key
	if err != nil {
		log.Fatal(err)
	}
	m, err := seg.Attach(nil) // shared memory, as an io.ReaderAt and io.WriterAt and more
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()         // detaches; seg.Remove() removes
	n, err := m.Add64(0, 1) // an atomic word at offset 0
	fmt.Println("run number", n, err)
}
