package sys

import "bytes"

// MapsLine is a line of /proc/PID/maps as numbers. Path is a part of the line.
type MapsLine struct {
	Start, End   uint64
	Offset       uint64 // in what is mapped, bytes
	Inode        uint64 // 0: nothing is mapped there but anonymous memory
	Major, Minor uint32 // of the device
	Perms        [4]byte
	Path         []byte // as it stands there: a newline is \012
}

// ParseMapsLine parses a line of /proc/PID/maps without its newline. It allocates nothing: there may be
// millions of them.
func ParseMapsLine(line []byte) (l MapsLine, ok bool) {
	c := cursor{rest: line}
	l.Start = c.hex('-')
	l.End = c.hex(' ')
	if len(c.rest) < len(l.Perms) {
		return l, false
	}
	copy(l.Perms[:], c.rest)
	c.rest = c.rest[len(l.Perms):]
	c.spaces()
	l.Offset = c.hex(' ')
	c.spaces()
	major, minor := c.hex(':'), c.hex(' ')
	c.spaces()
	l.Inode = c.decimal()
	l.Path = bytes.TrimLeft(c.rest, " ")
	l.Major, l.Minor = uint32(major), uint32(minor)
	if major > 1<<32-1 || minor > 1<<32-1 || l.End < l.Start {
		c.bad = true
	}
	return l, !c.bad && knownPerms(l.Perms)
}

// knownPerms reports whether the four letters are those that there are.
func knownPerms(p [4]byte) bool {
	return (p[0] == 'r' || p[0] == '-') && (p[1] == 'w' || p[1] == '-') && (p[2] == 'x' || p[2] == '-') && (p[3] == 's' || p[3] == 'p')
}

// A cursor reads numbers from the front of a line. It says once, at the end, whether one was not as
// expected.
type cursor struct {
	rest []byte
	bad  bool
}

// hex reads a hexadecimal number of at most 64 bits and the byte behind it.
func (c *cursor) hex(end byte) (n uint64) {
	for i, b := range c.rest {
		var digit byte
		switch {
		case '0' <= b && b <= '9':
			digit = b - '0'
		case 'a' <= b && b <= 'f':
			digit = b - 'a' + 10
		default:
			c.bad = c.bad || b != end || i == 0
			c.rest = c.rest[i+1:]
			return n
		}
		if n >= 1<<60 {
			break
		}
		n = n<<4 | uint64(digit)
	}
	c.bad, c.rest = true, nil
	return 0
}

// decimal reads a decimal number of at most 64 bits, up to a space or the end.
func (c *cursor) decimal() (n uint64) {
	for i, b := range c.rest {
		switch {
		case b == ' ':
			c.bad = c.bad || i == 0
			c.rest = c.rest[i:]
			return n
		case b < '0' || b > '9' || n > (1<<64-1-uint64(b-'0'))/10:
			c.bad, c.rest = true, nil
			return 0
		}
		n = n*10 + uint64(b-'0')
	}
	c.bad = c.bad || len(c.rest) == 0
	c.rest = nil
	return n
}

func (c *cursor) spaces() { c.rest = bytes.TrimLeft(c.rest, " ") }
