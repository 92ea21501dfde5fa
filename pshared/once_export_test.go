package pshared

// SetWords stores any state of the mutex, and any done.
func (o *Once) SetWords(state, done uint32) {
	o.word.running.state.Store(state)
	o.word.running.hurry.Store(0)
	o.word.done.Store(done)
}

// Path returns the file of the object.
func (o *Once) Path() string { return o.o.Path() }

// Me returns the owner that this handle writes.
func (o *Once) Me() uint32 { return o.me }
