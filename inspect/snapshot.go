package inspect

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/shmkit/shmkit/internal/proc"
)

// Objects ranges over the objects of the machine: Take, and Objects of what was taken.
func Objects(o *Options) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		s, err := Take(context.Background(), o)
		if err != nil {
			yield(Object{}, err)
			return
		}
		s.Objects()(yield)
	}
}

// A Snapshot is what processes mapped and had open when it was taken. It keeps no descriptor.
// Any goroutine may use it.
type Snapshot struct {
	options   Options
	taken     time.Time
	hidden    int
	self      int // PID of this process below Options.Proc; 0: it is not there
	processes []process
	memories  map[ID]*memory

	ipc      uint64 // inode number of the IPC namespace; 0: not known
	pidns    uint64 // and of the PID namespace
	segments table[proc.Segment]
	sets     table[proc.SemaphoreSet]
	queues   table[proc.MessageQueue]

	leased   map[ID]bool
	mounts   map[[2]uint32]string // types of file systems by device
	outside  string               // why there may be processes that are not seen at all; "" if there are none
	pageSize uint64

	deepMu sync.Mutex
	deep   map[int]deepProcess // by PID
}

// A table is one of sysvipc.
type table[T any] struct {
	rows []T
	err  error
}

// Take walks over all processes once. The error is that of the context, that there are no
// processes to see at Options.Proc, or that Options.Kinds has what is no kind.
func Take(ctx context.Context, o *Options) (*Snapshot, error) {
	if o == nil {
		o = &Options{}
	}
	s := &Snapshot{options: *o, pageSize: uint64(os.Getpagesize()), deep: map[int]deepProcess{}}
	s.options.Kinds = slices.Clone(o.Kinds)
	s.options.Proc, s.options.Shm = o.proc(), o.shm()
	if err := o.check(); err != nil {
		return nil, err
	}
	w, err := walk(ctx, &s.options)
	if err != nil {
		return nil, err
	}
	s.taken = time.Now()
	s.processes, s.memories = w.processes, w.memories
	slices.SortFunc(s.processes, func(a, b process) int { return cmp.Compare(a.PID, b.PID) })
	for i := range s.processes {
		if s.processes[i].Hidden {
			s.hidden++
		}
	}
	s.surroundings()
	s.resolve(w.held)
	for _, m := range s.memories {
		m.sort()
	}
	// After the walk: what the tables tell of users is newer than what was seen of them.
	if o.wants(KindSegment) {
		s.segments.rows, s.segments.err = proc.Segments(s.options.proc())
		s.settleSegments()
	}
	if o.wants(KindSemaphores) {
		s.sets.rows, s.sets.err = proc.SemaphoreSets(s.options.proc())
	}
	if o.wants(KindMessageQueue) {
		s.queues.rows, s.queues.err = proc.MessageQueues(s.options.proc())
	}
	return s, nil
}

// surroundings asks what the whole process tree has in common.
func (s *Snapshot) surroundings() {
	root := s.options.proc()
	s.ipc = ipcNamespace(root)
	if link, err := os.Readlink(root + "/self/ns/pid"); err == nil {
		s.pidns, _ = proc.ParseNamespace([]byte(link))
	}
	if link, err := os.Readlink(root + "/self"); err == nil {
		s.self, _ = strconv.Atoi(link)
	}
	s.leased = map[ID]bool{}
	locks, _ := proc.Locks(root)
	for _, l := range locks {
		if l.Type == "LEASE" || l.Type == "DELEG" {
			s.leased[ID{Class: FileClass, Major: l.Major, Minor: l.Minor, Inode: l.Inode}] = true
		}
	}
	s.mounts = map[[2]uint32]string{}
	mounts, _ := proc.Mounts(root)
	for _, m := range mounts {
		s.mounts[[2]uint32{m.Major, m.Minor}] = m.Type
	}
	s.outside = notAllProcesses(root, s.pidns, mounts)
}

// notAllProcesses says why there may be processes that are not even listed.
func notAllProcesses(root string, pidns uint64, mounts []proc.Mount) string {
	const initial = 0xeffffffc // inode number of the first PID namespace, on every kernel
	if pidns != 0 && pidns != initial {
		return "processes outside this PID namespace are not seen"
	}
	if os.Geteuid() == 0 {
		return ""
	}
	for _, m := range mounts {
		if m.Type != "proc" || m.Point != root {
			continue
		}
		for _, o := range m.Super {
			if o == "hidepid=2" || o == "hidepid=invisible" || o == "hidepid=4" || o == "hidepid=ptraceable" {
				return "processes of other users are not listed: " + root + " is mounted with " + o
			}
		}
	}
	return ""
}

// resolve finds out which of the open files are mapped memory. Only those are asked what they are that are called
// like it.
func (s *Snapshot) resolve(all []held) {
	if len(all) == 0 {
		return
	}
	wanted := map[string]bool{}
	remote := map[string]*memory{} // which may not answer a stat: the path must do
	for _, m := range s.memories {
		switch {
		case m.id.Class != FileClass || !m.shared():
		case s.remote(m.id):
			remote[m.path] = m
			remote[m.path+string(deletedPath)] = m
		default:
			wanted[m.path] = true
			wanted[m.path+string(deletedPath)] = true
		}
	}
	b := proc.NewBuffer()
	for _, h := range all {
		if m := remote[h.path]; m != nil {
			m.fds = append(m.fds, h.descriptor)
			continue
		}
		if !wanted[h.path] {
			continue
		}
		p, err := proc.Open(s.options.proc(), int(h.pid), b)
		if err != nil {
			continue
		}
		st, err := p.Descriptor(int(h.fd))
		p.Close()
		if err != nil {
			continue
		}
		if m := s.memories[fileID(&st)]; m != nil {
			m.fds = append(m.fds, h.descriptor)
		}
	}
}

// process returns what is known of a process; nil if it had ended when it was asked for its name.
func (s *Snapshot) process(pid int) *process {
	i, found := slices.BinarySearchFunc(s.processes, pid, func(p process, pid int) int { return cmp.Compare(p.PID, pid) })
	if !found {
		return nil
	}
	return &s.processes[i]
}

// Hidden returns how many processes did not let this user look.
func (s *Snapshot) Hidden() int { return s.hidden }

// Taken returns when the snapshot was taken.
func (s *Snapshot) Taken() time.Time { return s.taken }

// Processes returns the processes that there were, by PID.
func (s *Snapshot) Processes() []Process {
	all := make([]Process, len(s.processes))
	for i := range s.processes {
		all[i] = s.processes[i].Process
	}
	return all
}

// sorted returns the memories of a class that are wanted, by path.
func (s *Snapshot) sorted(want func(m *memory) bool) []*memory {
	var all []*memory
	for m := range maps.Values(s.memories) {
		if want(m) {
			all = append(all, m)
		}
	}
	slices.SortFunc(all, func(a, b *memory) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.id.Major, b.id.Major), cmp.Compare(a.id.Minor, b.id.Minor),
			cmp.Compare(a.id.Inode, b.id.Inode), cmp.Compare(a.id.Namespace, b.id.Namespace))
	})
	return all
}

// ipcNamespace is the inode number of the IPC namespace of who looks; 0: not known.
func ipcNamespace(root string) uint64 {
	link, err := os.Readlink(root + "/self/ns/ipc")
	if err != nil {
		return 0
	}
	n, _ := proc.ParseNamespace([]byte(link))
	return n
}
