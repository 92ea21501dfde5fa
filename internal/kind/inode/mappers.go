package inode

import (
	"bufio"
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/sys"
)

// ID tells files of the machine apart.
type ID struct {
	Major, Minor uint32
	Inode        uint64
}

// IDOf returns the ID of a file.
func IDOf(info fs.FileInfo) ID {
	return NewID(stat(info).Dev, stat(info).Ino)
}

// NewID returns the ID of a file by what stat(2) tells.
func NewID(device, inode uint64) ID {
	major, minor := sys.DeviceNumber(device)
	return ID{major, minor, inode}
}

func (id ID) device() string { return fmt.Sprintf("%d:%d", id.Major, id.Minor) }

// Mapper is a process that maps a file.
type Mapper struct {
	PID       int
	Bytes     uint64 // of address space
	Shared    bool   // stores of it reach the file
	Writable  bool
	Executing bool
}

// Mapped is a file that processes map.
type Mapped struct {
	Path    string // as the kernel has it; for people
	Deleted bool   // its name is gone
	Mappers []Mapper
}

// Shared reports whether a process maps it shared.
func (m *Mapped) Shared() bool {
	return slices.ContainsFunc(m.Mappers, func(p Mapper) bool { return p.Shared })
}

// All is what the processes of the machine map.
type All struct {
	Files  map[ID]*Mapped
	Hidden int   // processes that did not let this one look
	Err    error // why nothing is known
}

// Mappings reads /proc/PID/maps of all processes below a root, which is "/proc".
// Processes that end meanwhile are left out; a file is whatever has a device, an inode
// and a path.
func Mappings(root string) All {
	all := All{Files: map[ID]*Mapped{}}
	entries, err := os.ReadDir(root)
	if err != nil {
		all.Err = err
		return all
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid < 1 {
			continue
		}
		if err := all.read(filepath.Join(root, e.Name(), "maps"), pid); os.IsPermission(err) {
			all.Hidden++
		}
	}
	return all
}

// read reads the maps of one process. What was read before an error counts.
func (all *All) read(path string, pid int) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if !strings.Contains(line, "/") { // most lines: anonymous memory
			continue
		}
		if e, err := sys.ParseMapsEntry(line); err == nil && strings.HasPrefix(e.Path, "/") {
			all.add(pid, e)
		}
	}
	return lines.Err()
}

func (all *All) add(pid int, e sys.MapsEntry) {
	var id ID
	if _, err := fmt.Sscanf(e.Device, "%x:%x", &id.Major, &id.Minor); err != nil {
		return
	}
	id.Inode = e.Inode
	m := all.Files[id]
	if m == nil {
		m = &Mapped{}
		m.Path, m.Deleted = strings.CutSuffix(e.Path, " (deleted)")
		m.Path = unescape(m.Path)
		all.Files[id] = m
	}
	if n := len(m.Mappers); n == 0 || m.Mappers[n-1].PID != pid {
		m.Mappers = append(m.Mappers, Mapper{PID: pid})
	}
	p := &m.Mappers[len(m.Mappers)-1]
	p.Bytes += uint64(e.End - e.Start)
	p.Shared = p.Shared || e.Shared()
	p.Writable = p.Writable || e.Shared() && e.Prot()&sys.PROT_WRITE != 0
	p.Executing = p.Executing || e.Prot()&sys.PROT_EXEC != 0
}

// unescape takes back what the kernel does to a newline in a path.
func unescape(path string) string { return strings.ReplaceAll(path, `\012`, "\n") }

// IDs returns the files in the order of their paths.
func (all All) IDs() []ID {
	return slices.SortedFunc(maps.Keys(all.Files), func(a, b ID) int {
		return cmp.Or(strings.Compare(all.Files[a].Path, all.Files[b].Path), cmp.Compare(a.Inode, b.Inode),
			cmp.Compare(a.Major, b.Major), cmp.Compare(a.Minor, b.Minor))
	})
}

// CountFields are how many processes are seen to map a file, and how many did not let
// this one look.
func (all All) CountFields(id ID) []kind.Field {
	var by kind.Value = kind.Count(0)
	switch m := all.Files[id]; {
	case m != nil:
		by = kind.Count(len(m.Mappers))
	case all.Err != nil:
		by = kind.Unknown(all.Err.Error())
	}
	return []kind.Field{
		{Name: "mapped_by", Value: by},
		{Name: "processes_hidden", Value: kind.Count(all.Hidden), Machine: true},
	}
}

// ListField is who maps a file.
func (all All) ListField(id ID) kind.Field {
	list := kind.List{Columns: []kind.Column{
		{Heading: "PID", Field: "pid", Right: true}, {Heading: "MAPPED", Field: "bytes", Right: true}, {Heading: "HOW", Field: "how"},
		{Heading: "COMMAND", Field: "command"},
	}}
	if m := all.Files[id]; m != nil {
		for _, p := range m.Mappers {
			list.Items = append(list.Items, kind.Object{Fields: []kind.Field{
				{Name: "pid", Value: kind.PID(p.PID)}, {Name: "bytes", Value: kind.Bytes(p.Bytes)}, {Name: "how", Value: p.how()},
				{Name: "command", Value: kind.CommandOf(p.PID)},
			}})
		}
	}
	return kind.Field{Name: "mappings", Value: list}
}

// how is in which ways a process maps a file.
func (p Mapper) how() kind.Marks {
	how := kind.Marks{"private"}
	if p.Shared {
		how = kind.Marks{"shared"}
	}
	if p.Writable {
		how = append(how, "writable")
	}
	if p.Executing {
		how = append(how, "executable")
	}
	return how
}
