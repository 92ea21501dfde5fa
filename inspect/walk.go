package inspect

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/shmkit/shmkit/internal/proc"
	"github.com/shmkit/shmkit/internal/sys"
)

// walkers is how many goroutines read /proc: the kernel does most of the work, and others want it too.
const walkers = 2

// A walker reads processes, and has what it found for itself until the end.
type walker struct {
	o         *Options
	prefix    []byte // of links to POSIX objects: "/dev/shm/"
	buffer    *proc.Buffer
	processes []process
	memories  map[ID]*memory
	held      []held
	paths     map[string]string // links that were seen, so that each is in memory once

	last    *memory // of the line before: most files are mapped in several pieces
	lastKey mapKey
}

// A process is what a snapshot keeps of one.
type process struct {
	Process
	start uint64 // 0: it uses nothing, or that is not known
}

// held is a descriptor of a file that may turn out to be mapped.
type held struct {
	descriptor
	path string
}

// walk reads all processes.
func walk(ctx context.Context, o *Options) (found walker, err error) {
	pids, err := proc.PIDs(o.proc())
	if err != nil {
		return found, err
	}
	const chunk = 16
	var next atomic.Int64
	parts := make([]walker, min(walkers, runtime.GOMAXPROCS(0), max(1, len(pids)/chunk)))
	var all sync.WaitGroup
	for n := range parts {
		all.Go(func() {
			w := newWalker(o)
			for ctx.Err() == nil {
				end := int(next.Add(chunk))
				if end-chunk >= len(pids) {
					break
				}
				for _, pid := range pids[end-chunk : min(end, len(pids))] {
					w.process(pid)
				}
			}
			parts[n] = *w
		})
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return found, err
	}
	found = parts[0]
	for _, w := range parts[1:] {
		found.processes = append(found.processes, w.processes...)
		found.held = append(found.held, w.held...)
		for id, m := range w.memories {
			if there := found.memories[id]; there != nil {
				there.add(m)
			} else {
				found.memories[id] = m
			}
		}
	}
	return found, nil
}

func newWalker(o *Options) *walker {
	return &walker{o: o, prefix: []byte(o.shm() + "/"), buffer: proc.NewBuffer(), memories: map[ID]*memory{}, paths: map[string]string{}}
}

// process reads what one process maps and has open.
func (w *walker) process(pid int) {
	p, err := proc.Open(w.o.proc(), pid, w.buffer)
	if err != nil {
		return
	}
	defer p.Close()
	r := process{Process: Process{PID: pid}}
	uses, lines, err := w.maps(p, p, &r)
	switch {
	case proc.Refused(err):
		r.Hidden = true
	case err == nil && lines == 0:
		uses = w.headless(p, &r)
	case err == nil || !proc.Gone(err):
		u, err := w.descriptors(p)
		uses, r.Hidden = uses || u, proc.Refused(err)
	}
	if r.Command, err = p.Comm(); err != nil {
		return // it has ended, and so has its use of anything; what was noted of it goes in forget
	}
	r.UID = p.Owner()
	if uses {
		if s, err := p.Status(); err == nil {
			r.UID = s.UID
		}
		if s, err := p.Stat(); err == nil {
			r.start = s.Start
		}
	}
	w.processes = append(w.processes, r)
}

// headless reads a process that has no memory by its own number: a thread of the kernel, a zombie, or one whose main
// thread has ended while others go on.
func (w *walker) headless(p proc.Process, r *process) (uses bool) {
	threads, err := p.Threads()
	if err != nil || len(threads) < 2 {
		return false
	}
	for _, tid := range threads {
		t, err := p.Thread(tid)
		if err != nil {
			continue
		}
		u, lines, err := w.maps(p, t, r)
		if err == nil && lines > 0 {
			v, err := w.descriptors(t)
			r.Hidden = proc.Refused(err)
			t.Close()
			return u || v
		}
		t.Close()
		if proc.Refused(err) { // those of the kernel have one thread each, and show that they have no memory
			r.Hidden = true
			return false
		}
	}
	return false
}

