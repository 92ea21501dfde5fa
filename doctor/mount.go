package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/proc"
	"github.com/shmkit/shmkit/internal/sys"
)

// mount looks at the file system that POSIX objects are on.
func (e *examination) mount() error {
	info, err := os.Stat(e.shm())
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && !info.IsDir():
		e.add(Finding{
			Kind: ShmMissing, Severity: Problem, Object: e.shm(),
			Summary: "There is no directory " + e.shm(), Meaning: "shm_open, sem_open and shmkit's objects by name fail.",
			Evidence: "stat(" + e.shm() + ")",
			Command:  "mkdir -p -m 1777 " + quote(e.shm()) + " && mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs " + quote(e.shm()),
		})
		return nil
	case err != nil:
		return err
	}
	e.mode(info)
	m, ok, err := e.mounted()
	if err != nil || !ok {
		return missing(err)
	}
	e.mountOptions(m)
	return nil
}

// mode looks at who can use /dev/shm.
func (e *examination) mode(info fs.FileInfo) {
	f := Finding{
		Kind: ShmMode, Severity: Warning, Object: e.shm(), Evidence: "stat(" + e.shm() + "): mode " + info.Mode().String(),
		Command: "chmod 1777 " + quote(e.shm()),
	}
	switch mode := info.Mode(); {
	case mode.Perm()&0o002 == 0:
		f.Summary, f.Meaning = "Not everybody can make objects in "+e.shm(), "shm_open with O_CREAT fails with EACCES for others than its owner."
	case mode&fs.ModeSticky == 0:
		f.Summary, f.Meaning = "Everybody can remove everybody's objects in "+e.shm(), "Without the sticky bit its mode lets each user unlink, and replace, what others made."
	default:
		return
	}
	e.add(f)
}

// room looks at how full /dev/shm is.
func (e *examination) room() error {
	use, err := sys.UseOfFileSystem(e.shm())
	if err != nil {
		return missing(err) // mount says it
	}
	e.limit(bound{
		name: e.shm(), of: "in " + e.shm(), format: size,
		meaning: "When it is full, making objects fails with ENOSPC, and touching memory that was not reserved kills with SIGBUS.",
		source:  "statfs(" + e.shm() + ")",
		command: fmt.Sprintf("mount -o remount,size=%d %s", twice(use.Bytes, 1<<62), quote(e.shm())),
	}, share{use.Bytes - use.FreeBytes, use.Bytes})
	e.limit(bound{
		name: e.shm() + " inodes", of: "files in " + e.shm(), format: count,
		meaning: "When there are no more, making objects fails with ENOSPC, however much memory is free.",
		source:  "statfs(" + e.shm() + ")",
		command: fmt.Sprintf("mount -o remount,nr_inodes=%d %s", twice(use.Files, 1<<62), quote(e.shm())),
	}, share{use.Files - use.FreeFiles, use.Files})
	return nil
}

// mounted returns what is mounted at /dev/shm, the last of those above each other.
func (e *examination) mounted() (last proc.Mount, ok bool, err error) {
	all, err := proc.Mounts(e.proc())
	for _, m := range all {
		if m.Point == e.shm() {
			last, ok = m, true
		}
	}
	return last, ok, err
}

// containerShm is what Docker, containerd and podman make /dev/shm if nobody says otherwise.
const containerShm = 64 << 20

// mountOptions looks at how /dev/shm is mounted.
func (e *examination) mountOptions(m proc.Mount) {
	source := e.proc("self/mountinfo") + fmt.Sprintf(": %s of source %q at %s", m.Type, m.Source, m.Point)
	if slices.Contains(m.Options, "ro") || slices.Contains(m.Super, "ro") {
		e.add(Finding{
			Kind: ShmMissing, Severity: Problem, Object: e.shm(), Summary: e.shm() + " is mounted read-only",
			Meaning: "shm_open with O_CREAT or O_RDWR fails with EROFS.", Evidence: source, Command: "mount -o remount,rw " + quote(e.shm()),
		})
	}
	if m.Type != "tmpfs" {
		e.add(Finding{
			Kind: ShmMissing, Severity: Warning, Object: e.shm(), Summary: fmt.Sprintf("%s is no tmpfs but %s", e.shm(), m.Type),
			Meaning: "Objects are on another file system than programs expect, perhaps on a disk.", Evidence: source,
			Command: "mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs " + quote(e.shm()),
		})
		return
	}
	if slices.Contains(m.Options, "noexec") {
		e.add(Finding{
			Kind: ShmNoExec, Severity: Notice, Object: e.shm(), Summary: e.shm() + " is mounted noexec",
			Meaning:  "mmap of an object with PROT_EXEC fails with EPERM: programs that make code in shared memory need a memfd instead.",
			Evidence: source, Command: "mount -o remount,exec " + quote(e.shm()),
		})
	}
	total, ok := sizeOf(m)
	if !ok || total > containerShm {
		return
	}
	if m.Source == "shm" { // on a machine it is "tmpfs"; container engines name it so
		e.add(Finding{
			Kind: SmallShm, Severity: Warning, Object: e.shm(), Summary: fmt.Sprintf("This container's %s has %s", e.shm(), size(total)),
			Meaning:  "That is what containers get if nobody asks for more. Programs that share much memory (databases, browsers, machine learning) fail with ENOSPC, or die of SIGBUS.",
			Evidence: source + ", size " + size(total) + ": container engines name it \"shm\"",
			Command:  "docker run --shm-size=1g …  # compose: shm_size; Kubernetes: an emptyDir of medium Memory",
		})
	}
}

// sizeOf returns the size that a tmpfs was mounted with.
func sizeOf(m proc.Mount) (uint64, bool) {
	for _, option := range m.Super {
		text, ok := strings.CutPrefix(option, "size=")
		if !ok {
			continue
		}
		unit := uint64(1)
		if rest, ok := strings.CutSuffix(text, "k"); ok {
			text, unit = rest, 1024
		}
		n, err := strconv.ParseUint(text, 10, 64)
		return n * unit, err == nil
	}
	return 0, false
}
