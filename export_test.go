package shmkit

// The bounds of the quarantine, for tests.
const (
	MaxQuarantined      = maxQuarantined
	MaxQuarantinedBytes = maxQuarantinedBytes
)

// Reservable is reservable, for tests.
func Reservable(limit uint64) int { return reservable(limit) }

// Registered returns how many mappings the registry knows, quarantined ones
// included.
func Registered() int {
	mappings.mu.Lock()
	defer mappings.mu.Unlock()
	return len(mappings.byAddr)
}

// Quarantined returns how many closed mappings still have their addresses
// reserved, and how many bytes of address space that is.
func Quarantined() (n, bytes int) {
	mappings.mu.Lock()
	defer mappings.mu.Unlock()
	return len(mappings.retired), mappings.retiredBytes
}

// Forget makes the registry forget a mapping that a test unmapped behind its back.
func Forget(m *Mapping) { mappings.remove(m) }
