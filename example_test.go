package shmkit_test

import (
	"errors"
	"fmt"
	"log"
	"structs"
	"sync/atomic"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/sysv"
)

// exampleMapping is 4 KiB of shared memory that goes with its mapping: a segment
// that is marked for removal lives as long as it is attached.
func exampleMapping(o *sysv.AttachOptions) *shmkit.Mapping {
	seg, err := sysv.Create(sysv.Private, 4096, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	m, err := seg.Attach(o)
	if err := errors.Join(err, seg.Remove()); err != nil {
		log.Fatal(err)
	}
	return m
}

// A typed view holds the memory until it is closed, whoever closes the mapping.
func ExampleView() {
	type Header struct {
		_     structs.HostLayout
		Seq   atomic.Uint64
		Width uint32
		Depth uint32
	}
	m := exampleMapping(nil)
	h, err := shmkit.View[Header](m, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	if err := m.Close(); err != nil {
		log.Fatal(err)
	}

	h.Data().Width, h.Data().Depth = 640, 24
	fmt.Println(h.Data().Seq.Add(1), h.Data().Width, h.Data().Depth)

	_, err = shmkit.View[struct{ Name string }](m, 0)
	fmt.Println(errors.Is(err, shmkit.ErrBadType))
	// Output:
	// 1 640 24
	// true
}

// ViewSlice is a window of an array; ViewSlice[byte] is the way to hold a mapping
// while working on its bytes.
func ExampleViewSlice() {
	m := exampleMapping(nil)
	defer m.Close()
	v, err := shmkit.ViewSlice[float64](m, 64, 3)
	if err != nil {
		log.Fatal(err)
	}
	defer v.Close()
	copy(v.Data(), []float64{1.5, 2.5, 3.5})
	fmt.Println(v.Data(), len(v.Data()))
	// Output: [1.5 2.5 3.5] 3
}

// Code that touches memory which may be missing, read-only or closed runs in
// Guard, and a fault is an error instead of the end of the process.
func ExampleGuard() {
	m := exampleMapping(&sysv.AttachOptions{ReadOnly: true})
	defer m.Close()
	b := m.Bytes()

	err := shmkit.Guard(func() { b[100] = 1 })

	var fault *shmkit.FaultError
	if errors.As(err, &fault) {
		fmt.Println("offset", fault.Off)
	}
	fmt.Println(errors.Is(err, shmkit.ErrReadOnly))
	// Output:
	// offset 100
	// true
}

// The accessors copy, check bounds and never fault.
func ExampleMapping_ReadAt() {
	m := exampleMapping(nil)
	defer m.Close()
	if _, err := m.WriteAt([]byte("hello"), 4090); err != nil {
		log.Fatal(err)
	}
	p := make([]byte, 10)
	n, err := m.ReadAt(p, 4090)
	fmt.Printf("%q %v\n", p[:n], err)

	n, err = m.WriteAt([]byte("too long"), 4090)
	fmt.Println(n, errors.Is(err, shmkit.ErrOutOfRange))
	// Output:
	// "hello\x00" EOF
	// 0 true
}

// Words are atomic between all processes that map the memory.
func ExampleMapping_Add64() {
	m := exampleMapping(nil)
	defer m.Close()
	for range 3 {
		if _, err := m.Add64(8, 5); err != nil {
			log.Fatal(err)
		}
	}
	sum, err := m.Load64(8)
	fmt.Println(sum, err)
	// Output: 15 <nil>
}
