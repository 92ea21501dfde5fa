package sys

// SemidDS is struct semid64_ds; x86 keeps an unused word after each time.
type SemidDS struct {
	Perm  IPCPerm
	Otime int64 // last semop, seconds since 1970; 0 is never
	_     uint64
	Ctime int64 // last change by semctl, or creation
	_     uint64
	Nsems uint64
	_     [2]uint64
}
