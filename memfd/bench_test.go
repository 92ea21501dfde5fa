package memfd_test

import (
	"fmt"
	"os/exec"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/memfd"
)

// Handing over takes as long for a megabyte as for a page; what takes time is to make
// memory, because it is reserved.
func BenchmarkCreate(b *testing.B) {
	for _, size := range []int64{4 << 10, 1 << 20} {
		for _, noReserve := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/noreserve=%t", size, noReserve), func(b *testing.B) {
				for b.Loop() {
					f, err := memfd.CreateWith("bench", size, &memfd.Options{NoReserve: noReserve})
					if err != nil {
						b.Fatal(err)
					}
					if err := f.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// From Send to a verified File, both ends in one goroutine.
func BenchmarkSendReceive(b *testing.B) {
	for _, size := range []int64{4 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f := create(b, size, 0)
			here, there := socketPair(b, syscall.SOCK_STREAM)
			for b.Loop() {
				if err := memfd.Send(here, f); err != nil {
					b.Fatal(err)
				}
				got, err := memfd.Receive(there, nil)
				if err != nil {
					b.Fatal(err)
				}
				if err := got.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The same and a mapping of it.
func BenchmarkSendReceiveMap(b *testing.B) {
	f := create(b, 1<<20, 0)
	here, there := socketPair(b, syscall.SOCK_STREAM)
	for b.Loop() {
		err := memfd.Send(here, f)
		if err != nil {
			b.Fatal(err)
		}
		got, err := memfd.Receive(there, nil)
		if err != nil {
			b.Fatal(err)
		}
		m, err := got.Map(nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := got.Close(); err != nil {
			b.Fatal(err)
		}
		if err := m.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenPID(b *testing.B) {
	f := create(b, 1<<20, 0)
	info, err := f.Stat()
	ok(b, err)
	for b.Loop() {
		got, err := memfd.OpenPID(info.PID, info.FD, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := got.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// What Pass adds to the start of a process.
func BenchmarkPass(b *testing.B) {
	f := create(b, 1<<20, 0)
	for b.Loop() {
		if _, err := memfd.Pass(exec.Command("/bin/true"), "bench", f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkList(b *testing.B) {
	create(b, 1, 0)
	for b.Loop() {
		if _, _, err := memfd.List(); err != nil {
			b.Fatal(err)
		}
	}
}
