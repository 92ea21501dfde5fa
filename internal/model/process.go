package model

// A Process has what the kernel keeps apart for each: descriptors, an address space,
// and what it may do.
type Process struct {
	Name string
	User User

	world *World
	files map[string]*File // by the name of the descriptor
	space space
	limit int64 // RLIMIT_MEMLOCK now, bytes
	made  int   // objects made so far; their names are "A1", "A2", …
}

// A User is who a process runs as. The four privileges are those of capabilities(7)
// that decide about shared memory; root usually has them all.
type User struct {
	UID      int
	IPCOwner bool // CAP_IPC_OWNER: the modes of segments do not bind
	SysAdmin bool // CAP_SYS_ADMIN: may change and remove segments of others
	IPCLock  bool // CAP_IPC_LOCK where the segments live: may lock those of others
	LockAny  bool // CAP_IPC_LOCK on the machine: LockLimit does not bind

	LockLimit int64 // RLIMIT_MEMLOCK to begin with, bytes
}

// A File is an open file description: what open(2) makes, and what dup(2) and mappings
// share. It outlives the descriptor for as long as a mapping uses it. Mappings of two
// descriptions of one object share every page and yet never become one area.
type File struct {
	object      *Object
	read, write bool
	path        bool // O_PATH: names the file, opens nothing
}

// file finds the description behind a descriptor.
func (p *Process) file(fd string) (*File, bool) {
	f, ok := p.files[fd]
	return f, ok
}
