package inspect

import (
	"fmt"
	"iter"
	"slices"
)

// users returns who maps a memory or has a descriptor of it, by PID.
func (s *Snapshot) users(m *memory) []User {
	if m == nil {
		return nil
	}
	maps, fds := m.maps, m.fds
	all := make([]User, 0, m.pids())
	for len(maps) > 0 || len(fds) > 0 {
		pid := int32(0)
		switch {
		case len(maps) == 0 || len(fds) > 0 && fds[0].pid < maps[0].pid:
			pid = fds[0].pid
		default:
			pid = maps[0].pid
		}
		n, k := 0, 0
		for n < len(maps) && maps[n].pid == pid {
			n++
		}
		for k < len(fds) && fds[k].pid == pid {
			k++
		}
		if p := s.process(int(pid)); p != nil { // else it had ended
			all = append(all, s.user(p, maps[:n], fds[:k]))
		}
		maps, fds = maps[n:], fds[k:]
	}
	return all
}

// user puts together what one process has of a memory.
func (s *Snapshot) user(p *process, maps []mapped, fds []descriptor) User {
	u := User{PID: p.PID, Command: p.Command, UID: p.UID, Self: p.PID == s.self, Resident: Amount{Unknown: whyNotDeep}}
	u.OtherNamespace = s.ipc != 0 && p.IPC != 0 && p.IPC != s.ipc
	if len(maps) == 0 {
		u.Resident.Unknown = ""
	}
	if len(maps) > 0 {
		u.Ranges = make([]Range, len(maps))
	}
	for i := range maps {
		r := maps[i].Range
		u.Ranges[i] = r
		u.Mapped += r.Len()
		shared := r.Protection&SharedMapping != 0
		u.Shared = u.Shared || shared
		u.Writable = u.Writable || shared && r.Protection&Write != 0
		u.Executable = u.Executable || r.Protection&Execute != 0
	}
	for _, d := range fds {
		u.Descriptors = append(u.Descriptors, int(d.fd))
	}
	return u
}

// whyNotDeep is why what smaps would tell is not known.
const whyNotDeep = "it is counted only when asked for"

// others counts the users that are not the process that looks.
func others(users []User) (n int) {
	for i := range users {
		if !users[i].Self {
			n++
		}
	}
	return n
}

// judge says whether a memory is used, by who was seen.
func (s *Snapshot) judge(o *Object) {
	n := others(o.Users)
	switch {
	case n == 1:
		o.Use, o.UseWhy = Used, "1 process maps it or has a descriptor of it"
	case n > 1:
		o.Use, o.UseWhy = Used, fmt.Sprintf("%d processes map it or have descriptors of it", n)
	case len(s.processes) == 0:
		o.Use, o.UseWhy = Unknown, "no process is seen: is "+s.options.proc()+" mounted?"
	case s.hidden > 0:
		o.Use, o.UseWhy = Unknown, fmt.Sprintf("of the processes that were seen none uses it, but %s", hiddenText(s.hidden))
	case s.outside != "":
		o.Use, o.UseWhy = Unknown, "of the processes that were seen none uses it, but "+s.outside
	default:
		o.Use, o.UseWhy = Unused, fmt.Sprintf("none of the %d processes maps it or has a descriptor of it", len(s.processes))
	}
}

func hiddenText(n int) string {
	if n == 1 {
		return "1 process did not let this user look"
	}
	return fmt.Sprintf("%d processes did not let this user look", n)
}

// lowest returns the descriptor that a memory is called by: of the lowest process, the lowest number.
func (s *Snapshot) lowest(m *memory) (d descriptor, ok bool) {
	i := slices.IndexFunc(m.fds, func(d descriptor) bool { return s.process(int(d.pid)) != nil })
	if i < 0 {
		return d, false
	}
	return m.fds[i], true
}

// firstMap returns the mapping that a memory is called by: of the lowest process, the lowest address.
func (s *Snapshot) firstMap(m *memory) (at mapped, ok bool) {
	i := slices.IndexFunc(m.maps, func(at mapped) bool { return s.process(int(at.pid)) != nil })
	if i < 0 {
		return at, false
	}
	return m.maps[i], true
}

// nameless returns the address of what has no name: by a descriptor, or else by where it is mapped. ok is false if
// nobody has it any more.
func (s *Snapshot) nameless(m *memory) (address string, ok bool) {
	if d, ok := s.lowest(m); ok {
		if m.id.Class == MemfdClass {
			return fmt.Sprintf("memfd:%d/%d", d.pid, d.fd), true
		}
		return fmt.Sprintf("file:%s/%d/fd/%d", s.options.proc(), d.pid, d.fd), true
	}
	if at, ok := s.firstMap(m); ok {
		return fmt.Sprintf("map:%d/%x", at.pid, at.Start), true
	}
	return "", false
}

// ways ranges over paths that lead to a memory without a name: through descriptors, and, for those whom the kernel lets,
// through mappings. Only a few of them: any is as good as another, but for processes that end.
func (s *Snapshot) ways(m *memory) iter.Seq[string] {
	const most = 4
	return func(yield func(string) bool) {
		for _, d := range m.fds[:min(most, len(m.fds))] {
			if !yield(fmt.Sprintf("%s/%d/fd/%d", s.options.proc(), d.pid, d.fd)) {
				return
			}
		}
		for i := range m.maps[:min(most, len(m.maps))] {
			at := &m.maps[i]
			if !yield(fmt.Sprintf("%s/%d/map_files/%x-%x", s.options.proc(), at.pid, at.Start, at.End)) {
				return
			}
		}
	}
}
