package inspect

// A Process is one that was there when a snapshot was taken.
type Process struct {
	PID     int
	Command string // as in /proc/PID/comm: at most 15 bytes, of any value
	UID     uint32 // effective
	Hidden  bool   // it did not let this user look at what it maps or has open
	// IPC is the inode number of its IPC namespace; 0: not known. Only of processes that use something.
	IPC uint64
}
