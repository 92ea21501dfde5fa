package top

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/proc"
)

// Live is the machine as a Source.
type Live struct {
	Options inspect.Options // but for Deep
	// Tell is what Look shows of an object. s is what was sampled last.
	Tell func(ctx context.Context, s *inspect.Snapshot, address string) ([]string, error)

	mu    sync.Mutex
	users kind.Names        // protected by mu, as the next one
	last  *inspect.Snapshot // nil: none yet
}

// Look implements Source.
func (l *Live) Look(ctx context.Context, i Item) ([]string, error) {
	l.mu.Lock()
	s := l.last
	l.mu.Unlock()
	return l.Tell(ctx, s, i.Address)
}

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
	l.count(s)
	s.Took = time.Since(began)
	l.mu.Lock()
	l.last = snapshot
	l.mu.Unlock()
	return s, nil
}

// count counts page faults of the processes that use an item. One that has ended is left out.
func (l *Live) count(s *Sample) {
	b := proc.NewBuffer()
	asked := map[int]bool{}
	for _, i := range s.Items {
		for _, pid := range i.Users {
			if asked[pid] {
				continue
			}
			asked[pid] = true
			p, err := proc.Open(l.Options.Proc, pid, b)
			if err != nil {
				continue
			}
			if stat, err := p.Stat(); err == nil {
				s.Processes[pid] = Process{stat.Start, stat.MinorFaults, stat.MajorFaults}
			}
			p.Close()
		}
	}
}

func (l *Live) item(o *inspect.Object) Item {
	i := Item{
		ID: identity(o), Address: o.Address, Kind: o.Kind, Owner: l.name(o.UID), Size: o.Size,
		Resident: amount(o.Resident), Dirty: amount(o.Dirty), Marks: marks(o), OnlyRead: o.OnlyRead(),
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
	nameless := o.Kind == inspect.KindMemfd || o.Kind == inspect.KindMap // which never had a name to remove
	add(o.Removed && !nameless, "removed")
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
