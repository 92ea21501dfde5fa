package posixshm

// SetPoint makes f be called between any two steps of making an object. Not while
// others make one.
func SetPoint(f func(name string)) { point = f }

// TemporaryDir is where the temporary names of this user are.
func TemporaryDir(d Dir) string { return temporaryDir(string(d)) }
