package inspect

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/internal/proc"
)

// A ProcessMap is the address space of a process.
type ProcessMap struct {
	Process
	Mappings    []Mapping // by address
	MinorFaults uint64    // so far; answered without reading from a device
	MajorFaults uint64
	Locked      Amount // VmLck
	// Unknown says why the mappings tell no sizes but their own; empty if they do.
	Unknown string
}

// A Mapping is a range of addresses of one kind. The amounts are bytes, and 0 if ProcessMap.Unknown
// is not empty.
type Mapping struct {
	Range
	Device string // "00:1a"
	ID     ID     // zero for private anonymous memory
	Object string // address of what is mapped, as of Object.Address; empty for private anonymous memory
	Path   string // as the kernel has it, without " (deleted)": "/usr/bin/x", "[heap]"; may be empty
	Gone   bool   // the path had " (deleted)"

	Resident     uint64 // in the page tables of this process
	Proportional uint64 // the same, each page divided by how many map it
	SharedClean  uint64
	SharedDirty  uint64
	PrivateClean uint64 // mapped by this process alone
	PrivateDirty uint64
	Referenced   uint64
	Anonymous    uint64 // copies that stores into a private mapping made
	Swapped      uint64
	Locked       uint64
	Huge         uint64 // in huge pages of any sort
	PageSize     uint64
	Flags        []string // VmFlags: two letters each; proc_pid_smaps(5)
}

// Len returns the length in bytes.
func (r Range) Len() uint64 { return r.End - r.Start }

// MappingsOf returns the mappings of a process. fs.ErrNotExist: there is no such process.
// fs.ErrPermission: it does not let this user look.
func MappingsOf(pid int, o *Options) (ProcessMap, error) {
	if o == nil {
		o = &Options{}
	}
	p, err := proc.Open(o.proc(), pid, proc.NewBuffer())
	if err != nil {
		return ProcessMap{}, fmt.Errorf("mappings of process %d: %w", pid, err)
	}
	defer p.Close()
	r := mapReader{p: p, pm: ProcessMap{Process: Process{PID: pid, UID: p.Owner()}}, ipc: ipcNamespace(o.proc()), shm: o.shm(),
		own: object.ChooseDir(o.Dir).Path()}
	if err := r.read(); err != nil {
		if proc.Gone(err) {
			err = fs.ErrNotExist
		}
		return ProcessMap{}, fmt.Errorf("mappings of process %d: %w", pid, err)
	}
	return r.pm, nil
}

// A mapReader reads one process.
type mapReader struct {
	p  proc.Process
	pm ProcessMap

	ipc uint64 // IPC namespace of who looks; 0: not known
	shm string // where POSIX objects are
	own string // where objects of shmkit are that have a name here

	// born are the files of directories, of which a path is looked up that was none when it was opened.
	born map[string]map[ID]string
}

func (r *mapReader) read() (err error) {
	if r.pm.Command, err = r.p.Comm(); err != nil {
		return err
	}
	if r.pm.IPC, err = r.p.IPCNamespace(); err != nil && !proc.Refused(err) && !proc.Gone(err) {
		return err
	}
	r.pm.Locked.Unknown = "the process does not tell"
	if s, err := r.p.Status(); err == nil {
		r.pm.UID, r.pm.Locked = s.UID, Amount{Bytes: s.Locked}
	}
	if s, err := r.p.Stat(); err == nil {
		r.pm.MinorFaults, r.pm.MajorFaults = s.MinorFaults, s.MajorFaults
	}
	err = r.p.Smaps(func(m *proc.Smaps) bool {
		r.pm.Mappings = append(r.pm.Mappings, r.sizes(m))
		return true
	})
	if err == nil || proc.Gone(err) && len(r.pm.Mappings) == 0 && r.exists() != nil {
		return err
	}
	r.pm.Unknown = fmt.Sprintf("smaps of the process cannot be read: %v", err)
	r.pm.Mappings = nil
	return r.p.Maps(func(m *proc.Map) bool {
		r.pm.Mappings = append(r.pm.Mappings, r.mapping(m))
		return true
	})
}

// exists returns nil if the process is there.
func (r *mapReader) exists() error {
	_, err := r.p.Comm()
	return err
}

// mapping is what maps tells.
func (r *mapReader) mapping(m *proc.Map) Mapping {
	out := Mapping{Range: Range{Start: m.Start, End: m.End, Offset: m.Offset, Protection: protectionOf(m.Perms)},
		Device: fmt.Sprintf("%02x:%02x", m.Major, m.Minor), ID: idOf(m, func() uint64 { return r.pm.IPC })}
	out.Path, out.Gone = proc.Path(m.Path)
	out.Object = r.object(&out)
	return out
}

// object names what is mapped. That of a POSIX object, of shmkit or of a file is only as good as its path in maps.
// A segment of another IPC namespace has no identifier here.
func (r *mapReader) object(m *Mapping) string {
	switch {
	case m.ID.Class == NoClass:
		return ""
	case m.ID.Class == SegmentClass && (r.ipc == 0 || m.ID.Namespace == r.ipc):
		return fmt.Sprintf("sysv:id=%d", m.ID.Inode)
	case m.ID.Class == FileClass:
		dir, file := filepath.Split(m.Path)
		dir = filepath.Clean(dir)
		if m.Gone {
			if file = r.linked(dir, file, m.ID); file == "" {
				break
			}
		}
		if kind, name, ok := object.ParseFileName(file); ok && dir == r.own {
			return kind.String() + ":" + name
		}
		if dir == r.shm {
			return "posix:/" + file
		}
		return "file:" + filepath.Join(dir, file)
	}
	return fmt.Sprintf("map:%d/%x", r.pm.PID, m.Start)
}

// linked finds the name of a file that had none when it was opened (O_TMPFILE), and was given one later: for ever
// the kernel says "#123 (deleted)" to who made it. Empty: it has none.
func (r *mapReader) linked(dir, file string, id ID) string {
	if !bornNameless(file) {
		return ""
	}
	names, looked := r.born[dir]
	if !looked {
		names = filesOf(dir) // who may not read it is told the address of the mapping
		if r.born == nil {
			r.born = map[string]map[ID]string{}
		}
		r.born[dir] = names
	}
	return names[id]
}

// bornNameless reports whether a file was opened without a name, by what the kernel calls it instead.
func bornNameless(file string) bool { return strings.HasPrefix(file, "#") }

// filesOf are the names in a directory by what they are of; none if it may not be read.
func filesOf(dir string) map[ID]string {
	names := map[ID]string{}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if st, err := stat(filepath.Join(dir, e.Name()), false); err == nil {
			names[fileID(&st)] = e.Name()
		}
	}
	return names
}

// sizes is what smaps tells.
func (r *mapReader) sizes(s *proc.Smaps) Mapping {
	m := r.mapping(&s.Map)
	m.Resident, m.Proportional = s.Resident(), s.Pss
	m.SharedClean, m.SharedDirty, m.PrivateClean, m.PrivateDirty = s.SharedClean, s.SharedDirty, s.PrivateClean, s.PrivateDirty
	m.Referenced, m.Anonymous, m.Swapped, m.Locked, m.Huge, m.PageSize = s.Referenced, s.Anonymous, s.Swap, s.Locked, s.Huge(), s.PageSize
	m.Flags = strings.Fields(string(s.Flags))
	return m
}
