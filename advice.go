package shmkit

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/sys"
)

// Advice is what Advise can tell the kernel: everything that madvise(2) of Linux
// has. The number in brackets is the Linux version since which it is there, if that
// is later than 4.17.
type Advice int

// Advice about how the memory will be used. It changes nothing but speed.
const (
	AdviseNormal     Advice = sys.MADV_NORMAL     // no special treatment
	AdviseRandom     Advice = sys.MADV_RANDOM     // no read-ahead
	AdviseSequential Advice = sys.MADV_SEQUENTIAL // much read-ahead; pages behind are not kept
	AdviseWillNeed   Advice = sys.MADV_WILLNEED   // read ahead now
	AdviseCold       Advice = sys.MADV_COLD       // reclaim these first [5.4]
	AdvisePageOut    Advice = sys.MADV_PAGEOUT    // reclaim these now [5.4]

	AdviseHugePage      Advice = sys.MADV_HUGEPAGE       // use huge pages where they fit
	AdviseNoHugePage    Advice = sys.MADV_NOHUGEPAGE     // use none
	AdviseCollapse      Advice = sys.MADV_COLLAPSE       // make huge pages of these now [6.1]
	AdviseMergeable     Advice = sys.MADV_MERGEABLE      // private memory: share equal pages (KSM)
	AdviseUnmergeable   Advice = sys.MADV_UNMERGEABLE    // end that
	AdvisePopulateRead  Advice = sys.MADV_POPULATE_READ  // fault the pages in now; see Prefault [5.14]
	AdvisePopulateWrite Advice = sys.MADV_POPULATE_WRITE // for writing [5.14]
)

// Advice about what a forked child and a core dump get. Go programs do not fork
// without exec; what a C library forks is meant.
const (
	AdviseDontFork   Advice = sys.MADV_DONTFORK
	AdviseDoFork     Advice = sys.MADV_DOFORK
	AdviseWipeOnFork Advice = sys.MADV_WIPEONFORK // private memory: the child finds zeros
	AdviseKeepOnFork Advice = sys.MADV_KEEPONFORK
	AdviseDontDump   Advice = sys.MADV_DONTDUMP
	AdviseDoDump     Advice = sys.MADV_DODUMP
)

// Advice that changes what is read, or may be. The range must begin and end where
// pages do.
const (
	// AdviseDontNeed drops the pages from this mapping. Shared memory and shared files
	// keep their content; a private file shows the file again, and what was written to
	// the private copy is lost.
	AdviseDontNeed Advice = sys.MADV_DONTNEED
	// AdviseDontNeedLocked is AdviseDontNeed for locked pages too [5.18].
	AdviseDontNeedLocked Advice = sys.MADV_DONTNEED_LOCKED
	// AdviseFree lets the kernel drop private pages when it wants memory.
	AdviseFree Advice = sys.MADV_FREE
	// AdviseRemove frees the pages in the object itself: everybody reads zeros.
	AdviseRemove Advice = sys.MADV_REMOVE
	// AdviseGuardInstall drops the pages and makes every touch a fault, ErrGuardPage
	// [6.13, of files 6.15].
	AdviseGuardInstall Advice = sys.MADV_GUARD_INSTALL
	// AdviseGuardRemove ends that.
	AdviseGuardRemove Advice = sys.MADV_GUARD_REMOVE
	// AdviseHWPoison and AdviseSoftOffline treat the pages as broken memory, for tests of
	// that; root only.
	AdviseHWPoison    Advice = sys.MADV_HWPOISON
	AdviseSoftOffline Advice = sys.MADV_SOFT_OFFLINE
)

// adviceNames are the names of the manual page, without MADV_.
var adviceNames = map[Advice]string{
	AdviseNormal: "NORMAL", AdviseRandom: "RANDOM", AdviseSequential: "SEQUENTIAL", AdviseWillNeed: "WILLNEED",
	AdviseDontNeed: "DONTNEED", AdviseFree: "FREE", AdviseRemove: "REMOVE", AdviseDontFork: "DONTFORK",
	AdviseDoFork: "DOFORK", AdviseMergeable: "MERGEABLE", AdviseUnmergeable: "UNMERGEABLE", AdviseHugePage: "HUGEPAGE",
	AdviseNoHugePage: "NOHUGEPAGE", AdviseDontDump: "DONTDUMP", AdviseDoDump: "DODUMP", AdviseWipeOnFork: "WIPEONFORK",
	AdviseKeepOnFork: "KEEPONFORK", AdviseCold: "COLD", AdvisePageOut: "PAGEOUT", AdvisePopulateRead: "POPULATE_READ",
	AdvisePopulateWrite: "POPULATE_WRITE", AdviseDontNeedLocked: "DONTNEED_LOCKED", AdviseCollapse: "COLLAPSE",
	AdviseHWPoison: "HWPOISON", AdviseSoftOffline: "SOFT_OFFLINE", AdviseGuardInstall: "GUARD_INSTALL",
	AdviseGuardRemove: "GUARD_REMOVE",
}

// String returns the advice as madvise(2) names it: "MADV_WILLNEED".
func (a Advice) String() string {
	if name, ok := adviceNames[a]; ok {
		return "MADV_" + name
	}
	return fmt.Sprintf("advice %d", int(a))
}

// Destructive reports whether the advice changes what is read, or may: those of the last
// group. Neighbours on the same page would be harmed.
func (a Advice) Destructive() bool {
	switch a {
	case AdviseDontNeed, AdviseDontNeedLocked, AdviseFree, AdviseRemove, AdviseGuardInstall, AdviseGuardRemove,
		AdviseHWPoison, AdviseSoftOffline, AdviseWipeOnFork:
		return true
	}
	return false
}
