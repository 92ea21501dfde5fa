package memfd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/internal/sys"
)

// Seals is a set of seals: what can no longer be done with a memfd, by anybody, for
// as long as it exists. fcntl(2), "File Sealing".
type Seals int

// The seals. Each forbids, with EPERM if nothing else is said:
const (
	// SealSeal: to add seals.
	SealSeal Seals = sys.F_SEAL_SEAL
	// SealShrink: to make it shorter.
	SealShrink Seals = sys.F_SEAL_SHRINK
	// SealGrow: to make it longer, by whatever call.
	SealGrow Seals = sys.F_SEAL_GROW
	// SealWrite: to change its content, by write, by punching holes, or through a shared
	// mapping. EBUSY while a shared mapping that may be written exists in any process.
	SealWrite Seals = sys.F_SEAL_WRITE
	// SealFutureWrite: the same, but shared mappings that exist go on writing. Since
	// Linux 5.1.
	SealFutureWrite Seals = sys.F_SEAL_FUTURE_WRITE
	// SealExec: to change whether it may be executed. Since Linux 6.3, where all memory
	// that Create makes, unless executable, has it from the start.
	SealExec Seals = sys.F_SEAL_EXEC
)

const (
	// DefaultSeals are those of memory that nothing else was said about: it cannot be
	// truncated, and nobody it is handed to can seal its owner out.
	DefaultSeals = SealShrink | SealSeal

	// NoSeals stands for the empty set where 0 means the default: in Create, Options and
	// Want.
	NoSeals Seals = 1 << 30
)

// sealNames are in the order in which String lists them.
var sealNames = []struct {
	seal Seals
	name string
}{
	{SealShrink, "shrink"}, {SealGrow, "grow"}, {SealWrite, "write"}, {SealFutureWrite, "future-write"},
	{SealExec, "exec"}, {SealSeal, "seal"},
}

// String returns the names of the seals: "shrink|grow|seal". The empty set is "none",
// and seals that this package does not know are a number.
func (s Seals) String() string {
	var names []string
	for _, n := range sealNames {
		if s&n.seal != 0 {
			names = append(names, n.name)
			s &^= n.seal
		}
	}
	if s &^= NoSeals; s != 0 {
		names = append(names, fmt.Sprintf("%#x", int(s)))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, "|")
}

// ParseSeals is the inverse of String; a comma separates as well as a bar. "none" is
// NoSeals, and so is not mistaken for the default.
func ParseSeals(text string) (Seals, error) {
	if text == "none" {
		return NoSeals, nil
	}
	var s Seals
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == '|' || r == ',' }) {
		i := slices.IndexFunc(sealNames, func(n struct {
			seal Seals
			name string
		}) bool {
			return n.name == word
		})
		if i < 0 {
			return 0, fmt.Errorf("no seal is called %q: there are shrink, grow, write, future-write, exec, seal, and none", word)
		}
		s |= sealNames[i].seal
	}
	if s == 0 {
		return 0, fmt.Errorf("%q names no seal: there are shrink, grow, write, future-write, exec, seal, and none", text)
	}
	return s, nil
}

// or returns the set that s means where 0 is the default.
func (s Seals) or(def Seals) Seals {
	if s == 0 {
		return def
	}
	return s &^ NoSeals
}
