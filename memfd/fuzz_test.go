package memfd_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/memfd"
)

// Control data comes from the kernel, and its content from a peer.
func FuzzControlData(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(syscall.UnixRights(3))
	f.Add(syscall.UnixRights(3, 4, 5))
	f.Add(append(syscall.UnixRights(3), syscall.UnixCredentials(&syscall.Ucred{Pid: 1})...))
	f.Add(syscall.UnixRights(3)[:17])
	f.Fuzz(func(t *testing.T, control []byte) {
		rights, others, err := memfd.DescriptorsIn(control)
		if n := len(rights) + len(others); n*4 > len(control) {
			t.Errorf("%d descriptors in %d bytes", n, len(control))
		}
		_ = err // what came before it counts all the same
		for _, fd := range slices.Concat(rights, others) {
			b := binary.NativeEndian.AppendUint32(nil, uint32(fd))
			if !strings.Contains(string(control), string(b)) {
				t.Errorf("descriptor %d is not in % x", fd, control)
			}
		}
	})
}

func FuzzVariable(f *testing.F) {
	for _, s := range []string{"", "one:3:1:2", "a,b:4:1:2", "a%2Cb:4:1:2,:3:0:0", "one:2:1:1", "::::", ",,", "x:3:18446744073709551616:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		all, err := memfd.ParseVariable(value)
		if err != nil {
			return
		}
		again, err := memfd.ParseVariable(memfd.FormatVariable(all))
		if err != nil || !slices.Equal(all, again) {
			t.Errorf("%q is %v, and that %v, %v", value, all, again, err)
		}
	})
}

func FuzzListing(f *testing.F) {
	f.Add("1", "3", "/memfd:x (deleted)")
	f.Add("10", "0", "/memfd: (deleted) (deleted)")
	f.Add("x", "-0", "/memfd:\n (deleted)")
	f.Fuzz(func(t *testing.T, pid, fd, link string) {
		name, is := memfd.LinkName(link)
		if is && link != "/memfd:"+name+" (deleted)" {
			t.Errorf("%q is called %q", link, name)
		}
		root := t.TempDir()
		if filepath.Base(pid) != pid || filepath.Base(fd) != fd || pid == ".." || fd == ".." {
			return
		}
		if os.MkdirAll(filepath.Join(root, pid, "fd"), 0o700) != nil || os.Symlink(link, filepath.Join(root, pid, "fd", fd)) != nil {
			return // the file system does not take that
		}
		all, hidden, err := memfd.ListIn(root)
		if err != nil || hidden != 0 || len(all) > 1 {
			t.Errorf("%v, %d, %v", all, hidden, err)
		}
		for _, i := range all {
			if strconv.Itoa(i.PID) != pid || strconv.Itoa(i.FD) != fd || i.Name != name {
				t.Errorf("%q, %q, %q gave %+v", pid, fd, link, i)
			}
		}
	})
}

func FuzzParseSeals(f *testing.F) {
	f.Add("shrink|grow")
	f.Add("none")
	f.Add("|,")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := memfd.ParseSeals(text)
		if err != nil {
			return
		}
		if again, err := memfd.ParseSeals(s.String()); err != nil || again != s {
			t.Errorf("%q is %v, and that %v, %v", text, s, again, err)
		}
	})
}
