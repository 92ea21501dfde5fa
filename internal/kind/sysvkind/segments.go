package sysvkind

import (
	"errors"
	"io/fs"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/stream"
	"github.com/shmkit/shmkit/sysv"
)

// Segments is the kind sysv: shared memory segments.
type Segments struct{ kind.OwnNothing }

// What segments can do.
var (
	_ kind.Creator   = Segments{}
	_ kind.Inspected = Segments{}
	_ kind.Stater    = Segments{}
	_ kind.Setter    = Segments{}
	_ kind.Remover   = Segments{}
	_ kind.Locker    = Segments{}
	_ kind.Limiter   = Segments{}
	_ kind.Memory    = Segments{}
)

// Name implements kind.Kind; the methods below implement the capabilities.
func (Segments) Name() string { return "sysv" }

// Title implements kind.Kind.
func (Segments) Title() string { return "shared memory segments" }

func openSegment(a address.Address) (*sysv.Segment, error) {
	return open(a, sysv.Open, sysv.OpenID)
}

// CreateOptions implements kind.Creator.
func (Segments) CreateOptions() []kind.Option {
	return append([]kind.Option{
		{Name: "size", Type: kind.SizeOption, Placeholder: "BYTES", Required: true, Usage: "size, such as 4096, 64K or 2M"},
		{Name: "huge", Type: kind.SwitchOption, Usage: "make it of huge pages"},
		{Name: "huge-page-size", Type: kind.SizeOption, Placeholder: "BYTES", Usage: "with --huge: size of these pages"},
		{Name: "no-reserve", Type: kind.SwitchOption, Usage: "reserve no swap space for it"},
	}, createOptions...)
}

// Create implements kind.Creator.
func (Segments) Create(a address.Address, o kind.Options) (kind.Object, bool, error) {
	size := o.Int64("size")
	pageSize, sized := kind.Given[int64](o, "huge-page-size")
	switch {
	case size < 1:
		return kind.Object{}, false, kind.Usage("--size %d: a segment has at least 1 byte", size)
	case sized && !o.On("huge"):
		return kind.Object{}, false, kind.Usage("--huge-page-size needs --huge")
	}
	seg, created, err := create(a, o, func(key sysv.Key, g sysv.GetOptions) (*sysv.Segment, error) {
		opts := &sysv.SegmentOptions{GetOptions: g}
		if g.Create {
			opts.HugePages, opts.HugePageSize, opts.NoReserve = o.On("huge"), pageSize, o.On("no-reserve")
		}
		return sysv.GetSegment(key, size, opts)
	})
	if err != nil {
		return kind.Object{}, false, err
	}
	info, err := statSegment(seg)
	if err != nil {
		return kind.Object{}, false, err
	}
	return newDescriber().segment(info), created, nil
}

// statSegment is Stat, also without read permission.
func statSegment(s *sysv.Segment) (sysv.SegmentInfo, error) {
	info, err := s.Stat()
	if !errors.Is(err, fs.ErrPermission) {
		return info, err
	}
	return fromList(s.ID(), err, sysv.Segments, func(i sysv.SegmentInfo) int { return i.ID })
}

// fromList finds an object among all that exist, or returns why it was looked for
// there.
func fromList[T any](id int, denied error, list func() ([]T, error), idOf func(T) int) (T, error) {
	all, _ := list()
	for _, info := range all {
		if idOf(info) == id {
			return info, nil
		}
	}
	var none T
	return none, denied
}

func (d *describer) segment(i sysv.SegmentInfo) kind.Object {
	o := d.object("sysv", i.Permission, kind.Field{Name: "size", Value: kind.Bytes(i.Size)})
	var marks kind.Marks
	if i.Removed {
		marks = append(marks, "removed")
	}
	if i.Locked {
		marks = append(marks, "locked")
	}
	o.Fields = append(o.Fields,
		kind.Field{Name: "attached", Value: kind.Count(i.Attached)},
		kind.Field{Name: "creator_pid", Value: kind.PID(i.CreatorPID)},
		kind.Field{Name: "last_pid", Value: kind.PID(i.LastPID)},
		kind.Field{Name: "attach_time", Value: kind.Time(i.AttachTime)},
		kind.Field{Name: "detach_time", Value: kind.Time(i.DetachTime)},
		kind.Field{Name: "change_time", Value: kind.Time(i.ChangeTime)},
		kind.Field{Name: "marks", Value: marks},
		kind.Field{Name: "creator_command", Value: kind.CommandOf(i.CreatorPID)},
	)
	return o
}

