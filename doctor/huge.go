package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// huge looks at pools of huge pages that have none left. That is no more than a notice: whoever reserves a pool wants it used.
func (e *examination) huge() error {
	pools, err := filepath.Glob(filepath.Join(globbed(e.root("sys/kernel/mm/hugepages")), "hugepages-*kB"))
	errs := []error{err}
	for _, dir := range pools {
		errs = append(errs, e.pool(dir))
	}
	return errors.Join(errs...)
}

func (e *examination) pool(dir string) error {
	kilobytes, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(dir), "hugepages-"), "kB"), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	var n [5]uint64
	for i, file := range []string{"nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages", "nr_overcommit_hugepages"} {
		if n[i], err = number(filepath.Join(dir, file)); err != nil {
			return missing(err)
		}
	}
	all, free, reserved, surplus, overcommit := n[0], n[1], n[2], n[3], n[4]
	// The files are read one after the other: sums that cannot be are of two moments.
	taken := all - min(all, free-min(free, reserved))
	most := all - min(all, surplus) + max(overcommit, surplus)
	if _, ok := (share{taken, most}).severity(); !ok || 100*taken < Reached*most {
		return nil
	}
	e.add(Finding{
		Kind: HugePages, Severity: Notice, Object: fmt.Sprintf("huge pages of %s", size(kilobytes*1024)),
		Summary:  fmt.Sprintf("%d of %d are used or reserved, %s", taken, most, percent(taken, most)),
		Meaning:  "When none is left, mmap with MAP_HUGETLB, shmget with SHM_HUGETLB and files on hugetlbfs fail with ENOMEM. A pool that one program was to have may be meant so.",
		Evidence: "nr_hugepages, free_hugepages and the other files in " + dir,
		Command:  fmt.Sprintf("echo %d > %s", twice(all, 1<<40), quote(filepath.Join(dir, "nr_hugepages"))),
	})
	return nil
}

// hugeShmem looks at what the kernel is told to do with huge pages for shared memory. "never", as it comes, "advise" and
// "within_size" take no more memory than was asked for, and are no finding.
func (e *examination) hugeShmem() error {
	path := e.root("sys/kernel/mm/transparent_hugepage/shmem_enabled")
	text, err := os.ReadFile(path)
	if err != nil {
		return missing(err)
	}
	_, rest, _ := strings.Cut(string(text), "[")
	value, _, ok := strings.Cut(rest, "]")
	meaning := map[string]string{
		"always": "Touching a System V segment, a memfd or shared anonymous memory may take a huge page (2 MiB on most machines) at once, where little was wanted; it counts for limits of control groups.",
		"force":  "Touching any shared memory, also in /dev/shm and however that was mounted, may take a huge page (2 MiB on most machines) at once, where little was wanted. It is for tests of the kernel.",
		"deny":   "No shared memory gets huge pages, also where a file system was mounted with huge=, or a program asks by madvise. It is for emergencies.",
	}[value]
	if !ok || meaning == "" {
		return nil
	}
	e.add(Finding{
		Kind: HugeShmem, Severity: Notice, Object: "shmem_enabled",
		Summary: "Transparent huge pages of shared memory: " + value, Meaning: meaning, Evidence: path,
		Command: "echo advise > " + quote(path),
	})
	return nil
}
