package live

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/shmkit/shmkit/internal/model"
)

// Text returns an operation as a C program would write it, with the numbers that it has
// here: mmap(0x2000000000, 8192, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, 100, 0).
func (c *Cast) Text(op model.Op) string {
	write, ok := texts[op.Call]
	if !ok {
		return op.String()
	}
	return write(c, op)
}

// texts are the calls, in the order of calls.go.
var texts = map[string]func(*Cast, model.Op) string{
	"memfd": func(c *Cast, op model.Op) string {
		if path := c.paths[op.Proc+"."+op.FD]; path != "" {
			return fmt.Sprintf("shm_open(\"/%s\", O_RDWR|O_CREAT|O_EXCL, 0600)", filepath.Base(path))
		}
		flags := []string{"MFD_CLOEXEC"}
		if op.Flags.Has("sealing") {
			flags = append(flags, "MFD_ALLOW_SEALING")
		}
		return fmt.Sprintf("memfd_create(\"%s%d\", %s)", op.Proc, c.made[op.Proc]+1, strings.Join(flags, "|"))
	},
	"tmpfile": func(c *Cast, op model.Op) string {
		if path := c.paths[op.Proc+"."+op.FD]; path != "" {
			return fmt.Sprintf("open(%q, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600)", path)
		}
		return fmt.Sprintf("open(\"%s%d\", O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC, 0600); unlink(\"%[1]s%[2]d\")", op.Proc, c.made[op.Proc]+1)
	},
	"pipe": func(*Cast, model.Op) string { return "pipe2(fds, O_CLOEXEC)" },
	"open": func(c *Cast, op model.Op) string {
		owner, name, _ := strings.Cut(op.From, ".")
		switch {
		case op.Flags.Has("dup"):
			return fmt.Sprintf("dup3(%d, %d, O_CLOEXEC)", fdOf(name), fdOf(op.FD))
		case op.Flags.Has("path"):
			return fmt.Sprintf("open(\"/proc/%d/fd/%d\", O_PATH|O_CLOEXEC)", c.procs[owner].Pid(), fdOf(name))
		}
		mode := map[[2]bool]string{{true, true}: "O_RDWR", {false, true}: "O_WRONLY"}[[2]bool{op.Flags.Has("r"), op.Flags.Has("w")}]
		if mode == "" {
			mode = "O_RDONLY"
		}
		path := c.paths[op.From]
		if filepath.Dir(path) == "/dev/shm" {
			return fmt.Sprintf("shm_open(\"/%s\", %s, 0)", filepath.Base(path), mode)
		}
		if path != "" {
			return fmt.Sprintf("open(%q, %s|O_CLOEXEC)", path, mode)
		}
		return fmt.Sprintf("open(\"/proc/%d/fd/%d\", %s|O_CLOEXEC)", c.procs[owner].Pid(), fdOf(name), mode)
	},
	"close": func(_ *Cast, op model.Op) string { return fmt.Sprintf("close(%d)", fdOf(op.FD)) },
	"write": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("pwrite(%d, {%d, …}, %d, %d)", fdOf(op.FD), op.Val, op.Len, op.Off)
	},
	"read": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("pread(%d, buf, %d, %d)", fdOf(op.FD), op.Len, op.Off)
	},
	"size":     func(_ *Cast, op model.Op) string { return fmt.Sprintf("fstat(%d, &st); st.st_size", fdOf(op.FD)) },
	"truncate": func(_ *Cast, op model.Op) string { return fmt.Sprintf("ftruncate(%d, %d)", fdOf(op.FD), op.Size) },
	"fallocate": func(_ *Cast, op model.Op) string {
		mode := flagText(op.Flags, "FALLOC_FL_", map[string]string{"keep": "KEEP_SIZE", "punch": "PUNCH_HOLE"})
		return fmt.Sprintf("fallocate(%d, %s, %d, %d)", fdOf(op.FD), mode, op.Off, op.Len)
	},
	"fsync": func(_ *Cast, op model.Op) string { return fmt.Sprintf("fsync(%d)", fdOf(op.FD)) },
	"dirty": func(_ *Cast, op model.Op) string { return fmt.Sprintf("cachestat(%d, &all, &use, 0)", fdOf(op.FD)) },
	"seal": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("fcntl(%d, F_ADD_SEALS, %s)", fdOf(op.FD), flagText(op.Flags, "F_SEAL_", map[string]string{"future": "FUTURE_WRITE"}))
	},
	"seals": func(_ *Cast, op model.Op) string { return fmt.Sprintf("fcntl(%d, F_GET_SEALS)", fdOf(op.FD)) },

	"mmap": func(_ *Cast, op model.Op) string {
		fd := -1
		if !op.Flags.Has("anonymous") {
			fd = fdOf(op.FD)
		}
		flags := flagText(op.Flags, "MAP_", map[string]string{"validate": "SHARED_VALIDATE", "noreplace": "FIXED_NOREPLACE"})
		if !op.Flags.Has("noreplace") {
			flags += "|MAP_FIXED"
		}
		return fmt.Sprintf("mmap(%s, %d, %s, %s, %d, %d)", pointer(op.Addr), op.Len, protText(op.Prot), flags, fd, op.Off)
	},
	"munmap": func(_ *Cast, op model.Op) string { return fmt.Sprintf("munmap(%s, %d)", pointer(op.Addr), op.Len) },
	"mprotect": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("mprotect(%s, %d, %s)", pointer(op.Addr), op.Len, protText(op.Prot))
	},
	"mremap": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("mremap(%s, %d, %d, %s, %s)", pointer(op.Addr), op.Len, op.New, flagText(op.Flags, "MREMAP_", nil), pointer(op.To))
	},
	"msync": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("msync(%s, %d, %s)", pointer(op.Addr), op.Len, flagText(op.Flags, "MS_", nil))
	},
	"madvise": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("madvise(%s, %d, %s)", pointer(op.Addr), op.Len, strings.ReplaceAll(flagText(op.Flags, "MADV_", nil), "-", "_"))
	},
	"mlock": func(_ *Cast, op model.Op) string {
		if op.Flags.Has("onfault") {
			return fmt.Sprintf("mlock2(%s, %d, MLOCK_ONFAULT)", pointer(op.Addr), op.Len)
		}
		return fmt.Sprintf("mlock(%s, %d)", pointer(op.Addr), op.Len)
	},
	"munlock": func(_ *Cast, op model.Op) string { return fmt.Sprintf("munlock(%s, %d)", pointer(op.Addr), op.Len) },
	"limit":   func(_ *Cast, op model.Op) string { return fmt.Sprintf("setrlimit(RLIMIT_MEMLOCK, {%d, …})", op.Size) },
	"locked":  func(*Cast, model.Op) string { return "VmLck of /proc/self/status" },
	"mincore": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("mincore(%s, %d, vec)", pointer(op.Addr), op.Len)
	},

	"shmget": func(c *Cast, op model.Op) string {
		key := "IPC_PRIVATE"
		if op.Key != 0 {
			key = fmt.Sprintf("%#x", uint32(c.key(op.Key)))
		}
		flags := fmt.Sprintf("%#o", op.Mode)
		if op.Flags != "" {
			flags = flagText(op.Flags, "IPC_", nil) + "|" + flags
		}
		return fmt.Sprintf("shmget(%s, %d, %s)", key, op.Size, flags)
	},
	"shmat": func(c *Cast, op model.Op) string {
		return fmt.Sprintf("shmat(%d, %s, %s)", c.ID(op.ID), pointer(op.Addr), flagText(op.Flags, "SHM_", nil))
	},
	"shmdt": func(_ *Cast, op model.Op) string { return fmt.Sprintf("shmdt(%s)", pointer(op.Addr)) },
	"rmid":  func(c *Cast, op model.Op) string { return fmt.Sprintf("shmctl(%d, IPC_RMID, NULL)", c.ID(op.ID)) },
	"stat":  func(c *Cast, op model.Op) string { return fmt.Sprintf("shmctl(%d, IPC_STAT, &ds)", c.ID(op.ID)) },
	"chmod": func(c *Cast, op model.Op) string {
		return fmt.Sprintf("ds.shm_perm.mode = %#o; shmctl(%d, IPC_SET, &ds)", op.Mode, c.ID(op.ID))
	},
	"shmlock":   func(c *Cast, op model.Op) string { return fmt.Sprintf("shmctl(%d, SHM_LOCK, NULL)", c.ID(op.ID)) },
	"shmunlock": func(c *Cast, op model.Op) string { return fmt.Sprintf("shmctl(%d, SHM_UNLOCK, NULL)", c.ID(op.ID)) },

	"load": func(_ *Cast, op model.Op) string { return fmt.Sprintf("x = *(volatile char *)%s", pointer(op.Addr)) },
	"store": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("*(volatile char *)%s = %d", pointer(op.Addr), op.Val)
	},
	"peek": func(_ *Cast, op model.Op) string {
		return fmt.Sprintf("memcpy(buf, %s, 4096)", pointer(op.Addr-op.Addr%model.PageSize))
	},
	"copyin":  func(_ *Cast, op model.Op) string { return fmt.Sprintf("write(pipe, %s, 1)", pointer(op.Addr)) },
	"copyout": func(_ *Cast, op model.Op) string { return fmt.Sprintf("read(pipe, %s, 1)", pointer(op.Addr)) },

	"maps":  func(*Cast, model.Op) string { return "cat /proc/self/maps" },
	"table": func(*Cast, model.Op) string { return "pread(pagemap, words, …)" },
	"exit":  func(*Cast, model.Op) string { return "_exit(0)" },
}

func pointer(addr int64) string { return fmt.Sprintf("%#x", at(addr)) }

func protText(p model.Prot) string {
	var words []string
	for i, name := range []string{"PROT_READ", "PROT_WRITE", "PROT_EXEC"} {
		if p&(1<<i) != 0 {
			words = append(words, name)
		}
	}
	if len(words) == 0 {
		return "PROT_NONE"
	}
	return strings.Join(words, "|")
}

// flagText writes flags as constants: the prefix and the name in capitals, or the one that
// they have else.
func flagText(f model.Flags, prefix string, other map[string]string) string {
	var words []string
	for _, name := range f.List() {
		if o, ok := other[name]; ok {
			name = o
		}
		words = append(words, prefix+strings.ToUpper(name))
	}
	if len(words) == 0 {
		return "0"
	}
	return strings.Join(words, "|")
}