// Columns implements kind.Lister.
func (Segments) Columns() []kind.Column {
	return columns(
		kind.Column{Heading: "SIZE", Field: "size", Right: true},
		kind.Column{Heading: "ATT", Field: "attached", Right: true},
		kind.Column{Heading: "CPID", Field: "creator_pid", Right: true},
		kind.Column{Heading: "LPID", Field: "last_pid", Right: true},
		kind.Column{Heading: "ATTACH", Field: "attach_time"},
		kind.Column{Heading: "DETACH", Field: "detach_time"},
		kind.Column{Heading: "CHANGE", Field: "change_time"},
		kind.Column{Heading: "MARKS", Field: "marks"},
		kind.Column{Heading: "COMMAND", Field: "creator_command", Long: true},
	)
}

// List implements kind.Lister.
func (Segments) List() ([]kind.Object, error) {
	all, err := sysv.Segments()
	if err != nil {
		return nil, err
	}
	d, objects := newDescriber(), []kind.Object{}
	for _, i := range all {
		objects = append(objects, d.segment(i))
	}
	return objects, nil
}

// Stat implements kind.Stater.
func (Segments) Stat(a address.Address) (kind.Object, error) {
	s, err := openSegment(a)
	if err != nil {
		return kind.Object{}, err
	}
	info, err := statSegment(s)
	if err != nil {
		return kind.Object{}, err
	}
	return newDescriber().segment(info), nil
}

// SetOptions implements kind.Setter.
func (Segments) SetOptions() []kind.Option { return setOptions }

// Set implements kind.Setter.
func (Segments) Set(a address.Address, o kind.Options) error {
	s, err := openSegment(a)
	if err != nil {
		return err
	}
	return setCommon(s, o, nil)
}

// Remove implements kind.Remover. The semaphores of a stream go with its segment.
func (Segments) Remove(a address.Address) ([]address.Address, error) {
	s, err := openSegment(a)
	if err != nil {
		return nil, err
	}
	set := stream.Companion(s)
	if err := s.Remove(); err != nil || set == nil {
		return nil, err
	}
	switch err := set.Remove(); {
	case err == nil, errors.Is(err, fs.ErrNotExist): // its users may have done it
		return []address.Address{{Kind: SemaphoreSets{}.Name(), Target: address.ID(set.ID())}}, nil
	default:
		return nil, err
	}
}

// Lock implements kind.Locker.
func (Segments) Lock(a address.Address) error {
	s, err := openSegment(a)
	if err != nil {
		return err
	}
	return s.Lock()
}

// Unlock implements kind.Locker.
func (Segments) Unlock(a address.Address) error {
	s, err := openSegment(a)
	if err != nil {
		return err
	}
	return s.Unlock()
}

// OpenMemory implements kind.Memory.
func (Segments) OpenMemory(a address.Address, write bool) (*shmkit.Mapping, error) {
	s, err := openSegment(a)
	if err != nil {
		return nil, err
	}
	return s.Attach(&sysv.AttachOptions{ReadOnly: !write})
}

// Limits implements kind.Limiter.
func (Segments) Limits() ([]kind.Limit, error) {
	l, err := sysv.ReadSegmentLimits()
	if err != nil {
		return nil, err
	}
	return []kind.Limit{
		{Name: "max_segments", Classic: "SHMMNI", Description: "segments", Max: &l.MaxSegments, Used: &l.Segments},
		{Name: "max_pages", Classic: "SHMALL", Description: "pages of all segments", Unit: "pages", Max: &l.MaxPages, Used: &l.Pages},
		{Name: "resident_pages", Description: "of these, in memory", Unit: "pages", Used: &l.ResidentPages},
		{Name: "swapped_pages", Description: "of these, on swap", Unit: "pages", Used: &l.SwappedPages},
		{Name: "max_segment_bytes", Classic: "SHMMAX", Description: "largest segment", Unit: "bytes", Max: &l.MaxBytes},
		{Name: "min_segment_bytes", Classic: "SHMMIN", Description: "smallest segment", Unit: "bytes", Max: &l.MinBytes},
	}, nil
}
