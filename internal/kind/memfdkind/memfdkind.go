// Package memfdkind has the kind memfd:, sealed memory by a descriptor that a process
// has of it.
//
// It is opened anew through /proc/PID/fd, so that the process notices nothing. Such an
// address is good as long as that process has that descriptor.
package memfdkind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/filemap"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
	"github.com/shmkit/shmkit/internal/stream"
	"github.com/shmkit/shmkit/memfd"
)

// Descriptors is the kind memfd: sealed memory.
type Descriptors struct{ kind.OwnNothing }

// What memory without a name can do.
var (
	_ kind.Inspected = Descriptors{}
	_ kind.Stater    = Descriptors{}
	_ kind.Setter    = Descriptors{}
	_ kind.Memory    = Descriptors{}
	_ kind.Scanner   = Descriptors{}
	_ kind.Streams   = Descriptors{}
	_ kind.Explainer = Descriptors{}
)

// Name implements kind.Kind; the methods below implement the capabilities.
func (Descriptors) Name() string { return "memfd" }

// Title implements kind.Kind.
func (Descriptors) Title() string { return "memory held by descriptors (memfd)" }

// Without implements kind.Explainer.
func (Descriptors) Without(verb string) string {
	switch verb {
	case "create":
		return "memory without a name lives as long as a process that holds it; shmkit memfd run makes it for a program"
	case "rm", "rm --all":
		return "memory without a name has nothing to remove; it goes when the last process that holds it ends"
	case "limits":
		return "memory without a name is limited by the memory of the machine, and of the control group"
	case "unlock":
		return "its memory is locked by a process, such as shmkit lock, and until that ends"
	case "flush":
		return "it is in memory only: there is no device to write it back to"
	}
	return ""
}

// number returns process and descriptor.
func number(a address.Address) (pid, fd int) {
	d, _ := a.Target.(address.Descriptor)
	if d.PID == 0 {
		return os.Getpid(), d.FD
	}
	return d.PID, d.FD
}

// called puts the address that the user wrote in the place of the one that memfd uses.
func called(a address.Address, err error) error {
	var e *memfd.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	pid, fd := number(a)
	copied := *e
	at := fmt.Sprintf("memfd:%d/%d", pid, fd)
	if rest, ok := strings.CutPrefix(copied.Object, at); ok {
		copied.Object = a.String() + rest
	}
	return &copied
}

// open opens the memory, sealed or not: who asks by its address takes it as it is.
func open(a address.Address, write bool) (*memfd.File, error) {
	pid, fd := number(a)
	f, err := memfd.OpenPID(pid, fd, &memfd.OpenOptions{ReadOnly: !write, Want: &memfd.Want{Seals: memfd.NoSeals}})
	return f, called(a, err)
}

// SetOptions implements kind.Setter.
func (Descriptors) SetOptions() []kind.Option {
	return inode.SetOptions(kind.Option{Name: "seals", Type: kind.ListOption, Placeholder: "SEALS",
		Usage: "seals to add: " + strings.Join(SealNames(), ", "), Words: SealNames()})
}

// SealNames are the names of all seals.
func SealNames() []string {
	return SealMarks(memfd.SealShrink | memfd.SealGrow | memfd.SealWrite | memfd.SealFutureWrite | memfd.SealExec | memfd.SealSeal)
}

// Set implements kind.Setter. The seals come last, for they may forbid the rest.
func (Descriptors) Set(a address.Address, o kind.Options) error {
	var seals memfd.Seals
	if words, ok := kind.Given[[]string](o, "seals"); ok {
		var err error
		if seals, err = memfd.ParseSeals(strings.Join(words, ",")); err != nil {
			return kind.Usage("--seals: %v", err)
		}
		if seals == memfd.NoSeals {
			return kind.Usage("--seals: a seal that is on cannot be taken off")
		}
	}
	if _, err := stat(a); err != nil { // before anything is done
		return err
	}
	var s inode.Steps
	if size, ok := kind.Given[int64](o, "size"); ok {
		s.Do("size", func() error { return resize(a, size) })
	}
	h, err := inode.Open(link(a), a.String(), true)
	if err != nil {
		return kind.After(nil, err)
	}
	defer h.Close()
	s.SetOwnerAndMode(h, o)
	if seals != 0 {
		s.Do("seals", func() error {
			f, err := open(a, true)
			if err != nil {
				return err
			}
			return called(a, errors.Join(f.AddSeals(seals), f.Close()))
		})
	}
	return s.Err()
}

// resize changes the size; what is added is reserved, or the size stays as it was.
func resize(a address.Address, size int64) error {
	f, err := open(a, true)
	if err != nil {
		return err
	}
	defer f.Close() // the size is set by then, or not
	old, err := f.Size()
	switch {
	case err != nil:
	case size <= old:
		err = f.Truncate(size)
	default:
		if err = f.Reserve(old, size-old); err != nil {
			_ = f.Truncate(old) // what was reserved before it failed
		}
	}
	return called(a, err)
}

// OpenMemory implements kind.Memory.
func (Descriptors) OpenMemory(a address.Address, write bool) (*shmkit.Mapping, error) {
	f, err := open(a, write)
	if err != nil {
		return nil, err
	}
	m, err := f.Map(&memfd.MapOptions{ReadOnly: !write})
	return m, errors.Join(called(a, err), f.Close())
}

// Scan implements kind.Scanner.
func (Descriptors) Scan(ctx context.Context, a address.Address, o *filemap.ScanOptions, do func(int64, []byte) error) error {
	f, err := open(a, false)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.PageSize() != os.Getpagesize() { // parts of huge pages cannot be mapped
		return errors.ErrUnsupported
	}
	return kind.Called(filemap.Scan(ctx, f.Path(), o, do), f.Path(), a.String())
}

// OpenWriter implements kind.Streams.
func (Descriptors) OpenWriter(ctx context.Context, a address.Address, o stream.Options, _ kind.Options) (kind.StreamWriter, error) {
	if _, err := stat(a); err != nil {
		return nil, err
	}
	return kind.Site{Site: stream.Descriptor(link(a), a.String())}.OpenWriter(ctx, o)
}

// OpenReader implements kind.Streams.
func (Descriptors) OpenReader(ctx context.Context, a address.Address, o stream.Options, _ kind.Options) (kind.StreamReader, error) {
	if _, err := stat(a); err != nil {
		return nil, err
	}
	return kind.Site{Site: stream.Descriptor(link(a), a.String())}.OpenReader(ctx, o)
}
