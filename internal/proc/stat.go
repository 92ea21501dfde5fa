package proc

import "bytes"

// Stat is what /proc/PID/stat tells, as far as it is needed here.
type Stat struct {
	State       byte
	MinorFaults uint64 // so far, answered without reading from a device
	MajorFaults uint64
	Start       uint64 // clock ticks since boot: with the PID, what no other process has
}

// Stat reads stat.
func (p Process) Stat() (Stat, error) {
	text, err := p.b.file(p.dir, statName)
	if err != nil {
		return Stat{}, err
	}
	return ParseStat(text)
}

// ParseStat parses what stands in stat. The name of the command may hold anything, so that the fields
// behind it are those behind the last parenthesis.
func ParseStat(text []byte) (s Stat, err error) {
	const state, minor, major, start = 3, 10, 12, 22 // by the numbers of proc_pid_stat(5)
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return s, unexpected("stat", text)
	}
	n := state
	for field := range bytes.FieldsSeq(text[end+1:]) {
		ok := true
		switch n {
		case state:
			s.State = field[0]
		case minor:
			s.MinorFaults, ok = number(field)
		case major:
			s.MajorFaults, ok = number(field)
		case start:
			s.Start, ok = number(field)
			if ok {
				return s, nil
			}
		}
		if !ok {
			break
		}
		n++
	}
	return Stat{}, unexpected("stat", text)
}
