package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/shmkit/shmkit/internal/object"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/topic"
)

// objects lists the objects of shmkit in a directory, and what else is there as files.
func (l *lister) objects(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if !unreadable(err) {
			l.all = append(l.all, candidate{kind: KindFile, err: err})
		}
		return
	}
	seconds := sync.OnceValue(func() map[string]bool { return secondFiles(dir, entries) })
	for _, e := range entries {
		if e.IsDir() {
			l.walk(filepath.Join(dir, e.Name()), KindFile)
		}
		if !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		kind, name, ok := object.ParseFileName(e.Name())
		switch {
		case ok:
			l.part(path)
			l.all = append(l.all, candidate{kind: kind.String(), key: name, tell: func() (Object, error) { return l.s.own(dir, path, kind.String(), name) }})
		case strings.HasPrefix(e.Name(), "messages.") && seconds()[path]:
			l.part(path)
		default:
			l.file(path, KindFile)
		}
	}
}

// part notes that a file is a part of an object.
func (l *lister) part(path string) {
	if st, err := stat(path, false); err == nil {
		l.owned[fileID(&st)] = true
	}
}

// secondFiles are those that belong to the topics of a directory.
func secondFiles(dir string, entries []os.DirEntry) map[string]bool {
	all := map[string]bool{}
	d := object.ChooseDir(dir)
	for _, e := range entries {
		if kind, name, ok := object.ParseFileName(e.Name()); ok && kind == object.Topic {
			if i, err := object.Look(d, kind, name, nil); err == nil && i.AnnexPath != "" {
				all[i.AnnexPath] = true
			}
		}
	}
	return all
}

// own tells of an object of shmkit.
func (s *Snapshot) own(dir, path, kind, name string) (Object, error) {
	o := Object{Kind: kind, Name: name, Path: path, Address: kind + ":" + name, Hidden: s.hidden}
	if dir != object.ChooseDir(s.options.Dir).Path() { // by its name others are meant
		o.Address = "file:" + path
	}
	st, err := stat(path, false)
	if err != nil {
		if err == errNotRegular {
			err = fs.ErrNotExist
		}
		return Object{}, err
	}
	o.ID = fileID(&st)
	o.Locked, o.Huge = Amount{Unknown: whyNotDeep}, Amount{Unknown: whyNotDeep}
	s.facts(&o, path, false, &st)
	o.Users = s.users(s.memories[o.ID])
	switch id := o.ID; {
	case s.leased[id]:
		o.Err = errors.New("a process has a lease on it, which opening it would break")
	case s.inMemory(id) && o.Allocated.Bytes < o.Size:
		o.Err = errors.New("it has holes, which looking at it would fill: no object of shmkit has any")
	default:
		o.Shared = &Shared{}
		o.Err = o.Shared.look(dir, kind, name)
	}
	if errors.Is(o.Err, fs.ErrNotExist) {
		return Object{}, o.Err
	}
	if o.Shared != nil {
		o.Created = o.Shared.created()
		s.second(&o)
	}
	s.judgeMembers(&o)
	return o, nil
}

// look asks the package of the object.
func (h *Shared) look(dir, kind, name string) error {
	switch kind {
	case KindQueue:
		i, err := queue.Look(name, dir)
		h.Queue = &i
		h.Type, h.Persistent, h.Slots, h.Depth = i.Type, i.Persistent, i.Slots, uint64(i.Ready)
		for n, m := range i.Members {
			h.Members = append(h.Members, m.MemberInfo)
			if m.Held > 0 {
				h.Holders = append(h.Holders, Holder{Member: n, Mode: "items", Count: m.Held})
			}
		}
		h.count()
		return err
	case KindTopic:
		i, err := topic.Look(name, dir)
		h.Topic = &i
		h.Type, h.Persistent, h.Slots, h.Members = i.Type, i.Persistent, i.Slots, i.Members
		for _, seat := range i.Seats {
			if seat.Alive {
				h.Depth = max(h.Depth, seat.Behind)
			}
			if at := h.memberAt(seat.Member); at >= 0 && seat.Held > 0 {
				h.Holders = append(h.Holders, Holder{Member: at, Mode: "messages", Count: seat.Held})
			}
		}
		h.count()
		return err
	}
	i, err := pshared.Look(kind, name, dir)
	h.Lock = &i
	h.Type, h.Persistent, h.Slots, h.Members = i.Type, i.Persistent, i.Slots, i.Members
	for _, w := range i.Words {
		if kind != "struct" {
			h.State = w.State
		}
		for _, held := range w.Holders {
			h.Holders = append(h.Holders, Holder{Member: held.Member, Word: w.Path, Mode: held.Mode, Count: held.Count})
		}
	}
	h.count()
	return err
}

// count counts the living and those who wait.
func (h *Shared) count() {
	for _, m := range h.Members {
		if m.Alive {
			h.Alive++
			h.Waiters += m.Waiting
		}
	}
}

// memberAt returns the index of the member that has a slot, -1 if there is none.
func (h *Shared) memberAt(slot int) int {
	for n, m := range h.Members {
		if m.Slot == slot && slot >= 0 {
			return n
		}
	}
	return -1
}

// second adds the file that the messages of a topic are in.
func (s *Snapshot) second(o *Object) {
	t := o.Shared.Topic
	if t == nil || t.MessagesPath == "" {
		return
	}
	st, err := stat(t.MessagesPath, false)
	if err != nil {
		return
	}
	var more Object
	more.ID = fileID(&st)
	s.facts(&more, t.MessagesPath, false, &st)
	o.Size += more.Size
	for _, a := range []struct {
		sum *Amount
		add Amount
	}{{&o.Allocated, more.Allocated}, {&o.Resident, more.Resident}, {&o.Dirty, more.Dirty}, {&o.Swapped, more.Swapped}} {
		if a.add.Unknown != "" && a.sum.Unknown == "" {
			a.sum.Unknown = "of the file of messages: " + a.add.Unknown
		}
		a.sum.Bytes += a.add.Bytes
	}
	for _, u := range s.users(s.memories[more.ID]) {
		for i := range o.Users {
			if o.Users[i].PID == u.PID {
				o.Users[i].Mapped += u.Mapped
			}
		}
	}
}

// judgeMembers says whether an object is used: the lifelines of its members tell, whoever can see the processes.
func (s *Snapshot) judgeMembers(o *Object) {
	h := o.Shared
	if o.Err != nil || h == nil {
		s.judge(o)
		if o.Use == Unused {
			o.Use, o.UseWhy = Unknown, fmt.Sprintf("nobody was seen to use it, but its members are not known: %v", o.Err)
		}
		return
	}
	alive := 0
	for _, m := range h.Members {
		if m.Alive && (m.PID != s.self || m.PIDNS != s.pidns) {
			alive++
		}
	}
	seen := others(o.Users)
	switch {
	case alive == 1:
		o.Use, o.UseWhy = Used, "the lifeline of 1 member is held"
	case alive > 1:
		o.Use, o.UseWhy = Used, fmt.Sprintf("the lifelines of %d members are held", alive)
	case seen > 0:
		o.Use, o.UseWhy = Used, fmt.Sprintf("no lifeline of a member is held, but %d processes have it open", seen)
	default:
		o.Use, o.UseWhy = Unused, "no lifeline of a member is held"
	}
}

// created returns when the object was made.
func (h *Shared) created() time.Time {
	switch {
	case h.Queue != nil:
		return h.Queue.Created
	case h.Topic != nil:
		return h.Topic.Created
	case h.Lock != nil:
		return h.Lock.Created
	}
	return time.Time{}
}