// mapKey is what the lines of one file have in common.
type mapKey struct {
	major, minor uint32
	inode        uint64
}

// maps reads maps of p, or of a thread of it. uses: there is something in it that others may share.
func (w *walker) maps(p, thread proc.Process, r *process) (uses bool, lines int, err error) {
	namespace := func() uint64 {
		if r.IPC == 0 {
			r.IPC, _ = p.IPCNamespace()
		}
		return r.IPC
	}
	w.last = nil
	err = thread.Maps(func(m *proc.Map) bool {
		lines++
		if len(m.Path) == 0 { // anonymous: the most there are
			return true
		}
		key := mapKey{m.Major, m.Minor, m.Inode}
		// A memfd and a segment may have the same key. They are never the same by their paths.
		if w.last == nil || key != w.lastKey || classOf(m.Path) != w.last.id.Class {
			if w.last = w.memory(m, namespace); w.last == nil {
				return true
			}
			w.lastKey = key
		}
		at := Range{Start: m.Start, End: m.End, Offset: m.Offset, Protection: protectionOf(m.Perms)}
		w.last.maps = append(w.last.maps, mapped{int32(p.PID), at})
		uses = uses || at.Protection&SharedMapping != 0 || w.last.id.Class != FileClass || w.inShm(m.Path)
		return true
	})
	return uses, lines, err
}

// memory returns what a line of maps is about, nil if that is nothing to share.
func (w *walker) memory(m *proc.Map, namespace func() uint64) *memory {
	id := idOf(m, namespace)
	if id.Class == NoClass {
		return nil
	}
	there := w.memories[id]
	if there == nil {
		there = &memory{id: id}
		there.path, there.gone = proc.Path(m.Path)
		w.memories[id] = there
	}
	return there
}

func (w *walker) inShm(path []byte) bool { return bytes.HasPrefix(path, w.prefix) }

var devPath = []byte("/dev/")

// descriptors notes those that are of memory, at once, and those of files for later, since it takes a stat to know
// what a file is.
func (w *walker) descriptors(p proc.Process) (uses bool, err error) {
	var wanted []held
	err = p.Descriptors(func(fd int, target []byte) bool {
		if len(target) == 0 || target[0] != '/' || bytes.HasPrefix(target, devPath) && !w.inShm(target) {
			return true
		}
		path, known := w.paths[string(target)]
		if !known {
			path = string(target)
			w.paths[path] = path
		}
		wanted = append(wanted, held{descriptor{int32(p.PID), int32(fd)}, path})
		return true
	})
	for _, h := range wanted {
		link := []byte(h.path)
		if class := classOf(link); class != MemfdClass && !w.inShm(link) {
			w.held = append(w.held, h)
			continue
		}
		st, e := p.Descriptor(int(h.fd))
		if e != nil {
			continue
		}
		uses = true
		w.note(h, &st)
	}
	return uses, err
}

// note notes a descriptor of which it is known what it is.
func (w *walker) note(h held, st *syscall.Stat_t) {
	link := []byte(h.path)
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return
	}
	id := fileID(st)
	// A file may be called like a memfd, but then that is its name.
	if classOf(link) == MemfdClass && st.Nlink == 0 {
		id.Class = MemfdClass
	}
	m := w.memories[id]
	if m == nil {
		m = &memory{id: id}
		m.path, m.gone = strings.CutSuffix(h.path, string(deletedPath))
		w.memories[id] = m
	}
	m.fds = append(m.fds, h.descriptor)
}

// fileID returns what a file is known by, from what stat(2) tells.
func fileID(st *syscall.Stat_t) ID {
	major, minor := sys.DeviceNumber(uint64(st.Dev))
	return ID{Class: FileClass, Major: major, Minor: minor, Inode: st.Ino}
}
