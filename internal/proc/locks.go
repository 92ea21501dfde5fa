package proc

import (
	"bytes"
	"cmp"

	"github.com/shmkit/shmkit/internal/sys"
)

// A Lock is a line of /proc/locks, or of a "lock:" line in fdinfo.
type Lock struct {
	Type         string // "POSIX", "OFDLCK", "FLOCK", "LEASE", "DELEG"
	Waiting      bool   // it is blocked by another one
	Write        bool
	PID          int // -1: of an open file description
	Major, Minor uint32
	Inode        uint64
	Start        uint64 // bytes
	End          uint64 // of the last byte; the largest number: to the end
}

// Locks reads /proc/locks: the locks and leases of the machine, as far as they belong to this PID namespace.
func Locks(root string) (all []Lock, err error) {
	dir, err := sys.OpenDir(cmp.Or(root, Default))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	err = NewBuffer().lines(dir, sys.NameOf("locks"), func(line []byte) bool {
		if l, ok := ParseLock(line); ok {
			all = append(all, l)
		}
		return true
	})
	return all, err
}

// ParseLock parses "1: POSIX  ADVISORY  WRITE 812 08:02:42 0 EOF", also with "->" for one that waits.
func ParseLock(line []byte) (l Lock, ok bool) {
	f := bytes.Fields(line)
	if len(f) > 1 && string(f[1]) == "->" {
		l.Waiting = true
		f = append(f[:1], f[2:]...)
	}
	if len(f) != 8 {
		return l, false
	}
	l.Type, l.Write = string(f[1]), string(f[3]) == "WRITE"
	pid, ok := signed(f[4])
	if !ok || pid < -1 || pid > mostInt {
		return l, false
	}
	l.PID = int(pid)
	colon := bytes.LastIndexByte(f[5], ':')
	if colon < 0 {
		return l, false
	}
	if l.Major, l.Minor, ok = device(f[5][:colon]); !ok {
		return l, false
	}
	if l.Inode, ok = number(f[5][colon+1:]); !ok {
		return l, false
	}
	if l.Start, ok = number(f[6]); !ok {
		return l, false
	}
	if l.End = mostUint64; string(f[7]) != "EOF" {
		l.End, ok = number(f[7])
	}
	return l, ok
}

// FdInfo is what fdinfo tells of a descriptor.
type FdInfo struct {
	Position uint64
	Flags    uint32 // of open(2)
	Mount    int    // its number in mountinfo
	Inode    uint64 // 0: not told, before Linux 5.14
	Locks    []Lock // that this open file description has
}

// FdInfo reads fdinfo/N.
func (p Process) FdInfo(fd int) (FdInfo, error) {
	p.b.name.Number("fdinfo/", fd)
	text, err := p.b.file(p.dir, p.b.name)
	if err != nil {
		return FdInfo{}, err
	}
	return ParseFdInfo(text)
}

// ParseFdInfo parses what stands in fdinfo. Lines that it does not know are passed over.
func ParseFdInfo(text []byte) (i FdInfo, err error) {
	for line := range bytes.Lines(text) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		rest = bytes.TrimSpace(rest)
		ok := true
		switch string(name) {
		case "pos":
			i.Position, ok = number(rest)
		case "flags":
			i.Flags, ok = octal(rest)
		case "mnt_id":
			var n uint64
			n, ok = number(rest)
			ok = ok && n <= mostInt
			i.Mount = int(n)
		case "ino":
			i.Inode, ok = number(rest)
		case "lock":
			var l Lock
			if l, ok = ParseLock(rest); ok {
				i.Locks = append(i.Locks, l)
			}
		}
		if !ok {
			return FdInfo{}, unexpected("line in fdinfo", line)
		}
	}
	return i, nil
}
