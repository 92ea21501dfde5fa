package sys

import (
	"bufio"
	"iter"
	"os"
	"slices"
	"strings"
)

// SmapsEntry is what /proc/self/smaps tells of a mapping, as far as it is needed here.
type SmapsEntry struct {
	MapsEntry
	Flags []string // two letters each: "lo", "lf"; proc_pid_smaps(5)
}

// Locked reports whether the pages are locked, and onFault whether only once they are
// touched.
func (e SmapsEntry) Locked() (locked, onFault bool) {
	return slices.Contains(e.Flags, "lo"), slices.Contains(e.Flags, "lf")
}

// ReadSmaps is ReadMaps with flags. It takes far longer: the kernel counts the pages of
// every mapping of the process up to these.
func ReadSmaps(start, end uintptr) iter.Seq2[SmapsEntry, error] {
	return func(yield func(SmapsEntry, error) bool) {
		f, err := os.Open("/proc/self/smaps")
		if err != nil {
			yield(SmapsEntry{}, err)
			return
		}
		defer f.Close()
		var e SmapsEntry
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			// "7f00-7f10 rw-s …", and lines of a name and a colon, of which VmFlags is the last.
			first, rest, _ := strings.Cut(lines.Text(), " ")
			switch {
			case first == "VmFlags:":
				e.Flags = strings.Fields(rest)
				if e.End > start && !yield(e, nil) {
					return
				}
			case strings.HasSuffix(first, ":"):
			default:
				m, err := ParseMapsEntry(lines.Text())
				if err != nil {
					yield(SmapsEntry{}, err)
					return
				}
				if m.Start >= end {
					return
				}
				e = SmapsEntry{MapsEntry: m}
			}
		}
		if err := lines.Err(); err != nil {
			yield(SmapsEntry{}, err)
		}
	}
}
