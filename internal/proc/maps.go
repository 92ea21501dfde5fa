package proc

import (
	"bytes"
	"strings"

	"github.com/shmkit/shmkit/internal/sys"
)

// A Map is a line of maps. Its Path lies in the buffer.
type Map = sys.MapsLine

// Maps calls f with every mapping of the process, by address, until that returns false. Lines that cannot be
// understood are passed over.
func (p Process) Maps(f func(m *Map) bool) error {
	return p.b.lines(p.dir, mapsName, mapsParser(f))
}

func mapsParser(f func(m *Map) bool) func(line []byte) bool {
	var m Map
	return func(line []byte) bool {
		var ok bool
		m, ok = sys.ParseMapsLine(line)
		return !ok || f(&m)
	}
}

// Path returns the path of a mapping without what the kernel does to it: a newline is written \012, and
// " (deleted)" stands behind what has no name any more, or is called so.
func Path(path []byte) (name string, deleted bool) {
	path, deleted = bytes.CutSuffix(path, []byte(" (deleted)"))
	return strings.ReplaceAll(string(path), `\012`, "\n"), deleted
}
