// Package mapkind has the kind map:, shared memory that is named by a process and where that
// maps it, because it has no name: what a process shares with its children, as PostgreSQL's main
// memory is, and what has lost its name and is held by no descriptor.
//
// Such an address is good as long as the process maps it there. Whatever is mapped at the
// address is meant, so that one of /proc/PID/maps leads to what is behind it.
package mapkind

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shmkit/shmkit/inspect"
	"github.com/shmkit/shmkit/internal/address"
	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/inode"
)

// Regions is the kind map: what processes map.
type Regions struct{}

// What can be done with what has only an address. Its content is left alone: to read it would
// be to read the process (/proc/PID/mem), which is a debugger's work.
var (
	_ kind.Inspected = Regions{}
	_ kind.Stater    = Regions{}
	_ kind.Explainer = Regions{}
	_ kind.Completer = Regions{}
)

// Name implements kind.Kind; the methods below implement the capabilities.
func (Regions) Name() string { return inspect.KindMap }

// Title implements kind.Kind.
func (Regions) Title() string { return "shared memory without a name" }

// Without implements kind.Explainer.
func (Regions) Without(verb string) string {
	switch verb {
	case "create":
		return "a process makes such memory for itself and its children (MAP_SHARED | MAP_ANONYMOUS)"
	case "rm", "rm --all":
		return "memory without a name has nothing to remove; it goes when the last process that maps it ends"
	case "limits":
		return "memory without a name is limited by the memory of the machine, and of the control group"
	case "unlock":
		return "its memory is locked by a process, and until that ends"
	case "flush":
		return "it is in memory only: there is no device to write it back to"
	case "set":
		return "there is nothing by which another process could change it"
	}
	return "no other process can open memory that only a process and its children map; a debugger reads it through /proc/PID/mem"
}

// region returns process and address.
func region(a address.Address) address.Region {
	r, _ := a.Target.(address.Region)
	if r.PID == 0 {
		r.PID = os.Getpid()
	}
	return r
}

// Stat implements kind.Stater: where the mapping begins that an address is in, and what /proc calls what
// is mapped. All else is of the object behind it, which package inspect sees.
func (k Regions) Stat(a address.Address) (kind.Object, error) {
	r := region(a)
	p, err := inspect.MappingsOf(r.PID, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return kind.Object{}, missing(a, r, err)
	case errors.Is(err, fs.ErrPermission):
		return kind.Object{}, &kind.Error{Text: fmt.Sprintf("%s: process %d does not let this user look at what it maps", a, r.PID), Err: err}
	case err != nil:
		return kind.Object{}, err
	}
	i := slices.IndexFunc(p.Mappings, func(m inspect.Mapping) bool { return m.Start <= r.Start && r.Start < m.End })
	if i < 0 || p.Mappings[i].Object == "" {
		return kind.Object{}, missing(a, r, fs.ErrNotExist)
	}
	r.Start = p.Mappings[i].Start
	at := address.Address{Kind: k.Name(), Target: r}
	return kind.Object{Address: at, Fields: []kind.Field{
		{Name: "kind", Value: kind.Text(k.Name()), Machine: true},
		{Name: "address", Value: kind.Text(at.String()), Machine: true},
		{Name: "path", Value: kind.Text(p.Mappings[i].Path)},
	}}, nil
}

// missing says whether the process is missing, or the mapping.
func missing(a address.Address, r address.Region, err error) error {
	if _, gone := os.Stat(fmt.Sprintf("/proc/%d", r.PID)); errors.Is(gone, fs.ErrNotExist) {
		return &kind.Error{Text: fmt.Sprintf("%s: there is no process %d", a, r.PID), Err: err}
	}
	return &kind.Error{Text: fmt.Sprintf("%s: process %d maps no object at %#x; shmkit maps %d shows what it does", a, r.PID, r.Start, r.PID), Err: err}
}

// Columns implements kind.Lister.
func (Regions) Columns() []kind.Column {
	return append(append([]kind.Column{{Heading: "ADDRESS", Field: "address"}}, inode.Columns()...),
		kind.Column{Heading: "COMMAND", Field: "command"})
}

// Describe implements kind.Inspected.
func (Regions) Describe(seen []inspect.Object) []kind.Object {
	names, all := &kind.Names{}, []kind.Object{}
	for i := range seen {
		all = append(all, describe(&seen[i], names))
	}
	return all
}

func describe(seen *inspect.Object, names *kind.Names) kind.Object {
	a := kind.AddressOf(seen)
	f := inode.Seen(seen)
	o := kind.Object{Address: a, Fields: []kind.Field{
		{Name: "kind", Value: kind.Text(seen.Kind), Machine: true},
		{Name: "address", Value: kind.Text(a.String()), Machine: true},
		{Name: "path", Value: kind.Text(seen.Path)},
	}}
	if f.Unseen == "" && f.Unowned == "" {
		o.Owners = []uint32{f.UID}
	}
	o.Fields = append(o.Fields, f.Fields(names, false)...)
	if seen.Segment != nil { // of another IPC namespace
		made := append(names.User("creator", "creator_uid", seen.CreatorUID), names.Group("creator_group", "creator_gid", seen.CreatorGID)...)
		for i := range made {
			if why := seen.Allocated.Unknown; why != "" {
				made[i].Value = kind.Unknown(why)
			}
		}
		o.Fields = append(o.Fields, made...)
	}
	command := kind.Text("")
	if len(seen.Users) > 0 {
		command = kind.Text(seen.Users[0].Command)
	}
	o.Fields = append(o.Fields, kind.Field{Name: "command", Value: command})
	return o
}

// List implements kind.Lister. Who looks for what is mapped looks at all processes: Describe
// tells of what was seen then.
func (Regions) List() ([]kind.Object, error) { return nil, nil }

// Complete implements kind.Completer: what the process that was typed maps shared.
func (k Regions) Complete(text string) []string {
	pid, typed := 0, ""
	rest := strings.TrimPrefix(text, k.Name()+":")
	if n, err := fmt.Sscanf(rest, "%d/%s", &pid, &typed); n == 0 || err != nil && !strings.HasSuffix(rest, "/") {
		return processes(k.Name()+":", rest)
	}
	m, err := inspect.MappingsOf(pid, nil)
	if err != nil {
		return nil // there is nobody to tell
	}
	var found []string
	for _, r := range m.Mappings {
		a := fmt.Sprintf("%s:%d/%x", k.Name(), pid, r.Start)
		if r.Protection&inspect.SharedMapping != 0 && strings.HasPrefix(a, text) {
			found = append(found, a)
		}
	}
	return found
}

// processes completes the number of a process.
func processes(before, typed string) []string {
	dirs, err := filepath.Glob("/proc/" + typed + "[0-9]*/maps")
	if err != nil || strings.Trim(typed, "0123456789") != "" {
		return nil
	}
	if typed != "" {
		if same, err := filepath.Glob("/proc/" + typed + "/maps"); err == nil {
			dirs = append(dirs, same...)
		}
	}
	var found []string
	for _, d := range dirs {
		found = append(found, before+filepath.Base(filepath.Dir(d))+"/")
	}
	return found
}
