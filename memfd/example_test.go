package memfd_test

import (
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/memfd"
)

// Memory that never changes: written once, sealed, and then everybody's to read.
func Example() {
	f, err := memfd.CreateWith("greeting", 5, &memfd.Options{
		Seals: memfd.SealShrink | memfd.SealGrow | memfd.SealWrite | memfd.SealSeal,
		Init: func(m *shmkit.Mapping) error {
			_, err := m.WriteAt([]byte("hello"), 0)
			return err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := f.Map(&memfd.MapOptions{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	fmt.Printf("%s\n", m.Bytes())

	_, err = f.WriteAt([]byte("HELLO"), 0)
	fmt.Println(errors.Is(err, syscall.EPERM))
	// Output:
	// hello
	// true
}

// A parent hands memory to a child. The child here is no Go program: the number is
// all that it needs. One that is calls Inherited("greeting", nil).
func ExamplePass() {
	f, err := memfd.Create("greeting", 5, memfd.SealShrink|memfd.SealGrow)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("hello"), 0); err != nil {
		log.Fatal(err)
	}

	child := exec.Command("cat", "/proc/self/fd/3")
	fd, err := memfd.Pass(child, "greeting", f)
	if err != nil {
		log.Fatal(err)
	}
	out, err := child.Output()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the child found at descriptor %d: %s\n", fd, out)
	// Output: the child found at descriptor 3: hello
}

// What the child does that ExamplePass speaks of.
func ExampleInherited() {
	f, err := memfd.Inherited("greeting", &memfd.Want{MinSize: 5})
	if errors.Is(err, memfd.ErrNotPassed) {
		fmt.Println("started by hand")
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	// Output: started by hand
}

// Memory goes through a Unix socket with one byte of it. Here both ends are the same
// process.
func ExampleSend() {
	here, there := connection()
	defer here.Close()
	defer there.Close()

	f, err := memfd.Create("frame", 1<<20, 0)
	if err != nil {
		log.Fatal(err)
	}
	if err := memfd.Send(here, f); err != nil {
		log.Fatal(err)
	}
	f.Close() // it is on its way

	got, err := memfd.Receive(there, &memfd.Want{Size: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer got.Close()
	fmt.Println(got.Name(), "came sealed:", got.Verify(nil) == nil)
	// Output: frame came sealed: true
}

// What is not as it was agreed is refused, with the reason.
func ExampleReceive() {
	here, there := connection()
	defer here.Close()
	defer there.Close()
	f, err := memfd.Create("frame", 100, memfd.NoSeals)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	if err := memfd.Send(here, f); err != nil {
		log.Fatal(err)
	}
	_, err = memfd.Receive(there, &memfd.Want{Seals: memfd.SealShrink | memfd.SealGrow})
	var e *memfd.Error
	if errors.As(err, &e) && errors.Is(err, memfd.ErrUnsealed) {
		fmt.Println(e.Err, "enough")
	}
	// Output: not sealed enough
}

// connection is what net.Dial and Accept give to two processes.
func connection() (here, there *net.UnixConn) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	ends := make([]*net.UnixConn, 2)
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		if err != nil {
			log.Fatal(err)
		}
		f.Close()
		ends[i] = c.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

// Only the maker writes: it maps first, and then takes writing away from everybody
// who maps later.
func ExampleFile_AddSeals() {
	f, err := memfd.Create("log", 4096, memfd.SealShrink|memfd.SealGrow)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	mine, err := f.Map(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer mine.Close()
	if err := f.AddSeals(memfd.SealFutureWrite | memfd.SealSeal); err != nil {
		log.Fatal(err)
	}
	_, err = mine.WriteAt([]byte("entry"), 0)
	fmt.Println(err)
	_, err = f.Map(nil)
	fmt.Println(errors.Is(err, syscall.EPERM))
	theirs, err := f.Map(&memfd.MapOptions{ReadOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	defer theirs.Close()
	fmt.Printf("%s\n", theirs.Bytes()[:5])
	// Output:
	// <nil>
	// true
	// entry
}
