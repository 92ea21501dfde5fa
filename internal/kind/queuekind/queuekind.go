// Package queuekind has the kind queue: work queues between processes, as package queue makes
// them.
package queuekind

import (
	"errors"
	"io/fs"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/named"
	"github.com/shmkit/shmkit/queue"
)

// Queues is the kind queue.
type Queues struct{ named.Kind }

// New returns the kind.
func New() Queues {
	return Queues{named.Kind{Word: "queue", Heading: "work queues", NamesOf: queue.Names, RemoveOne: queue.Remove}}
}

// What queues can do.
var (
	_ kind.Creator    = Queues{}
	_ kind.Inspected  = Queues{}
	_ kind.Stater     = Queues{}
	_ kind.Disposable = Queues{}
	_ kind.Completer  = Queues{}
	_ kind.WorkQueues = Queues{}
)

// CreateOptions implements kind.Creator.
func (k Queues) CreateOptions() []kind.Option {
	return append(k.settings(), kind.Option{Name: "exclusive", Type: kind.SwitchOption, Usage: "fail if it exists"})
}

// WorkQueueOptions implements kind.WorkQueues.
func (k Queues) WorkQueueOptions() []kind.Option {
	return append(k.settings(),
		kind.Option{Name: "persistent", Type: kind.SwitchOption, Usage: "keep the queue when it is empty and nobody has it open"})
}

// settings are what a queue is made with.
func (Queues) settings() []kind.Option {
	return []kind.Option{
		{Name: "capacity", Type: kind.NumberOption, Placeholder: "N", Usage: "items there can be, waiting and held (1024 if not given)"},
		{Name: "max-item", Type: kind.SizeOption, Placeholder: "BYTES", Usage: "largest item (4096 if not given)"},
		{Name: "deliveries", Type: kind.NumberOption, Placeholder: "N", Usage: "how often an item is delivered at most; 0: no limit"},
		{Name: "dead-letters", Type: kind.NumberOption, Placeholder: "N", Usage: "dead letters that are kept (64 if there is a limit of deliveries)"},
		{Name: "members", Type: kind.NumberOption, Placeholder: "N", Usage: "how many processes can have it open at once", Default: int64(queue.DefaultMembers)},
		{Name: "mode", Type: kind.ModeOption, Placeholder: "MODE", Usage: "permissions, octal", Default: fs.FileMode(0o600)},
	}
}

// optionsOf makes the options of package queue of those of a command.
func optionsOf(o kind.Options) (*queue.Options, error) {
	q := &queue.Options{Mode: o.Mode("mode"), Persistent: o.On("persistent")}
	for _, n := range []struct {
		name     string
		least    int64
		most     int64
		to       *int
		ifIsZero int
	}{
		{"capacity", 1, queue.MaxCapacity, &q.Capacity, 0},
		{"max-item", 1, queue.MaxItem, &q.MaxItem, 0},
		{"deliveries", 0, 1<<31 - 1, &q.Deliveries, 0},
		{"dead-letters", 0, queue.MaxCapacity, &q.DeadLetters, -1},
		{"members", 1, 1024, &q.Members, 0},
	} {
		v, given := kind.Given[int64](o, n.name)
		switch {
		case !given:
			continue
		case v < n.least || v > n.most:
			return nil, kind.Usage("--%s %d is not between %d and %d", n.name, v, n.least, n.most)
		}
		if *n.to = int(v); v == 0 {
			*n.to = n.ifIsZero
		}
	}
	return q, nil
}

// fits returns what of the settings that were given a queue has otherwise.
func fits(a address.Address, o kind.Options, s queue.Stat) error {
	for _, n := range []struct {
		name string
		has  int
	}{{"capacity", s.Capacity}, {"max-item", s.MaxItem}, {"deliveries", s.Deliveries}, {"dead-letters", s.DeadLetters}} {
		if v, given := kind.Given[int64](o, n.name); given && v != int64(n.has) {
			return &kind.Error{Text: kind.Usage("%s exists, with --%s %d", a, n.name, n.has).Error(), Err: fs.ErrExist}
		}
	}
	return nil
}

// Create implements kind.Creator. What the command makes stays until it is removed: the
// command itself does not keep it.
func (k Queues) Create(a address.Address, o kind.Options) (kind.Object, bool, error) {
	options, err := optionsOf(o)
	if err != nil {
		return kind.Object{}, false, err
	}
	options.Persistent, options.Exclusive = true, true
	for {
		q, err := queue.OpenBytes(named.Of(a), options)
		if err == nil {
			if err := q.Close(); err != nil {
				return kind.Object{}, true, err
			}
			made, err := k.Stat(a)
			return made, true, err
		}
		if !errors.Is(err, fs.ErrExist) || o.On("exclusive") {
			return kind.Object{}, false, err
		}
		i, err := queue.Look(named.Of(a), "")
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is gone
		}
		if err == nil {
			err = fits(a, o, i.Stat)
		}
		if err != nil {
			return kind.Object{}, false, err
		}
		return k.describe(a, i, nil, &kind.Names{}), false, nil
	}
}

// OpenWorkQueue implements kind.WorkQueues.
func (Queues) OpenWorkQueue(a address.Address, o kind.Options, existing bool) (*queue.Bytes, error) {
	options, err := optionsOf(o)
	if err != nil {
		return nil, err
	}
	options.Existing = existing
	q, err := queue.OpenBytes(named.Of(a), options)
	if err != nil {
		return nil, named.Missing(a, err)
	}
	s, err := q.Stat()
	if err == nil {
		err = fits(a, o, s)
	}
	if err != nil {
		return nil, errors.Join(err, q.Close())
	}
	return q, nil
}
