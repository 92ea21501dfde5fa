package filemap_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"structs"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
)

// exampleFile returns the path of a file with that content, and removes it.
func exampleFile(content string) (path string, remove func()) {
	dir, err := os.MkdirTemp("", "example-*")
	if err != nil {
		log.Fatal(err)
	}
	path = filepath.Join(dir, "prices.dat")
	if content != "" {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return path, func() { os.RemoveAll(dir) }
}

// Bytes of a file are changed in memory, without read(2) and write(2), and are on the
// device when Flush returns.
func Example() {
	path, remove := exampleFile("apples 12.50\npears  17.00\n")
	defer remove()

	f, err := filemap.Open(path, &filemap.Options{Writable: true})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	at := int64(bytes.Index(f.Bytes(), []byte("17.00")))
	if _, err := f.WriteAt([]byte("15.75"), at); err != nil {
		log.Fatal(err)
	}
	if err := f.Flush(at, 5, filemap.Sync); err != nil {
		log.Fatal(err)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", text)
	// Output:
	// apples 12.50
	// pears  15.75
}

// A new file gets its name when it is complete.
func ExampleCreate() {
	path, remove := exampleFile("")
	defer remove()

	type Header struct {
		_       structs.HostLayout
		Magic   uint32
		Version uint32
	}
	f, err := filemap.Create(path, 1<<20, &filemap.Options{Init: func(m *shmkit.Mapping) error {
		h, err := shmkit.View[Header](m, 0)
		if err != nil {
			return err
		}
		h.Data().Magic, h.Data().Version = 0x5eed, 1
		return h.Close()
	}})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	_, err = filemap.Create(path, 1<<20, nil)
	fmt.Println(f.Len(), errors.Is(err, os.ErrExist))
	// Output: 1048576 true
}

// File and mapping grow together, under a view if address space was reserved for it.
func ExampleFile_Resize() {
	path, remove := exampleFile("first line\n")
	defer remove()

	f, err := filemap.Open(path, &filemap.Options{Writable: true, Reserve: 1 << 30})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	view, err := shmkit.ViewSlice[byte](f.Mapping(), 0, 10)
	if err != nil {
		log.Fatal(err)
	}
	if err := f.Resize(23); err != nil {
		log.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("second line\n"), 11); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", f.Bytes())

	// What a view shows is not cut off under it.
	fmt.Println(errors.Is(f.Resize(5), shmkit.ErrInUse))
	view.Close()
	fmt.Println(f.Resize(5), f.Len())
	// Output:
	// first line
	// second line
	// true
	// <nil> 5
}

// A file that somebody makes shorter is an error, and not the end of the program.
func ExampleFile_ReadAt() {
	path, remove := exampleFile(string(bytes.Repeat([]byte("x"), 3*os.Getpagesize())))
	defer remove()

	f, err := filemap.Open(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	os.Truncate(path, 100)
	_, err = f.ReadAt(make([]byte, 1), int64(2*os.Getpagesize()))
	fmt.Println(errors.Is(err, shmkit.ErrTruncated))

	sum := 0
	err = shmkit.Guard(func() {
		for _, b := range f.Bytes() {
			sum += int(b)
		}
	})
	fmt.Println(errors.Is(err, shmkit.ErrTruncated))
	// Output:
	// true
	// true
}

// A private mapping is a copy that takes no memory until it is written.
func ExampleFile_Map() {
	path, remove := exampleFile("shared text")
	defer remove()

	f, err := filemap.Open(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	mine, err := f.Map(7, 4, &filemap.MapOptions{Private: true, Writable: true})
	if err != nil {
		log.Fatal(err)
	}
	defer mine.Close()
	if _, err := mine.WriteAt([]byte("TEXT"), 0); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %s\n", mine.Bytes(), f.Bytes())
	// Output: TEXT, shared text
}

// A file of any size is searched in 16 MiB of memory. The overlap finds what lies across
// two chunks.
func ExampleScan() {
	path, remove := exampleFile("")
	defer remove()
	f, err := filemap.Create(path, 1<<30, &filemap.Options{Sparse: true})
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	word := []byte("needle")
	if _, err := f.WriteAt(word, 700<<20-3); err != nil {
		log.Fatal(err)
	}

	opts := &filemap.ScanOptions{
		Overlap: len(word) - 1,
		Hole:    func(off, n int64) error { return nil }, // a needle is no zeros
	}
	err = filemap.Scan(context.Background(), path, opts, func(off int64, chunk []byte) error {
		if i := bytes.Index(chunk, word); i >= 0 {
			fmt.Println("found at", off+int64(i))
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// found at 734003197
	// <nil>
}

// A cursor is a stream over the mapping.
func ExampleFile_NewCursor() {
	path, remove := exampleFile("3 apples, 4 pears")
	defer remove()

	f, err := filemap.Open(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	var apples, pears int
	if _, err := fmt.Fscanf(f.NewCursor(), "%d apples, %d pears", &apples, &pears); err != nil {
		log.Fatal(err)
	}
	fmt.Println(apples + pears)
	// Output: 7
}
