package sysvkind

import (
	"errors"
	"io/fs"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

// Queues is the kind msg: message queues.
type Queues struct{}

// What message queues can do.
var (
	_ kind.Creator   = Queues{}
	_ kind.Inspected = Queues{}
	_ kind.Stater    = Queues{}
	_ kind.Setter    = Queues{}
	_ kind.Remover   = Queues{}
	_ kind.Limiter   = Queues{}
	_ kind.Queue     = Queues{}
)

// Name implements kind.Kind; the methods below implement the capabilities.
func (Queues) Name() string { return "msg" }

// Title implements kind.Kind.
func (Queues) Title() string { return "message queues" }

// OpenQueue implements kind.Queue.
func (Queues) OpenQueue(a address.Address) (*sysv.MessageQueue, error) {
	return open(a, sysv.OpenQueue, sysv.OpenQueueID)
}

// CreateOptions implements kind.Creator.
func (Queues) CreateOptions() []kind.Option { return createOptions }

// Create implements kind.Creator.
func (Queues) Create(a address.Address, o kind.Options) (kind.Object, bool, error) {
	q, created, err := create(a, o, func(key sysv.Key, g sysv.GetOptions) (*sysv.MessageQueue, error) {
		return sysv.GetQueue(key, &g)
	})
	if err != nil {
		return kind.Object{}, false, err
	}
	info, err := statQueue(q)
	if err != nil {
		return kind.Object{}, false, err
	}
	return newDescriber().queue(info), created, nil
}

// statQueue is Stat, also without read permission.
func statQueue(q *sysv.MessageQueue) (sysv.MessageQueueInfo, error) {
	info, err := q.Stat()
	if !errors.Is(err, fs.ErrPermission) {
		return info, err
	}
	return fromList(q.ID(), err, sysv.MessageQueues, func(i sysv.MessageQueueInfo) int { return i.ID })
}

func (d *describer) queue(i sysv.MessageQueueInfo) kind.Object {
	o := d.object("msg", i.Permission,
		kind.Field{Name: "messages", Value: kind.Count(i.Messages)},
		kind.Field{Name: "bytes", Value: kind.Bytes(i.Bytes)},
		kind.Field{Name: "capacity", Value: kind.Bytes(i.Capacity)},
	)
	o.Fields = append(o.Fields,
		kind.Field{Name: "last_send_pid", Value: kind.PID(i.LastSendPID)},
		kind.Field{Name: "last_receive_pid", Value: kind.PID(i.LastReceivePID)},
		kind.Field{Name: "send_time", Value: kind.Time(i.SendTime)},
		kind.Field{Name: "receive_time", Value: kind.Time(i.ReceiveTime)},
		kind.Field{Name: "change_time", Value: kind.Time(i.ChangeTime)},
	)
	return o
}

// Columns implements kind.Lister.
func (Queues) Columns() []kind.Column {
	return columns(
		kind.Column{Heading: "MSGS", Field: "messages", Right: true},
		kind.Column{Heading: "BYTES", Field: "bytes", Right: true},
		kind.Column{Heading: "CAP", Field: "capacity", Right: true},
		kind.Column{Heading: "SPID", Field: "last_send_pid", Right: true},
		kind.Column{Heading: "RPID", Field: "last_receive_pid", Right: true},
		kind.Column{Heading: "SEND", Field: "send_time"},
		kind.Column{Heading: "RECEIVE", Field: "receive_time"},
		kind.Column{Heading: "CHANGE", Field: "change_time"},
	)
}

// List implements kind.Lister.
func (Queues) List() ([]kind.Object, error) {
	all, err := sysv.MessageQueues()
	if err != nil {
		return nil, err
	}
	d, objects := newDescriber(), []kind.Object{}
	for _, i := range all {
		objects = append(objects, d.queue(i))
	}
	return objects, nil
}

// Stat implements kind.Stater.
func (k Queues) Stat(a address.Address) (kind.Object, error) {
	q, err := k.OpenQueue(a)
	if err != nil {
		return kind.Object{}, err
	}
	info, err := statQueue(q)
	if err != nil {
		return kind.Object{}, err
	}
	return newDescriber().queue(info), nil
}

// SetOptions implements kind.Setter.
func (Queues) SetOptions() []kind.Option {
	return append([]kind.Option{
		{Name: "capacity", Type: kind.SizeOption, Placeholder: "BYTES", Usage: "how many bytes the queue may hold"},
	}, setOptions...)
}

// Set implements kind.Setter.
func (k Queues) Set(a address.Address, o kind.Options) error {
	q, err := k.OpenQueue(a)
	if err != nil {
		return err
	}
	var done []string
	if n, ok := kind.Given[int64](o, "capacity"); ok {
		if err := q.SetCapacity(uint64(n)); err != nil {
			return err
		}
		done = append(done, "capacity")
	}
	return setCommon(q, o, done)
}

// Remove implements kind.Remover.
func (k Queues) Remove(a address.Address) ([]address.Address, error) {
	q, err := k.OpenQueue(a)
	if err != nil {
		return nil, err
	}
	return nil, q.Remove()
}

// Limits implements kind.Limiter.
func (Queues) Limits() ([]kind.Limit, error) {
	l, err := sysv.ReadQueueLimits()
	if err != nil {
		return nil, err
	}
	return []kind.Limit{
		{Name: "max_queues", Classic: "MSGMNI", Description: "message queues", Max: new(uint64(l.MaxQueues)), Used: new(uint64(l.Queues))},
		{Name: "max_message_bytes", Classic: "MSGMAX", Description: "one message", Unit: "bytes", Max: new(uint64(l.MaxMessage))},
		{Name: "queue_bytes", Classic: "MSGMNB", Description: "one queue, when new", Unit: "bytes", Max: new(uint64(l.QueueBytes))},
		{Name: "messages", Description: "messages in all queues", Used: new(uint64(l.Messages))},
		{Name: "message_bytes", Description: "bytes of these", Unit: "bytes", Used: new(uint64(l.Bytes))},
	}, nil
}
