package topic

// SetPoint has f called between the steps.
func SetPoint(f func(name string)) { pointed = f }

// Unpointed has nobody called between the steps, until what it returns is called.
func Unpointed() func() {
	old := pointed
	pointed = nil
	return func() { pointed = old }
}
