package sysvkind

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/sysv"
)

// SemaphoreSets is the kind sem: semaphore sets.
type SemaphoreSets struct{}

// What semaphore sets can do.
var (
	_ kind.Creator    = SemaphoreSets{}
	_ kind.Inspected  = SemaphoreSets{}
	_ kind.Stater     = SemaphoreSets{}
	_ kind.Setter     = SemaphoreSets{}
	_ kind.Remover    = SemaphoreSets{}
	_ kind.Limiter    = SemaphoreSets{}
	_ kind.Semaphores = SemaphoreSets{}
)

// Name implements kind.Kind; the methods below implement the capabilities.
func (SemaphoreSets) Name() string { return "sem" }

// Title implements kind.Kind.
func (SemaphoreSets) Title() string { return "semaphore sets" }

// OpenSemaphores implements kind.Semaphores.
func (SemaphoreSets) OpenSemaphores(a address.Address) (*sysv.SemaphoreSet, error) {
	return open(a, sysv.OpenSemaphores, sysv.OpenSemaphoresID)
}

// CreateOptions implements kind.Creator.
func (SemaphoreSets) CreateOptions() []kind.Option {
	return append([]kind.Option{
		{Name: "count", Type: kind.NumberOption, Placeholder: "N", Required: true, Usage: "number of semaphores, which begin at 0"},
	}, createOptions...)
}

// Create implements kind.Creator.
func (SemaphoreSets) Create(a address.Address, o kind.Options) (kind.Object, bool, error) {
	count := o.Int64("count")
	if count < 1 {
		return kind.Object{}, false, kind.Usage("--count %d: a set has at least 1 semaphore", count)
	}
	set, created, err := create(a, o, func(key sysv.Key, g sysv.GetOptions) (*sysv.SemaphoreSet, error) {
		return sysv.GetSemaphores(key, int(count), &g)
	})
	if err != nil {
		return kind.Object{}, false, err
	}
	info, err := statSemaphores(set)
	if err != nil {
		return kind.Object{}, false, err
	}
	return newDescriber().semaphores(info), created, nil
}

// statSemaphores is Stat, also without read permission.
func statSemaphores(s *sysv.SemaphoreSet) (sysv.SemaphoreSetInfo, error) {
	info, err := s.Stat()
	if !errors.Is(err, fs.ErrPermission) {
		return info, err
	}
	return fromList(s.ID(), err, sysv.SemaphoreSets, func(i sysv.SemaphoreSetInfo) int { return i.ID })
}

func (d *describer) semaphores(i sysv.SemaphoreSetInfo) kind.Object {
	o := d.object("sem", i.Permission, kind.Field{Name: "semaphores", Value: kind.Count(i.Count)})
	o.Fields = append(o.Fields,
		kind.Field{Name: "op_time", Value: kind.Time(i.OpTime)},
		kind.Field{Name: "change_time", Value: kind.Time(i.ChangeTime)},
	)
	return o
}

// Columns implements kind.Lister.
func (SemaphoreSets) Columns() []kind.Column {
	return columns(
		kind.Column{Heading: "SEMS", Field: "semaphores", Right: true},
		kind.Column{Heading: "OP", Field: "op_time"},
		kind.Column{Heading: "CHANGE", Field: "change_time"},
	)
}

// List implements kind.Lister.
func (SemaphoreSets) List() ([]kind.Object, error) {
	all, err := sysv.SemaphoreSets()
	if err != nil {
		return nil, err
	}
	d, objects := newDescriber(), []kind.Object{}
	for _, i := range all {
		objects = append(objects, d.semaphores(i))
	}
	return objects, nil
}

// Stat implements kind.Stater.
func (k SemaphoreSets) Stat(a address.Address) (kind.Object, error) {
	s, err := k.OpenSemaphores(a)
	if err != nil {
		return kind.Object{}, err
	}
	info, err := statSemaphores(s)
	if err != nil {
		return kind.Object{}, err
	}
	values, err := semaphoreValues(s, info)
	if err != nil {
		return kind.Object{}, err
	}
	o := newDescriber().semaphores(info)
	o.Fields = append(o.Fields, kind.Field{Name: "values", Value: values})
	return o, nil
}

