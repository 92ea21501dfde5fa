package sysv

import (
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// SegmentInfo is what the kernel knows of a segment; struct shmid_ds.
type SegmentInfo struct {
	Permission
	Size       int64 // bytes, as asked for; not rounded to pages
	Attached   int   // mappings, counted over all processes
	CreatorPID int   // in the PID namespace of the caller; 0 if not seen there
	LastPID    int   // last to attach or detach; 0 if nobody did
	AttachTime time.Time
	DetachTime time.Time // zero Time: never
	ChangeTime time.Time // creation, or last change of owner or mode
	Removed    bool      // marked for removal, goes with the last mapping (SHM_DEST)
	Locked     bool      // kept from swapping (SHM_LOCKED)
}

func segmentInfo(id int, ds *sys.ShmidDS) SegmentInfo {
	return SegmentInfo{
		Permission: permission(id, &ds.Perm),
		Size:       int64(ds.Segsz),
		Attached:   int(ds.Nattch),
		CreatorPID: int(ds.Cpid),
		LastPID:    int(ds.Lpid),
		AttachTime: when(ds.Atime),
		DetachTime: when(ds.Dtime),
		ChangeTime: when(ds.Ctime),
		Removed:    ds.Perm.Mode&sys.SHM_DEST != 0,
		Locked:     ds.Perm.Mode&sys.SHM_LOCKED != 0,
	}
}

// Segments lists every segment in the IPC namespace, also those the caller may
// not read, by index of the kernel's table.
func Segments() ([]SegmentInfo, error) {
	var use sys.ShmUse
	highest, err := sys.ShmUsage(&use)
	if err != nil {
		return nil, &Error{Op: "list", Object: "segments", Err: err}
	}
	all, err := list(highest, func(i int) (SegmentInfo, error) {
		var ds sys.ShmidDS
		id, err := sys.ShmStat(i, sys.SHM_STAT_ANY, &ds)
		return segmentInfo(id, &ds), err
	})
	if err != nil {
		return nil, &Error{Op: "list", Object: "segments", Err: err}
	}
	return all, nil
}

func findSegment(is func(SegmentInfo) bool) (SegmentInfo, bool) { return find(Segments, is) }

// SegmentLimits is the limits on segments in the IPC namespace and their use.
type SegmentLimits struct {
	MaxBytes    uint64 // largest segment; kernel.shmmax
	MinBytes    uint64 // smallest segment, 1
	MaxSegments uint64 // kernel.shmmni
	MaxPages    uint64 // pages of all segments together; kernel.shmall

	Segments      uint64 // that exist
	Pages         uint64 // of all of them
	ResidentPages uint64 // of those, in memory
	SwappedPages  uint64 // of those, on swap
}

// ReadSegmentLimits asks the kernel.
func ReadSegmentLimits() (SegmentLimits, error) {
	var max sys.Shminfo
	var use sys.ShmUse
	if _, err := sys.ShmLimits(&max); err != nil {
		return SegmentLimits{}, &Error{Op: "read limits of", Object: "segments", Err: err}
	}
	if _, err := sys.ShmUsage(&use); err != nil {
		return SegmentLimits{}, &Error{Op: "read use of", Object: "segments", Err: err}
	}
	return SegmentLimits{
		MaxBytes: max.Shmmax, MinBytes: max.Shmmin, MaxSegments: max.Shmmni, MaxPages: max.Shmall,
		Segments: uint64(use.UsedIDs), Pages: use.Total, ResidentPages: use.Resident, SwappedPages: use.Swapped,
	}, nil
}
