package live

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/sys"
)

// plays execute each call of the model on the kernel. They return what a
// successful call returned, as the model writes it, or the errno.
var plays = map[string]func(*player, model.Op) (string, error){
	"memfd": func(p *player, op model.Op) (string, error) {
		if filepath.IsAbs(p.arg) {
			return "", p.makeNamed(op)
		}
		flags := sys.MFD_CLOEXEC
		if op.Flags.Has("sealing") {
			flags |= sys.MFD_ALLOW_SEALING
		}
		fd, err := sys.MemfdCreate(p.arg, flags)
		return "", install(op.FD, fd, err)
	},
	"tmpfile": func(p *player, op model.Op) (string, error) {
		if filepath.IsAbs(p.arg) {
			return "", p.makeNamed(op)
		}
		// In a folder of its own, which is gone before anybody could forget it.
		dir, err := os.MkdirTemp(p.dir, "shmkit-")
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, p.arg)
		fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, 0o600)
		if err == nil {
			err = syscall.Unlink(path)
		}
		err = errors.Join(err, os.Remove(dir))
		return "", install(op.FD, fd, err)
	},
	"pipe": func(_ *player, op model.Op) (string, error) {
		var pipe [2]int
		if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
			return "", err
		}
		return "", install(op.FD, pipe[0], syscall.Close(pipe[1]))
	},
	"open": func(p *player, op model.Op) (string, error) {
		if op.Flags.Has("dup") {
			owner, name, _ := strings.Cut(op.From, ".")
			if owner != op.Proc {
				return "", syscall.EBADF
			}
			if name == op.FD { // dup3 refuses that
				_, err := fstat(fdOf(name))
				return "", err
			}
			return "", syscall.Dup3(fdOf(name), fdOf(op.FD), syscall.O_CLOEXEC)
		}
		fd, err := syscall.Open(p.arg, openFlags(op.Flags)|syscall.O_CLOEXEC, 0)
		return "", install(op.FD, fd, err)
	},
	"close": func(_ *player, op model.Op) (string, error) { return "", syscall.Close(fdOf(op.FD)) },
	"write": func(_ *player, op model.Op) (string, error) {
		n, err := syscall.Pwrite(fdOf(op.FD), bytes.Repeat([]byte{op.Val}, int(op.Len)), op.Off)
		return strconv.Itoa(n), err
	},
	"read": func(_ *player, op model.Op) (string, error) {
		b := make([]byte, op.Len)
		n, err := syscall.Pread(fdOf(op.FD), b, op.Off)
		return fmt.Sprintf("%d: %s", n, model.Bytes(b[:max(n, 0)])), err
	},
	"size": func(_ *player, op model.Op) (string, error) {
		st, err := fstat(fdOf(op.FD))
		if err == nil && st.Mode&syscall.S_IFMT != syscall.S_IFREG {
			err = syscall.EINVAL // what the model says of pipes
		}
		if err == nil {
			err = notPath(op.FD)
		}
		return strconv.FormatInt(st.Size, 10), err
	},
	"truncate": func(_ *player, op model.Op) (string, error) { return "", syscall.Ftruncate(fdOf(op.FD), op.Size) },
	"fallocate": func(_ *player, op model.Op) (string, error) {
		return "", sys.Fallocate(fdOf(op.FD), bits(op.Flags), op.Off, op.Len)
	},
	"fsync": func(_ *player, op model.Op) (string, error) { return "", syscall.Fsync(fdOf(op.FD)) },
	"dirty": func(_ *player, op model.Op) (string, error) {
		use, err := sys.CacheStat(fdOf(op.FD))
		switch {
		case err != nil:
			return "", err
		case use.Dirty+use.Writeback > 0:
			return "dirty", nil
		}
		return "clean", nil
	},
	"seal": func(_ *player, op model.Op) (string, error) { return "", sys.AddSeals(fdOf(op.FD), bits(op.Flags)) },
	"seals": func(_ *player, op model.Op) (string, error) {
		seals, err := sys.Seals(fdOf(op.FD))
		list := model.Flags("")
		for _, name := range model.SealOrder {
			if seals&flagBits[name] != 0 {
				list = list.With(name)
			}
		}
		if list == "" {
			list = "none"
		}
		return string(list), err
	},

	"mmap": func(_ *player, op model.Op) (string, error) {
		fd := -1
		if !op.Flags.Has("anonymous") {
			fd = fdOf(op.FD)
		}
		flags := bits(op.Flags)
		if !op.Flags.Has("noreplace") {
			flags |= sys.MAP_FIXED
		}
		_, err := sys.Mmap(at(op.Addr), uint64(op.Len), int(op.Prot), flags, fd, op.Off)
		return "", err
	},
	"munmap": func(_ *player, op model.Op) (string, error) { return "", sys.Munmap(at(op.Addr), int(op.Len)) },
	"mprotect": func(_ *player, op model.Op) (string, error) {
		return "", sys.Mprotect(at(op.Addr), int(op.Len), int(op.Prot))
	},
	"mremap": func(_ *player, op model.Op) (string, error) {
		to, err := sys.Mremap(at(op.Addr), uint64(op.Len), uint64(op.New), bits(op.Flags), at(op.To))
		if err != nil {
			return "", err
		}
		if to < arenaAddr || to >= arenaAddr+arenaBytes {
			return "elsewhere", sys.Munmap(to, int(op.New))
		}
		return "", nil
	},
	"msync": func(_ *player, op model.Op) (string, error) {
		return "", sys.Msync(at(op.Addr), uint64(op.Len), bits(op.Flags))
	},
	"madvise": func(_ *player, op model.Op) (string, error) {
		return "", sys.Madvise(at(op.Addr), uint64(op.Len), adviceOf(op.Flags))
	},
	"mlock": func(_ *player, op model.Op) (string, error) {
		switch {
		case op.Flags.Has("unknown"):
			return "", sys.Mlock2(at(op.Addr), uint64(op.Len), 0x80)
		case op.Flags.Has("onfault"):
			return "", sys.Mlock2(at(op.Addr), uint64(op.Len), sys.MLOCK_ONFAULT)
		}
		return "", sys.Mlock(at(op.Addr), uint64(op.Len))
	},
	"munlock": func(_ *player, op model.Op) (string, error) { return "", sys.Munlock(at(op.Addr), uint64(op.Len)) },
	"limit":   func(_ *player, op model.Op) (string, error) { return "", sys.SetMemoryLockLimit(uint64(op.Size)) },
	"locked":  func(*player, model.Op) (string, error) { return lockedNow() },
	"mincore": func(p *player, op model.Op) (string, error) {
		pages := (op.Len + model.PageSize - 1) / model.PageSize
		vec := make([]byte, pages+1)
		err := sys.Mincore(at(op.Addr), uint64(op.Len), vec)
		areas, err2 := p.areas()
		if err2 != nil {
			return "", err2
		}
		letters := make([]byte, pages)
		for i := range letters {
			letters[i] = '0' + vec[i]&1
			for _, a := range areas {
				if page := op.Addr/model.PageSize + int64(i); a.disk && a.start <= page && page < a.end {
					letters[i] = '?'
				}
			}
		}
		return string(letters), err
	},

	"shmget": func(p *player, op model.Op) (string, error) {
		key, err := numberOf(p.arg)
		if err != nil {
			return "", err
		}
		id, err := sys.Shmget(key, uint64(op.Size), bits(op.Flags)|op.Mode)
		p.got = id
		return "", err
	},
	"shmat": func(p *player, op model.Op) (string, error) {
		addr, err := sys.Shmat(p.id, at(op.Addr), bits(op.Flags))
		return model.Count(int64(addr - arenaAddr)), err
	},
	"shmdt": func(_ *player, op model.Op) (string, error) { return "", sys.Shmdt(at(op.Addr)) },
	"rmid":  func(p *player, _ model.Op) (string, error) { return "", sys.ShmRemove(p.id) },
	"stat": func(p *player, _ model.Op) (string, error) {
		var ds sys.ShmidDS
		_, err := sys.ShmStat(p.id, sys.IPC_STAT, &ds)
		return fmt.Sprintf("#%d", p.id), err // who casts has the rest
	},
	"chmod": func(p *player, op model.Op) (string, error) {
		// Not read first: the right to change is not the right to look.
		ds := sys.ShmidDS{Perm: sys.IPCPerm{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), Mode: uint32(op.Mode)}}
		if p.arg != "" { // whose it is, if it was somebody else's
			uid, err := strconv.Atoi(p.arg)
			if err != nil {
				return "", err
			}
			ds.Perm.UID, ds.Perm.GID = uint32(uid), uint32(uid)
		}
		return "", sys.ShmSet(p.id, &ds)
	},
	"shmlock":   func(p *player, _ model.Op) (string, error) { return "", sys.ShmControl(p.id, sys.SHM_LOCK) },
	"shmunlock": func(p *player, _ model.Op) (string, error) { return "", sys.ShmControl(p.id, sys.SHM_UNLOCK) },

	"load": func(p *player, op model.Op) (string, error) {
		var b byte
		err := p.access(at(op.Addr), false, func() { b = sys.Bytes(at(op.Addr), 1)[0] })
		return strconv.Itoa(int(b)), err
	},
	"store": func(p *player, op model.Op) (string, error) {
		return "", p.access(at(op.Addr), true, func() { sys.Bytes(at(op.Addr), 1)[0] = op.Val })
	},
	"peek": func(p *player, op model.Op) (string, error) {
		b := make([]byte, model.PageSize)
		page := at(op.Addr - op.Addr%model.PageSize)
		err := p.access(page, false, func() { copy(b, sys.Bytes(page, model.PageSize)) })
		return model.Bytes(b), err
	},
	"copyin": func(p *player, op model.Op) (string, error) {
		if _, err := syscall.Write(p.pipeEnd, sys.Bytes(at(op.Addr), 1)); err != nil {
			return "", err
		}
		var b [1]byte
		_, err := syscall.Read(p.pipeRead, b[:])
		return strconv.Itoa(int(b[0])), err
	},
	"copyout": func(p *player, op model.Op) (string, error) {
		if _, err := syscall.Write(p.pipeEnd, []byte{op.Val}); err != nil {
			return "", err
		}
		_, err := syscall.Read(p.pipeRead, sys.Bytes(at(op.Addr), 1))
		if err != nil { // the byte is still in the pipe
			_, _ = syscall.Read(p.pipeRead, make([]byte, 1))
		}
		return "", err
	},

	// The answer has both of them anyway.
	"maps":  func(*player, model.Op) (string, error) { return "", nil },
	"table": func(*player, model.Op) (string, error) { return "", nil },
}

