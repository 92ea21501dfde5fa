package pshared

// ReleaseSlowly is Release when others have the semaphore at that moment.
func (s *Semaphore) ReleaseSlowly(n int64) error {
	return s.fail("release", s.run(func() error { return s.releaseSlow(n) }))
}
