package proc

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// IPC is what the three tables in sysvipc have in common.
type IPC struct {
	Key                              uint32
	ID                               int
	Mode                             uint32 // permission bits, and for segments the marks SHM_DEST and SHM_LOCKED
	UID, GID, CreatorUID, CreatorGID uint32
	Changed                          time.Time
}

// A Segment is a line of sysvipc/shm.
type Segment struct {
	IPC
	Size               uint64
	CreatorPID         int // in the PID namespace of the reader; 0 if not seen there
	LastPID            int
	Attachments        uint64
	Attached, Detached time.Time
	// Resident and Swapped are bytes, if HasResident: since Linux 2.6.34.
	Resident, Swapped uint64
	HasResident       bool
}

// A SemaphoreSet is a line of sysvipc/sem.
type SemaphoreSet struct {
	IPC
	Count     int
	Operation time.Time
}

// A MessageQueue is a line of sysvipc/msg.
type MessageQueue struct {
	IPC
	Bytes          uint64
	Messages       uint64
	LastSendPID    int
	LastReceivePID int
	Sent, Received time.Time
}

// table reads a file in sysvipc and calls f with every line. A kernel without System V IPC has none: that is
// fs.ErrNotExist.
func table(root, file string, f func(r *row)) error {
	dir, err := sys.OpenDir(cmp.Or(root, Default))
	if err != nil {
		return err
	}
	defer dir.Close()
	p := tableParser{f: f}
	if err := NewBuffer().lines(dir, sys.NameOf("sysvipc/"+file), p.line); err != nil {
		return fmt.Errorf("%s/sysvipc/%s: %w", cmp.Or(root, Default), file, err)
	}
	return nil
}

// A tableParser knows columns by the headings in the first line, so that those of an older or newer kernel are
// understood as well.
type tableParser struct {
	headings []string
	f        func(r *row)
}

func (p *tableParser) line(line []byte) bool {
	fields := bytes.Fields(line)
	if p.headings == nil {
		p.headings = []string{}
		for _, f := range fields {
			p.headings = append(p.headings, string(f))
		}
		return true
	}
	if len(fields) == len(p.headings) {
		p.f(&row{p.headings, fields, true})
	}
	return true
}

// A row is a line of a table.
type row struct {
	headings []string
	fields   [][]byte
	ok       bool // all fields that were asked for could be read
}

func (r *row) field(heading string) ([]byte, bool) {
	for i, h := range r.headings {
		if h == heading {
			return r.fields[i], true
		}
	}
	return nil, false
}

// number returns a field that is a number from 0 up to a largest one.
func (r *row) number(heading string, most uint64) uint64 {
	f, found := r.field(heading)
	n, ok := number(f)
	r.ok = r.ok && found && ok && n <= most
	return n
}

const (
	mostInt    = 1<<31 - 1
	mostUint32 = 1<<32 - 1
	mostUint64 = 1<<64 - 1
)

func (r *row) int(heading string) int       { return int(r.number(heading, mostInt)) }
func (r *row) uint32(heading string) uint32 { return uint32(r.number(heading, mostUint32)) }

// time returns seconds since 1970; 0 is never.
func (r *row) time(heading string) time.Time {
	n := int64(r.number(heading, 1<<62))
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0)
}

// common returns what all tables have.
func (r *row) common(id string) IPC {
	var c IPC
	f, _ := r.field("key") // signed
	key, ok := signed(f)
	perms, found := r.field("perms")
	mode, good := octal(perms)
	r.ok = r.ok && ok && key >= -1<<31 && key <= mostUint32 && found && good
	c.Key, c.ID, c.Mode = uint32(key), r.int(id), mode
	c.UID, c.GID, c.CreatorUID, c.CreatorGID = r.uint32("uid"), r.uint32("gid"), r.uint32("cuid"), r.uint32("cgid")
	c.Changed = r.time("ctime")
	return c
}

func octal(b []byte) (n uint32, ok bool) {
	for _, c := range b {
		if c < '0' || c > '7' || n > mostUint32>>3 {
			return 0, false
		}
		n = n<<3 | uint32(c-'0')
	}
	return n, len(b) > 0
}

// Segments reads sysvipc/shm: all segments of the IPC namespace of the reader.
func Segments(root string) (all []Segment, err error) {
	err = table(root, "shm", func(r *row) {
		if s, ok := r.segment(); ok {
			all = append(all, s)
		}
	})
	return all, err
}

func (r *row) segment() (Segment, bool) {
	s := Segment{IPC: r.common("shmid"), Size: r.number("size", mostUint64), CreatorPID: r.int("cpid"), LastPID: r.int("lpid"),
		Attachments: r.number("nattch", mostUint64), Attached: r.time("atime"), Detached: r.time("dtime")}
	if _, s.HasResident = r.field("rss"); s.HasResident {
		s.Resident, s.Swapped = r.number("rss", mostUint64), r.number("swap", mostUint64)
	}
	return s, r.ok
}

// SemaphoreSets reads sysvipc/sem.
func SemaphoreSets(root string) (all []SemaphoreSet, err error) {
	err = table(root, "sem", func(r *row) {
		if s, ok := r.semaphores(); ok {
			all = append(all, s)
		}
	})
	return all, err
}

func (r *row) semaphores() (SemaphoreSet, bool) {
	s := SemaphoreSet{IPC: r.common("semid"), Count: r.int("nsems"), Operation: r.time("otime")}
	return s, r.ok
}

// MessageQueues reads sysvipc/msg.
func MessageQueues(root string) (all []MessageQueue, err error) {
	err = table(root, "msg", func(r *row) {
		if q, ok := r.queue(); ok {
			all = append(all, q)
		}
	})
	return all, err
}

func (r *row) queue() (MessageQueue, bool) {
	q := MessageQueue{IPC: r.common("msqid"), Bytes: r.number("cbytes", mostUint64), Messages: r.number("qnum", mostUint64),
		LastSendPID: r.int("lspid"), LastReceivePID: r.int("lrpid"), Sent: r.time("stime"), Received: r.time("rtime")}
	return q, r.ok
}
