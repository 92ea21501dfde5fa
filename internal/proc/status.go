package proc

import "bytes"

// Status is what /proc/PID/status tells, as far as it is needed here.
type Status struct {
	State   byte   // 'R', 'S', 'Z' …; 0: not told
	UID     uint32 // effective
	Threads int
	Kernel  bool   // a thread of the kernel; told since Linux 6.8
	Locked  uint64 // bytes; VmLck
	// HasMemory: it tells of memory. Kernel threads and zombies have none.
	HasMemory bool
	// PIDs are the numbers of the process in this PID namespace and in those below, down to its own.
	PIDs []int
}

// Status reads status.
func (p Process) Status() (Status, error) {
	text, err := p.b.file(p.dir, statusName)
	if err != nil {
		return Status{}, err
	}
	return ParseStatus(text)
}

// ParseStatus parses what stands in status. Lines that it does not know are passed over; there must be
// a line with the user.
func ParseStatus(text []byte) (s Status, err error) {
	found := false
	for line := range bytes.Lines(text) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		rest = bytes.TrimSpace(rest)
		ok := true
		switch string(name) {
		case "State":
			if len(rest) > 0 {
				s.State = rest[0]
			}
		case "Uid":
			ids := bytes.Fields(rest)
			if ok = len(ids) >= 2; ok {
				var n uint64
				n, ok = number(ids[1])
				ok = ok && n < 1<<32
				s.UID, found = uint32(n), true
			}
		case "Threads":
			var n uint64
			n, ok = number(rest)
			ok = ok && n < 1<<31
			s.Threads = int(n)
		case "Kthread":
			s.Kernel = string(rest) == "1"
		case "VmSize":
			s.HasMemory = true
		case "VmLck":
			s.Locked, ok = kilobytes(rest)
		case "NSpid":
			for _, f := range bytes.Fields(rest) {
				n, good := number(f)
				if !good || n >= 1<<31 {
					ok = false
					break
				}
				s.PIDs = append(s.PIDs, int(n))
			}
		}
		if !ok {
			return Status{}, unexpected("line in status", line)
		}
	}
	if !found {
		return Status{}, unexpected("status", text)
	}
	return s, nil
}
