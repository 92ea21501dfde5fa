package model

import (
	"fmt"
	"strings"
	"syscall"
)

// An Outcome is the kernel's answer to one operation, and the reason for it.
type Outcome struct {
	Value  string         // what a successful call returned; empty if only that it succeeded
	Errno  syscall.Errno  // the error of a system call; 0: none
	Signal syscall.Signal // SIGSEGV or SIGBUS, for an access to memory; 0: none
	Why    string         // one or two sentences for people

	// Rule is Why before its details were filled in. Two outcomes with one Rule were
	// decided in one place of this package.
	Rule string
}

// String returns what can be observed, without the reason: the value, "ok", or the
// name of the error or signal.
func (o Outcome) String() string {
	switch {
	case o.Signal == syscall.SIGBUS:
		return "SIGBUS"
	case o.Signal == syscall.SIGSEGV:
		return "SIGSEGV"
	case o.Errno != 0:
		return errnoName(o.Errno)
	case o.Value != "":
		return o.Value
	}
	return "ok"
}

// Failed reports whether the outcome is an error or a signal.
func (o Outcome) Failed() bool { return o.Errno != 0 || o.Signal != 0 }

// with adds the value that the call returned.
func (o Outcome) with(format string, args ...any) Outcome {
	o.Value = fmt.Sprintf(format, args...)
	return o
}

// goOn is what a check answers that has no objection: the call goes on.
var goOn = Outcome{}

// done, refuse and fault make the three kinds of outcome. The sentence is always a
// literal: the tests read the source for all of them, and require each to be reached.

func done(why string, args ...any) Outcome {
	return Outcome{Rule: why, Why: fmt.Sprintf(why, args...)}
}

func refuse(errno syscall.Errno, why string, args ...any) Outcome {
	return Outcome{Errno: errno, Rule: why, Why: fmt.Sprintf(why, args...)}
}

func fault(signal syscall.Signal, why string, args ...any) Outcome {
	return Outcome{Signal: signal, Rule: why, Why: fmt.Sprintf(why, args...)}
}

// errnoNames are the errors that the model can answer.
var errnoNames = map[syscall.Errno]string{
	syscall.EACCES: "EACCES", syscall.EAGAIN: "EAGAIN", syscall.EBADF: "EBADF", syscall.EBUSY: "EBUSY",
	syscall.EEXIST: "EEXIST", syscall.EFAULT: "EFAULT", syscall.EFBIG: "EFBIG", syscall.EINVAL: "EINVAL",
	syscall.ENODEV: "ENODEV", syscall.ENOENT: "ENOENT", syscall.ENOMEM: "ENOMEM", syscall.ENOSPC: "ENOSPC",
	syscall.EOPNOTSUPP: "EOPNOTSUPP", syscall.EOVERFLOW: "EOVERFLOW", syscall.EPERM: "EPERM",
	syscall.EIDRM: "EIDRM", syscall.ESPIPE: "ESPIPE",
}

func errnoName(e syscall.Errno) string {
	if name, ok := errnoNames[e]; ok {
		return name
	}
	return fmt.Sprintf("errno %d", int(e))
}

// Flags is a set of named flags, written with commas: "shared,fixed". The model works
// with names where the kernel has bits.
type Flags string

// Has reports whether the flag is in the set.
func (f Flags) Has(flag string) bool {
	for rest := string(f); rest != ""; {
		var one string
		one, rest, _ = strings.Cut(rest, ",")
		if one == flag {
			return true
		}
	}
	return false
}

// With returns the set with a flag more.
func (f Flags) With(flag string) Flags {
	switch {
	case f.Has(flag):
		return f
	case f == "":
		return Flags(flag)
	}
	return f + "," + Flags(flag)
}

// List returns the flags one by one.
func (f Flags) List() []string {
	if f == "" {
		return nil
	}
	return strings.Split(string(f), ",")
}
