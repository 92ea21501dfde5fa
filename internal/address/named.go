package address

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Name is the name of a POSIX shared memory object without the slash in front: what
// shm_open(3) takes, 1 to 255 bytes without slash and zero byte, neither "." nor "..".
type Name string

// Path is the path of a file, as it was written: not empty, without zero byte.
type Path string

// Descriptor is a descriptor of a process.
type Descriptor struct {
	PID int // 0: the process that asks
	FD  int
}

// self stands for the process that asks.
const self = "self"

func (n Name) String() string { return "/" + string(n) }
func (p Path) String() string { return string(p) }

func (d Descriptor) String() string {
	return process(d.PID) + "/" + strconv.Itoa(d.FD)
}

// process is a process as addresses have it.
func process(pid int) string {
	if pid == 0 {
		return self
	}
	return strconv.Itoa(pid)
}

func (Name) target()       {}
func (Path) target()       {}
func (Descriptor) target() {}

// nameMax is how long the name of a file may be on Linux, in bytes.
const nameMax = 255

// parseName takes a name with or without the slash in front, and more than one of
// them, as glibc does.
func parseName(rest string) (Target, error) {
	name := strings.TrimLeft(rest, "/")
	switch {
	case rest == "":
		return nil, errors.New("nothing behind the colon: give a name such as /frames")
	case name == "":
		return nil, errors.New("a name has at least one character besides the slash in front")
	case name == "." || name == "..":
		return nil, fmt.Errorf("%q is the name of a directory", name)
	case strings.Contains(name, "/"):
		return nil, errors.New("a name has a slash only in front; for other directories say file:PATH")
	case strings.ContainsRune(name, 0):
		return nil, errors.New("no name has a zero byte")
	case len(name) > nameMax:
		return nil, fmt.Errorf("a name has at most %d bytes, not %d", nameMax, len(name))
	}
	return Name(name), nil
}

func parsePath(rest string) (Target, error) {
	switch {
	case rest == "":
		return nil, errors.New("nothing behind the colon: give the path of a file")
	case strings.ContainsRune(rest, 0):
		return nil, errors.New("no path has a zero byte")
	}
	return Path(rest), nil
}

func parseDescriptor(rest string) (Target, error) {
	pid, fdText, err := parseProcess(rest, "PID/FD, such as 812/5, or self/FD")
	if err != nil {
		return nil, err
	}
	fd, err := parseSmall(fdText, "descriptor")
	if err != nil {
		return nil, err
	}
	return Descriptor{pid, fd}, nil
}

// parseProcess takes a process and a slash from the front; form is for messages.
func parseProcess(text, form string) (pid int, rest string, err error) {
	if text == "" {
		return 0, "", errors.New("nothing behind the colon: give " + form)
	}
	word, rest, found := strings.Cut(text, "/")
	switch {
	case !found:
		return 0, "", fmt.Errorf("%q is not %s", text, form)
	case word == self:
		return 0, rest, nil
	}
	pid, err = parseSmall(word, "process")
	if err == nil && pid == 0 {
		err = errors.New("no process has the number 0")
	}
	return pid, rest, err
}

// parseSmall parses a decimal number of 31 bits.
func parseSmall(text, what string) (int, error) {
	if !digits(text, "0123456789") {
		return 0, fmt.Errorf("%s %q is no decimal number", what, text)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > math.MaxInt32 {
		return 0, fmt.Errorf("%s %s is above %d", what, text, math.MaxInt32)
	}
	return int(n), nil
}

// ParseOrPath is Parse, but text that names no kind, as no path of a file does that
// begins with a slash or a dot, is the address of the file with that path.
func ParseOrPath(text string) (Address, error) {
	kind, _, found := strings.Cut(text, ":")
	if text == "" || found && !strings.ContainsAny(kind, "/.") {
		return Parse(text)
	}
	target, err := parsePath(text)
	if err != nil {
		return Address{}, &Error{text, err.Error()}
	}
	return Address{fileKind, target}, nil
}
