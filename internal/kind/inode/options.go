package inode

import (
	"fmt"
	"io/fs"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
)

// CreateOptions are what a new object or file is made with.
func CreateOptions() []kind.Option {
	return []kind.Option{
		{Name: "size", Type: kind.SizeOption, Placeholder: "BYTES", Required: true, Usage: "size, such as 4096, 64K or 2M"},
		{Name: "mode", Type: kind.ModeOption, Placeholder: "MODE", Default: fs.FileMode(0o600), Usage: "permission bits, octal"},
		{Name: "exclusive", Type: kind.SwitchOption, Usage: "fail if it exists"},
		{Name: "sparse", Type: kind.SwitchOption, Usage: "reserve no space for it"},
	}
}

// SetOptions are what can be changed.
func SetOptions(more ...kind.Option) []kind.Option {
	return append([]kind.Option{
		{Name: "owner", Type: kind.UserOption, Placeholder: "USER", Usage: "new owner, by name or number"},
		{Name: "group", Type: kind.GroupOption, Placeholder: "GROUP", Usage: "new group, by name or number"},
		{Name: "mode", Type: kind.ModeOption, Placeholder: "MODE", Usage: "new permission bits, octal"},
		{Name: "size", Type: kind.SizeOption, Placeholder: "BYTES", Usage: "new size"},
	}, more...)
}

// Steps are what Set does, one after the other, until one fails.
type Steps struct {
	done []string
	err  error
}

// Do does a step, unless one has failed.
func (s *Steps) Do(name string, f func() error) {
	if s.err != nil {
		return
	}
	if s.err = f(); s.err == nil {
		s.done = append(s.done, name)
	}
}

// Err is the error of the step that failed, with what was done before.
func (s *Steps) Err() error { return kind.After(s.done, s.err) }

// SetOwnerAndMode does what the options say of these: the owner last, since who gives
// a file away may lose the right to change it.
func (s *Steps) SetOwnerAndMode(h *Handle, o kind.Options) {
	if mode, ok := kind.Given[fs.FileMode](o, "mode"); ok {
		s.Do("mode", func() error { return h.SetMode(mode) })
	}
	uid, gid := -1, -1
	if u, ok := kind.Given[uint32](o, "owner"); ok {
		uid = int(u)
	}
	if g, ok := kind.Given[uint32](o, "group"); ok {
		gid = int(g)
	}
	if uid >= 0 || gid >= 0 {
		s.Do("owner", func() error { return h.SetOwner(uid, gid) })
	}
}

// LargeEnough refuses to take what exists for what is to be created.
func LargeEnough(a address.Address, size int64, asked int64) error {
	if size >= asked {
		return nil
	}
	return fmt.Errorf("%s exists with %d bytes, %d were asked for", a, size, asked)
}

// CheckSize refuses an object without a byte.
func CheckSize(size int64) error {
	if size < 1 {
		return kind.Usage("--size %d: what is to be mapped has at least 1 byte", size)
	}
	return nil
}
