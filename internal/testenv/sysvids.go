package testenv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"

	"github.com/shmkit/shmkit/internal/sys"
)

// Kind says which of the three System V objects an id belongs to; ids and keys
// of different kinds have nothing to do with each other.
type Kind string

// The kinds, named as the files in /proc/sysvipc.
const (
	Shm Kind = "shm"
	Sem Kind = "sem"
	Msg Kind = "msg"
)

// A SysVID is one System V object of this process's IPC namespace.
type SysVID struct {
	Kind    Kind
	Key     int32
	ID      int
	Creator int // pid that made it; 0 for Sem and Msg, whose creator the kernel doesn't tell
}

// String describes the object as a leak check reports it.
func (id SysVID) String() string {
	s := fmt.Sprintf("System V %s id %d key 0x%08x", id.Kind, id.ID, uint32(id.Key))
	if id.Creator != 0 {
		s += fmt.Sprintf(" made by pid %d", id.Creator)
	}
	return s
}

// Remove removes the object. One that is gone already is no error.
func (id SysVID) Remove() error {
	remove := map[Kind]func(int) error{Shm: sys.ShmRemove, Sem: sys.SemRemove, Msg: sys.MsgRemove}[id.Kind]
	err := remove(id.ID)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EIDRM) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %v: %w", id, err)
	}
	return nil
}

// SysVIDs lists all System V objects of this process's IPC namespace, whoever
// made them, in the kernel's order.
func SysVIDs() ([]SysVID, error) {
	var all []SysVID
	for _, kind := range []Kind{Shm, Sem, Msg} {
		text, err := os.ReadFile("/proc/sysvipc/" + string(kind))
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without this facility has no objects of it
		}
		if err != nil {
			return nil, err
		}
		ids, err := parseSysVIDs(kind, text)
		if err != nil {
			return nil, err
		}
		all = append(all, ids...)
	}
	return all, nil
}

// parseSysVIDs reads one file of /proc/sysvipc: a line of headings, then one
// line per object whose first two fields are the key and the id.
func parseSysVIDs(kind Kind, text []byte) ([]SysVID, error) {
	const creatorField = 4 // in the table of segments: key shmid perms size cpid
	var ids []SysVID
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Scan() // the headings
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) <= creatorField {
			return nil, fmt.Errorf("/proc/sysvipc/%s: short line %q", kind, lines.Text())
		}
		key, err := strconv.ParseInt(string(fields[0]), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("/proc/sysvipc/%s: key: %w", kind, err)
		}
		id := SysVID{Kind: kind, Key: int32(key)}
		if id.ID, err = strconv.Atoi(string(fields[1])); err != nil {
			return nil, fmt.Errorf("/proc/sysvipc/%s: id: %w", kind, err)
		}
		if kind == Shm {
			if id.Creator, err = strconv.Atoi(string(fields[creatorField])); err != nil {
				return nil, fmt.Errorf("/proc/sysvipc/%s: creator: %w", kind, err)
			}
		}
		ids = append(ids, id)
	}
	return ids, lines.Err()
}
