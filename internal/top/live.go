package top

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
)

// Live is the machine as a Source.
type Live struct {
	Options inspect.Options // but for Deep
	// Tell is what Look shows.
	Tell func(ctx context.Context, address string) ([]string, error)

	mu    sync.Mutex
	users kind.Names // protected by mu
}

// Look implements Source.
func (l *Live) Look(ctx context.Context, i Item) ([]string, error) { return l.Tell(ctx, i.Address) }

// Sample implements Source.
func (l *Live) Sample(ctx context.Context) (*Sample, error) {
	began := time.Now()
	snapshot, err := inspect.Take(ctx, &l.Options)
	if err != nil {
		return nil, err
	}
	s := &Sample{At: time.Now(), Hidden: snapshot.Hidden(), Processes: map[int]Process{}}
	for o, err := range snapshot.Objects() {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			s.Problems = append(s.Problems, err.Error())
		}
		if o.Address != "" {
			s.Items = append(s.Items, l.item(&o))
		}
	}
	for _, i := range s.Items {
		for _, pid := range i.Users {
			if _, has := s.Processes[pid]; has {
				continue
			}
			if p, ok := faults(l.Options.Proc, pid); ok {
				s.Processes[pid] = p
			}
		}
	}
	s.Took = time.Since(began)
	return s, nil
}

func (l *Live) item(o *inspect.Object) Item {
	i := Item{
		ID: identity(o), Address: o.Address, Kind: o.Kind, Owner: l.name(o.UID), Size: o.Size,
		Resident: amount(o.Resident), Dirty: amount(o.Dirty), Marks: marks(o),
	}
	for _, u := range o.Users {
		if u.Self {
			continue
		}
		i.Users = append(i.Users, u.PID)
		if i.Command == "" {
			i.Command = u.Command
		}
	}
	if q := o.MessageQueue; q != nil {
		i.Depth = Of(q.Messages)
	}
	if s := o.Shared; s != nil {
		i.Holders, i.Waiters = Of(len(s.Holders)), Of(s.Waiters)
		switch {
		case s.Queue != nil:
			i.Sent, i.Depth = Of(s.Queue.Pushed), Of(s.Depth)
		case s.Topic != nil && s.Topic.MessagesErr == nil:
			var sent uint64
			for _, lane := range s.Topic.Lanes {
				sent += lane.Sent
			}
			i.Sent, i.Depth = Of(sent), Of(s.Depth)
		}
	}
	return i
}

// identity: memory is known by its inode, what has none by its address.
func identity(o *inspect.Object) Identity {
	id := Identity{Kind: o.Kind}
	if o.ID == (inspect.ID{}) {
		id.Address = o.Address
	} else {
		id.Class, id.Device, id.Inode = o.ID.Class.String(), uint64(o.ID.Major)<<32|uint64(o.ID.Minor), o.ID.Inode
		id.Namespace = o.ID.Namespace
	}
	if !o.Created.IsZero() {
		id.Created = o.Created.UnixNano()
	}
	return id
}

func amount(a inspect.Amount) Amount { return Amount{a.Bytes, a.Unknown == ""} }

func marks(o *inspect.Object) (m []string) {
	add := func(is bool, mark string) {
		if is {
			m = append(m, mark)
		}
	}
	add(o.Removed, "removed")
	add(o.Use == inspect.Unused, "unused")
	add(o.Segment != nil && o.Segment.Locked, "locked")
	add(o.Shared != nil && slices.Contains([]string{"owner dead", "inconsistent", "not recoverable", "corrupt"}, o.Shared.State), "broken")
	add(o.Err != nil, "unread")
	return m
}

func (l *Live) name(uid uint32) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.users.User("", "", uid)[0].Value.Short()
}

// faults reads what a process has had.
func faults(root string, pid int) (p Process, ok bool) {
	if root == "" {
		root = "/proc"
	}
	text, err := os.ReadFile(filepath.Join(root, strconv.Itoa(pid), "stat"))
	if err != nil {
		return p, false
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // the command may hold anything
	if len(fields) < 20 {
		return p, false
	}
	for at, n := range map[int]*uint64{7: &p.Minor, 9: &p.Major, 19: &p.Start} {
		if *n, err = strconv.ParseUint(fields[at], 10, 64); err != nil {
			return p, false
		}
	}
	return p, true
}