// makeNamed makes what has a path.
func (p *player) makeNamed(op model.Op) error {
	fd, err := syscall.Open(p.arg, syscall.O_RDWR|syscall.O_CREAT|syscall.O_EXCL|syscall.O_CLOEXEC, 0o600)
	return install(op.FD, fd, err)
}

// numberOf is the key that the other side has chosen.
func numberOf(arg string) (int32, error) {
	n, err := strconv.ParseInt(arg, 10, 32)
	return int32(n), err
}

func at(addr int64) uintptr { return arenaAddr + uintptr(addr) }

// Descriptor is the number of the descriptor that scripts call d0, d1, …; -1: of none.
func Descriptor(name string) int { return fdOf(name) }

// fdOf is the number of the descriptor that scripts call d0, d1, …
func fdOf(name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "d"))
	if err != nil || n < 0 || n >= FDNames {
		return -1
	}
	return firstFD + n
}

// install moves a new descriptor to its number.
func install(name string, fd int, err error) error {
	if err != nil {
		return err
	}
	if err := syscall.Dup3(fd, fdOf(name), syscall.O_CLOEXEC); err != nil {
		return err
	}
	return syscall.Close(fd)
}

func fstat(fd int) (st syscall.Stat_t, err error) { return st, syscall.Fstat(fd, &st) }

// notPath is EBADF for a descriptor that only names a file: fstat works on it, what the
// model means by being open does not.
func notPath(name string) error {
	_, err := syscall.Seek(fdOf(name), 0, 1)
	return err
}

func lockedNow() (string, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmLck:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			return strconv.Itoa(kib * 1024 / model.PageSize), err
		}
	}
	return "", fmt.Errorf("no VmLck in /proc/self/status")
}