// semaphoreValues asks for each semaphore of the set, one after the other: they
// may change meanwhile.
func semaphoreValues(s *sysv.SemaphoreSet, info sysv.SemaphoreSetInfo) (kind.Value, error) {
	list := kind.List{Columns: []kind.Column{
		{Heading: "INDEX", Field: "index", Right: true},
		{Heading: "VALUE", Field: "value", Right: true},
		{Heading: "LAST PID", Field: "last_pid", Right: true},
		{Heading: "WAITING", Field: "waiting", Right: true},
		{Heading: "FOR ZERO", Field: "waiting_for_zero", Right: true},
	}}
	for i := range info.Count {
		n := make([]int, 4)
		for j, ask := range []func(int) (int, error){s.Value, s.LastPID, s.Waiting, s.WaitingForZero} {
			var err error
			n[j], err = ask(i)
			switch {
			case errors.Is(err, fs.ErrPermission):
				return kind.Unknown(fmt.Sprintf("reading the values needs read permission; it belongs to uid %d, mode %04o",
					info.UID, uint32(info.Mode))), nil
			case err != nil:
				return nil, err
			}
		}
		list.Items = append(list.Items, kind.Object{Fields: []kind.Field{
			{Name: "index", Value: kind.Count(i)},
			{Name: "value", Value: kind.Count(n[0])},
			{Name: "last_pid", Value: kind.PID(n[1])},
			{Name: "waiting", Value: kind.Count(n[2])},
			{Name: "waiting_for_zero", Value: kind.Count(n[3])},
		}})
	}
	return list, nil
}

// SetOptions implements kind.Setter.
func (SemaphoreSets) SetOptions() []kind.Option {
	return append([]kind.Option{
		{Name: "value", Type: kind.ListOption, Placeholder: "INDEX=V,…", Usage: "new values of single semaphores"},
		{Name: "values", Type: kind.ListOption, Placeholder: "V,V,…", Usage: "new values of all semaphores, in one step"},
	}, setOptions...)
}

// Set implements kind.Setter.
func (k SemaphoreSets) Set(a address.Address, o kind.Options) error {
	single, err := parseAssignments(o)
	if err != nil {
		return err
	}
	all, err := parseValues(o)
	if err != nil {
		return err
	}
	if single != nil && all != nil {
		return kind.Usage("--value and --values exclude each other")
	}
	s, err := k.OpenSemaphores(a)
	if err != nil {
		return err
	}
	if single != nil {
		info, err := statSemaphores(s)
		if err != nil {
			return err
		}
		for _, v := range single {
			if v.index >= info.Count {
				return fmt.Errorf("%s has no semaphore %d, it has 0 to %d", s, v.index, info.Count-1)
			}
		}
	}
	var done []string
	if all != nil {
		if err := s.SetValues(all); err != nil {
			return err
		}
		done = append(done, "values")
	}
	for _, v := range single {
		if err := s.SetValue(v.index, v.value); err != nil {
			return kind.After(done, err)
		}
		done = append(done, fmt.Sprintf("value %d", v.index))
	}
	return setCommon(s, o, done)
}

// assignment is a semaphore and its new value.
type assignment struct{ index, value int }

func parseAssignments(o kind.Options) ([]assignment, error) {
	texts, _ := kind.Given[[]string](o, "value")
	var all []assignment
	for _, text := range texts {
		index, value, ok := strings.Cut(text, "=")
		i, err := strconv.Atoi(index)
		if !ok || err != nil || i < 0 {
			return nil, kind.Usage("--value %q: write INDEX=VALUE", text)
		}
		v, err := parseValue("value", value)
		if err != nil {
			return nil, err
		}
		all = append(all, assignment{i, v})
	}
	return all, nil
}

func parseValues(o kind.Options) ([]int, error) {
	texts, _ := kind.Given[[]string](o, "values")
	var all []int
	for _, text := range texts {
		v, err := parseValue("values", text)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

func parseValue(option, text string) (int, error) {
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 || v > sysv.MaxSemaphoreValue {
		return 0, kind.Usage("--%s: value %q is no number from 0 to %d", option, text, sysv.MaxSemaphoreValue)
	}
	return v, nil
}

// Remove implements kind.Remover.
func (k SemaphoreSets) Remove(a address.Address) ([]address.Address, error) {
	s, err := k.OpenSemaphores(a)
	if err != nil {
		return nil, err
	}
	return nil, s.Remove()
}

// Limits implements kind.Limiter.
func (SemaphoreSets) Limits() ([]kind.Limit, error) {
	l, err := sysv.ReadSemaphoreLimits()
	if err != nil {
		return nil, err
	}
	return []kind.Limit{
		{Name: "max_sets", Classic: "SEMMNI", Description: "semaphore sets", Max: new(uint64(l.MaxSets)), Used: new(uint64(l.Sets))},
		{Name: "max_semaphores", Classic: "SEMMNS", Description: "semaphores of all sets", Max: new(uint64(l.MaxSemaphores)), Used: new(uint64(l.Semaphores))},
		{Name: "max_per_set", Classic: "SEMMSL", Description: "semaphores in one set", Max: new(uint64(l.MaxPerSet))},
		{Name: "max_operations", Classic: "SEMOPM", Description: "operations in one step", Max: new(uint64(l.MaxOps))},
		{Name: "max_value", Classic: "SEMVMX", Description: "value of a semaphore", Max: new(uint64(l.MaxValue))},
	}, nil
}
