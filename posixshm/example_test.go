package posixshm_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/posixshm"
)

// exampleName is a name that nothing else on this machine has.
func exampleName(what string) string { return fmt.Sprintf("/shmkit-test-%d-%s", os.Getpid(), what) }

// One process makes an object, and another finds it by its name; here both are the
// same.
func Example() {
	name := exampleName("frames") // "/frames", say
	obj, err := posixshm.Create(name, 1<<20, &posixshm.Options{
		// Whoever opens it finds this done.
		Init: func(m *shmkit.Mapping) error {
			_, err := m.WriteAt([]byte("hello"), 0)
			return err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer obj.Close()  // the handle
	defer obj.Remove() // the name

	same, err := posixshm.Open(name, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer same.Close()
	m, err := same.Map(&posixshm.MapOptions{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	b := make([]byte, 5)
	if _, err := m.ReadAt(b, 0); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %d bytes, %v\n", b, m.Len(), m.Protection())
	// Output: hello, 1048576 bytes, r--
}

// Whoever comes first makes it.
func ExampleOpenOrCreate() {
	name := exampleName("counters")
	defer posixshm.Remove(name)
	for range 2 {
		obj, err := posixshm.OpenOrCreate(name, 4096, nil)
		if err != nil {
			log.Fatal(err)
		}
		m, err := obj.Map(nil)
		if err := errors.Join(err, obj.Close()); err != nil { // mappings need no handle
			log.Fatal(err)
		}
		n, err := m.Add64(0, 1)
		if err := errors.Join(err, m.Close()); err != nil {
			log.Fatal(err)
		}
		fmt.Println(obj.Created(), n)
	}
	// Output:
	// true 1
	// false 2
}

// A new version takes the place of the old one in one step. Who has the old one mapped
// keeps it.
func ExampleCreate_replace() {
	name := exampleName("prices")
	defer posixshm.Remove(name)
	publish := func(text string) *posixshm.Object {
		obj, err := posixshm.Create(name, 16, &posixshm.Options{
			Replace: true,
			Init: func(m *shmkit.Mapping) error {
				_, err := m.WriteAt([]byte(text), 0)
				return err
			},
		})
		if err != nil {
			log.Fatal(err)
		}
		return obj
	}
	show := func(obj *posixshm.Object) {
		m, err := obj.Map(nil)
		if err != nil {
			log.Fatal(err)
		}
		defer m.Close()
		b := make([]byte, 6)
		if _, err := m.ReadAt(b, 0); err != nil {
			log.Fatal(err)
		}
		info, err := obj.Stat()
		fmt.Printf("%s removed=%t %v\n", b, info.Removed, err)
	}
	old := publish("first ")
	defer old.Close()
	now := publish("second")
	defer now.Close()
	show(old)
	show(now)
	// Output:
	// first  removed=true <nil>
	// second removed=false <nil>
}

// Errors say what was tried on what, and why it went wrong; here, that there is no room
// for it. Nothing is left behind.
func ExampleCreate_full() {
	name := exampleName("huge")
	_, err := posixshm.Create(name, 1<<60, nil)
	fmt.Println(errors.Is(err, shmkit.ErrNoSpace))
	_, err = posixshm.Stat(name)
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output:
	// true
	// true
}

// Closing ends a handle, removing ends a name, and the memory goes with the last
// mapping.
func ExampleRemove() {
	name := exampleName("scratch")
	obj, err := posixshm.Create(name, 4096, nil)
	if err != nil {
		log.Fatal(err)
	}
	m, err := obj.Map(nil)
	if err := errors.Join(err, obj.Close(), posixshm.Remove(name)); err != nil {
		log.Fatal(err)
	}
	_, err = m.WriteAt([]byte("still here"), 0)
	fmt.Println(err, m.Close())
	// Output: <nil> <nil>
}

// What is in a directory of objects.
func ExampleDir_List() {
	dir, err := os.MkdirTemp("/dev/shm", fmt.Sprintf("shmkit-test-%d-", os.Getpid()))
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	objects := posixshm.Dir(dir)
	for _, name := range []string{"/one", "/two"} {
		obj, err := objects.Create(name, 10_000, &posixshm.Options{Sparse: name == "/two"})
		if err != nil {
			log.Fatal(err)
		}
		defer obj.Close()
	}
	all, err := objects.List()
	if err != nil {
		log.Fatal(err)
	}
	for _, info := range all {
		fmt.Println(info.Name, info.Size, info.Allocated > 0, info.Mode)
	}
	// Output:
	// /one 10000 true -rw-------
	// /two 10000 false -rw-------
}
