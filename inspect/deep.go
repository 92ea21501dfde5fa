package inspect

import (
	"fmt"

	"github.com/shmkit/shmkit/internal/proc"
)

// deepProcess is what smaps of one process tells of what it shares.
type deepProcess struct {
	uses map[ID]deepUse
	why  string // why it is not known
}

// deepUse is how much of a memory is in the page tables of one process.
type deepUse struct{ resident, locked, huge, pageSize uint64 }

// deepOf reads smaps of a process, once.
func (s *Snapshot) deepOf(pid int) deepProcess {
	s.deepMu.Lock()
	defer s.deepMu.Unlock()
	d, known := s.deep[pid]
	if !known {
		d = s.readDeep(pid)
		s.deep[pid] = d
	}
	return d
}

func (s *Snapshot) readDeep(pid int) deepProcess {
	const gone = "the process has ended"
	was := s.process(pid)
	p, err := proc.Open(s.options.proc(), pid, proc.NewBuffer())
	if err != nil || was == nil {
		return deepProcess{why: gone}
	}
	defer p.Close()
	if st, err := p.Stat(); err != nil || st.Start != was.start {
		return deepProcess{why: gone}
	}
	d := deepProcess{uses: map[ID]deepUse{}}
	err = p.Smaps(func(m *proc.Smaps) bool {
		id := idOf(&m.Map, func() uint64 { return was.IPC })
		if id.Class == NoClass {
			return true
		}
		u := d.uses[id]
		u.resident += m.OfObject()
		u.huge += m.Huge() - min(m.AnonHuge, m.Huge())
		if m.HasFlag("lo") {
			u.locked += m.OfObject()
		}
		u.pageSize = max(u.pageSize, m.PageSize)
		d.uses[id] = u
		return true
	})
	switch {
	case proc.Refused(err):
		d.why = "the process does not let this user look at its pages"
	case proc.Gone(err):
		d.why = gone
	case err != nil:
		d.why = err.Error()
	}
	return d
}

// deepen fills in what smaps of the users tells.
func (s *Snapshot) deepen(o *Object) {
	if o.ID.Class == NoClass {
		return
	}
	var most deepUse
	why := ""
	for i := range o.Users {
		u := &o.Users[i]
		if len(u.Ranges) == 0 {
			continue
		}
		d := s.deepOf(u.PID)
		if d.why != "" {
			u.Resident = Amount{Unknown: d.why}
			why = fmt.Sprintf("of process %d: %s", u.PID, d.why)
			continue
		}
		use := d.uses[o.ID]
		u.Resident = Amount{Bytes: use.resident}
		most.locked, most.huge = max(most.locked, use.locked), max(most.huge, use.huge)
		most.pageSize = max(most.pageSize, use.pageSize)
	}
	if o.PageSize == 0 {
		o.PageSize = most.pageSize
	}
	if o.Hidden > 0 && why == "" {
		why = hiddenText(o.Hidden)
	}
	for _, a := range []struct {
		amount *Amount
		most   uint64
	}{{&o.Locked, most.locked}, {&o.Huge, most.huge}} {
		switch {
		case a.amount.Unknown == "": // known without
		case a.most == 0 && why != "":
			a.amount.Unknown = why
		default:
			*a.amount = Amount{Bytes: a.most}
		}
	}
}
