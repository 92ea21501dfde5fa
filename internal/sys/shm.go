package sys

// Flags of shmget and shmat, commands of shmctl and marks in the mode of a
// segment; <linux/shm.h>.
const (
	SHM_HUGETLB    = 0o4000
	SHM_NORESERVE  = 0o10000
	SHM_HUGE_SHIFT = 26

	SHM_RDONLY = 0o10000
	SHM_RND    = 0o20000
	SHM_REMAP  = 0o40000
	SHM_EXEC   = 0o100000

	SHM_LOCK     = 11
	SHM_UNLOCK   = 12
	SHM_STAT     = 13
	SHM_INFO     = 14
	SHM_STAT_ANY = 15 // since Linux 4.17

	SHM_DEST   = 0o1000
	SHM_LOCKED = 0o2000
)

// ShmidDS is struct shmid64_ds.
type ShmidDS struct {
	Perm   IPCPerm
	Segsz  uint64 // bytes
	Atime  int64  // seconds since 1970, like the other times; 0 is never
	Dtime  int64
	Ctime  int64
	Cpid   int32
	Lpid   int32
	Nattch uint64
	_      [2]uint64
}

// Shminfo is struct shminfo64, the limits that IPC_INFO answers.
type Shminfo struct {
	Shmmax uint64 // largest segment, bytes
	Shmmin uint64
	Shmmni uint64 // most segments
	Shmseg uint64
	Shmall uint64 // most pages of all segments together
	_      [4]uint64
}

// ShmUse is struct shm_info, the use that SHM_INFO answers.
type ShmUse struct {
	UsedIDs       int32
	_             int32
	Total         uint64 // pages of all segments
	Resident      uint64 // pages in memory
	Swapped       uint64 // pages on swap
	SwapAttempts  uint64
	SwapSuccesses uint64
}
