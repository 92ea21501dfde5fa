package sysv

import (
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// SemaphoreSetInfo is what the kernel knows of a semaphore set; struct semid_ds.
type SemaphoreSetInfo struct {
	Permission
	Count      int       // semaphores in the set
	OpTime     time.Time // last operation; zero Time: never
	ChangeTime time.Time // creation, or last change of owner, mode or a value by SetValue
}

func semaphoreSetInfo(id int, ds *sys.SemidDS) SemaphoreSetInfo {
	return SemaphoreSetInfo{
		Permission: permission(id, &ds.Perm),
		Count:      int(ds.Nsems), OpTime: when(ds.Otime), ChangeTime: when(ds.Ctime),
	}
}

// SemaphoreSets lists every semaphore set in the IPC namespace, also those the
// caller may not read, by index of the kernel's table.
func SemaphoreSets() ([]SemaphoreSetInfo, error) {
	var use sys.Seminfo
	highest, err := sys.SemLimits(sys.SEM_INFO, &use)
	if err != nil {
		return nil, &Error{Op: "list", Object: "semaphore sets", Err: err}
	}
	all, err := list(highest, func(i int) (SemaphoreSetInfo, error) {
		var ds sys.SemidDS
		id, err := sys.SemStat(i, sys.SEM_STAT_ANY, &ds)
		return semaphoreSetInfo(id, &ds), err
	})
	if err != nil {
		return nil, &Error{Op: "list", Object: "semaphore sets", Err: err}
	}
	return all, nil
}

// SemaphoreLimits is the limits on semaphores in the IPC namespace and their
// use.
type SemaphoreLimits struct {
	MaxSets       int // SEMMNI
	MaxSemaphores int // of all sets together, SEMMNS
	MaxPerSet     int // SEMMSL
	MaxOps        int // in one step, SEMOPM
	MaxValue      int // SEMVMX

	Sets       int // that exist
	Semaphores int // in all of them
}

// ReadSemaphoreLimits asks the kernel.
func ReadSemaphoreLimits() (SemaphoreLimits, error) {
	var max, use sys.Seminfo
	if _, err := sys.SemLimits(sys.IPC_INFO, &max); err != nil {
		return SemaphoreLimits{}, &Error{Op: "read limits of", Object: "semaphore sets", Err: err}
	}
	if _, err := sys.SemLimits(sys.SEM_INFO, &use); err != nil {
		return SemaphoreLimits{}, &Error{Op: "read use of", Object: "semaphore sets", Err: err}
	}
	return SemaphoreLimits{
		MaxSets: int(max.Semmni), MaxSemaphores: int(max.Semmns), MaxPerSet: int(max.Semmsl),
		MaxOps: int(max.Semopm), MaxValue: int(max.Semvmx),
		Sets: int(use.Semusz), Semaphores: int(use.Semaem),
	}, nil
}
