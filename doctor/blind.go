package doctor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/shmkit/shmkit/internal/proc"
	"github.com/shmkit/shmkit/internal/sys"
)

// blind is what a lease is blind to, as far as processes are seen: descriptors that were opened neither
// for reading nor for writing, and mounts of a file, or on one, in whatever mount namespace.
type blind struct {
	proc, dir string // where processes are, and what is looked for

	mu      sync.Mutex
	looked  time.Time     // when
	took    time.Duration // and how long that took
	at      place         // of dir, as this process has it mounted
	handles map[uint64][]handle
	mounted map[place]string
}

// A handle is a descriptor that a lease does not see.
type handle struct{ pid, fd int }

// A place is the way to a file from the root of its file system.
type place struct {
	major, minor uint32
	path         string
}

// lookFor is for how long a look at processes is good, in times of what it takes: to remove thousands of objects
// is not mainly to look at processes.
var lookFor = time.Duration(10)

// use returns why a file is in use by what a lease does not tell; nil: nothing is seen.
func (b *blind) use(ctx context.Context, n name) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.looked.IsZero() || time.Since(b.looked) > lookFor*b.took {
		if err := b.look(ctx); err != nil {
			return err
		}
	}
	buffer := proc.NewBuffer()
	for _, h := range slices.Concat(b.handles[n.inode], b.handles[0]) { // 0: the kernel does not tell
		p, err := proc.Open(b.proc, h.pid, buffer)
		if err != nil {
			continue // it has ended, and so has its use of anything
		}
		st, err := p.Descriptor(h.fd)
		p.Close()
		if err == nil && st.Dev == n.device && st.Ino == n.inode {
			return fmt.Errorf("%w: process %d has a descriptor of it that no lease tells of (O_PATH)", ErrInUse, h.pid)
		}
	}
	below := strings.TrimPrefix(filepath.Join(n.dir, n.file), b.dir)
	if why := b.mounted[place{b.at.major, b.at.minor, filepath.Join(b.at.path, below)}]; why != "" {
		return fmt.Errorf("%w: %s", ErrInUse, why)
	}
	return nil
}

// look looks at all processes.
func (b *blind) look(ctx context.Context) error {
	begin := time.Now()
	b.handles, b.mounted, b.at = map[uint64][]handle{}, map[place]string{}, place{}
	own, err := proc.Mounts(b.proc)
	if err != nil && missing(err) != nil {
		return err
	}
	b.at = placeOf(own, b.dir)
	pids, err := proc.PIDs(b.proc)
	if err != nil {
		return err
	}
	buffer, namespaces := proc.NewBuffer(), map[uint64]bool{}
	for _, pid := range pids {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := proc.Open(b.proc, pid, buffer)
		if err != nil {
			continue
		}
		b.descriptors(p)
		if ns, err := p.MountNamespace(); err == nil && !namespaces[ns] {
			namespaces[ns] = true
			b.mounts(p)
		}
		p.Close()
	}
	b.looked, b.took = time.Now(), time.Since(begin)
	return nil
}

// descriptors notes those of a process that were opened with O_PATH, or with access mode 3, which is neither to read
// nor to write, for drivers. What they are of is asked when somebody wants to know: a file system may not answer.
func (b *blind) descriptors(p proc.Process) {
	var all []int
	_ = p.Descriptors(func(fd int, target []byte) bool { // who does not let this user look has nothing to tell
		if len(target) > 0 && target[0] == '/' {
			all = append(all, fd)
		}
		return true
	})
	for _, fd := range all {
		i, err := p.FdInfo(fd)
		if err == nil && (i.Flags&sys.O_PATH != 0 || i.Flags&syscall.O_ACCMODE == syscall.O_ACCMODE) {
			b.handles[i.Inode] = append(b.handles[i.Inode], handle{p.PID, fd})
		}
	}
}

// mounts notes which files are mounted themselves somewhere, and which have something mounted on them: who removes
// such a name takes the mount away with it.
func (b *blind) mounts(p proc.Process) {
	all, err := p.Mounts()
	if err != nil {
		return
	}
	for _, m := range all {
		if m.Major == b.at.major && m.Minor == b.at.minor {
			b.mounted[place{m.Major, m.Minor, m.Root}] = fmt.Sprintf("it is mounted at %s where process %d is", m.Point, p.PID)
		}
		for _, parent := range all {
			if parent.ID == m.Parent && parent.Major == b.at.major && parent.Minor == b.at.minor {
				if below, ok := strings.CutPrefix(m.Point, parent.Point); ok {
					at := place{parent.Major, parent.Minor, filepath.Join(parent.Root, below)}
					b.mounted[at] = fmt.Sprintf("something is mounted on it where process %d is", p.PID)
				}
			}
		}
	}
}

// placeOf returns where a directory is on its file system.
func placeOf(mounts []proc.Mount, dir string) (at place) {
	longest := -1
	for _, m := range mounts {
		below, ok := strings.CutPrefix(dir, strings.TrimSuffix(m.Point, "/"))
		if ok && (below == "" || below[0] == '/') && len(m.Point) >= longest { // of those above each other the last
			longest, at = len(m.Point), place{m.Major, m.Minor, filepath.Join(m.Root, below)}
		}
	}
	return at
}
