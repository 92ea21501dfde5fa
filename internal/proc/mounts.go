package proc

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/sys"
)

// A Mount is a line of mountinfo.
type Mount struct {
	ID, Parent   int
	Major, Minor uint32
	Root         string // what of the file system is mounted
	Point        string // where, as the process sees it
	Options      []string
	Type         string // "tmpfs"
	Source       string
	Super        []string // options of the file system: "size=65536k"
}

// Mounts reads what the calling process has mounted: self/mountinfo.
func Mounts(root string) (all []Mount, err error) {
	dir, err := sys.OpenDir(cmp.Or(root, Default))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return mounts(NewBuffer(), dir, sys.NameOf("self/mountinfo"))
}

func mounts(b *Buffer, dir sys.Dir, name sys.Name) (all []Mount, err error) {
	err = b.lines(dir, name, func(line []byte) bool {
		if m, ok := ParseMount(line); ok {
			all = append(all, m)
		}
		return true
	})
	return all, err
}

// ParseMount parses "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": between the options and the
// dash there may be any number of fields.
func ParseMount(line []byte) (m Mount, ok bool) {
	f := bytes.Split(line, []byte(" "))
	dash := slices.IndexFunc(f, func(b []byte) bool { return string(b) == "-" })
	if dash < 6 || len(f) < dash+4 {
		return m, false
	}
	id, a := number(f[0])
	parent, b := number(f[1])
	x, y, _ := bytes.Cut(f[2], []byte(":"))
	major, c := number(x)
	minor, d := number(y)
	if !a || !b || !c || !d || id > mostInt || parent > mostInt || major > mostUint32 || minor > mostUint32 {
		return m, false
	}
	return Mount{ID: int(id), Parent: int(parent), Major: uint32(major), Minor: uint32(minor), Root: unescape(f[3]), Point: unescape(f[4]),
		Options: strings.Split(string(f[5]), ","), Type: unescape(f[dash+1]), Source: unescape(f[dash+2]),
		Super: strings.Split(string(f[dash+3]), ",")}, true
}

// unescape takes back what the kernel does to spaces, tabs, newlines and backslashes: \040.
func unescape(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) {
			if n, ok := octal(b[i+1 : i+4]); ok && n < 256 {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(b[i])
	}
	return out.String()
}

// Meminfo reads meminfo: bytes by name. Lines without a unit are numbers of huge pages.
func Meminfo(root string) (map[string]uint64, error) {
	dir, err := sys.OpenDir(cmp.Or(root, Default))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	text, err := NewBuffer().file(dir, sys.NameOf("meminfo"))
	if err != nil {
		return nil, err
	}
	return ParseMeminfo(text), nil
}

// ParseMeminfo parses what stands in meminfo. What it cannot understand is left out.
func ParseMeminfo(text []byte) map[string]uint64 {
	all := map[string]uint64{}
	for line := range bytes.Lines(text) {
		name, rest, found := bytes.Cut(line, []byte(":"))
		rest = bytes.TrimSpace(rest)
		n, ok := kilobytes(rest)
		if !ok {
			n, ok = number(rest)
		}
		if found && ok {
			all[string(name)] = n
		}
	}
	return all
}
