package live

import "github.com/shmkit/shmkit/internal/sys"

// count runs f, which touches memory once, and counts the faults of this thread in it.
func (p *player) count(f func()) error {
	minor, major, err := sys.ThreadFaults()
	if err != nil {
		return err
	}
	f()
	minor2, major2, err := sys.ThreadFaults()
	p.faults = Faults{minor2 - minor, major2 - major, true}
	return err
}
