package sysv_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

// One process makes a segment and another finds it by its identifier (or by its
// key, if it has one); here both are the same.
func Example() {
	seg, err := sysv.Create(sysv.Private, 100, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	defer seg.Remove()
	m, err := seg.Attach(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close() // detaches; the segment stays
	if _, err := m.WriteAt([]byte("hello"), 0); err != nil {
		log.Fatal(err)
	}

	same, err := sysv.OpenID(seg.ID())
	if err != nil {
		log.Fatal(err)
	}
	reader, err := same.Attach(&sysv.AttachOptions{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Close()
	b := make([]byte, 5)
	if _, err := reader.ReadAt(b, 0); err != nil {
		log.Fatal(err)
	}
	info, err := same.Stat()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %d bytes, attached %d times\n", b, info.Size, info.Attached)
	// Output: hello, 100 bytes, attached 2 times
}

// A mapping can be read-only, and errors say what was tried on what.
func ExampleSegment_Attach() {
	seg, err := sysv.Create(sysv.Private, 4096, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	defer seg.Remove()
	m, err := seg.Attach(&sysv.AttachOptions{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	_, err = m.WriteAt([]byte("hello"), 0)
	fmt.Println(m.Protection(), errors.Is(err, shmkit.ErrReadOnly))
	// Output: r-- true
}

// A segment that is removed lives as long as somebody is attached: removing it
// right after attaching leaves nothing behind, however the program ends.
func ExampleSegment_Remove() {
	seg, err := sysv.Create(sysv.Private, 4096, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	m, err := seg.Attach(nil)
	if err := errors.Join(err, seg.Remove()); err != nil {
		log.Fatal(err)
	}
	_, err = m.WriteAt([]byte("still here"), 0)
	fmt.Println(err)

	if err := m.Close(); err != nil {
		log.Fatal(err)
	}
	_, err = seg.Stat()
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// <nil>
	// true
}

// Programs that agree on a file agree on a key. The project byte makes several
// keys of one file.
func ExampleFromPath() {
	f, err := os.CreateTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()

	first, err := sysv.FromPath(f.Name(), 'A')
	if err != nil {
		log.Fatal(err)
	}
	second, err := sysv.FromPath(f.Name(), 'B')
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%#x %#x\n", uint32(first)>>24, uint32(second)>>24)
	fmt.Println(first&0xffffff == second&0xffffff)
	// Output:
	// 0x41 0x42
	// true
}
