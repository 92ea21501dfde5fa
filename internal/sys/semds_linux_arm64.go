package sys

// SemidDS is struct semid64_ds; arm64 uses the generic layout.
type SemidDS struct {
	Perm  IPCPerm
	Otime int64 // last semop, seconds since 1970; 0 is never
	Ctime int64 // last change by semctl, or creation
	Nsems uint64
	_     [2]uint64
}
