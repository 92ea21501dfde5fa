package sys

import (
	"time"

	"golang.org/x/sys/unix"
)

// A Usage is what a thread has used so far; part of struct rusage.
type Usage struct {
	User, System time.Duration // on a CPU
	// Faults: page faults that needed no device, and those that did.
	MinorFaults, MajorFaults int64
	// Switches: how often it gave the CPU away because it had to wait, and how often the
	// kernel took it away.
	Voluntary, Involuntary int64
}

// ThreadUsage is getrusage(RUSAGE_THREAD). The goroutine has to be locked to its thread.
func ThreadUsage() (Usage, error) {
	var u unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return Usage{
		User: time.Duration(u.Utime.Nano()), System: time.Duration(u.Stime.Nano()),
		MinorFaults: u.Minflt, MajorFaults: u.Majflt, Voluntary: u.Nvcsw, Involuntary: u.Nivcsw,
	}, err
}

// Sub returns what was used since before.
func (u Usage) Sub(before Usage) Usage {
	return Usage{
		u.User - before.User, u.System - before.System, u.MinorFaults - before.MinorFaults,
		u.MajorFaults - before.MajorFaults, u.Voluntary - before.Voluntary, u.Involuntary - before.Involuntary,
	}
}

// Add returns both together.
func (u Usage) Add(other Usage) Usage { return u.Sub(Usage{}.Sub(other)) }
