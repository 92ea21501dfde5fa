package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/proc"
	"github.com/shmkit/shmkit/internal/sys"
)

// PagesOptions say which pages, and who is asked. nil is all of them, and the object and everybody who
// maps it.
type PagesOptions struct {
	// Proc is where processes are; "" is /proc.
	Proc string
	// Offset and Length are the part of the object that is looked at, in bytes, made whole pages. Length 0: to the end.
	Offset, Length int64
	// PIDs are the processes that are asked, nil: all that map the object.
	PIDs []int
	// Attach attaches a System V segment for a moment, where nothing else shows its pages: nobody who maps it
	// may be looked through. That sets its last attaching and detaching, and who did it.
	Attach bool
}

// Pages are the pages of an object, or of a mapping of private memory, which has no object. Close it.
type Pages struct {
	First, Count int64     // the pages that were asked for
	PageSize     int       // bytes, of huge pages too
	Object       *PageView // what the object itself has; nil: there is none
	Processes    []*PageView
	Hidden       int // processes that may map it and could not be looked at
	// Attached: a System V segment was attached to look at it.
	Attached bool

	close []func() error
}

// Views are Object, if there is one, and Processes.
func (p *Pages) Views() []*PageView {
	if p.Object == nil {
		return p.Processes
	}
	return append([]*PageView{p.Object}, p.Processes...)
}

// Close closes what it reads from.
func (p *Pages) Close() error {
	var errs []error
	for _, f := range slices.Backward(p.close) {
		errs = append(errs, f())
	}
	p.close = nil
	return errors.Join(errs...)
}

// A NotMappedError says that a process does not map an object.
type NotMappedError struct {
	PID    int
	Object string
	Users  []User // who does
}

func (e *NotMappedError) Error() string {
	text := fmt.Sprintf("process %d does not map %s", e.PID, e.Object)
	var who []string
	for _, u := range e.Users {
		if len(u.Ranges) > 0 {
			who = append(who, fmt.Sprint(u.PID))
		}
	}
	if len(who) == 0 {
		return text + "; no process that can be seen does"
	}
	if most := 8; len(who) > most {
		who = append(who[:most], fmt.Sprintf("%d more", len(who)-most))
	}
	return text + "; these do: " + strings.Join(who, ", ")
}

// ErrNoPages: an object that is no memory.
var ErrNoPages = errors.New("it has no memory, and so no pages")

// PagesOf looks at the pages of an object, as a Snapshot tells of it. It touches none of them, and opens for
// reading at most; so nothing changes by it, unless the options say Attach.
//
// A System V segment cannot be opened but by attaching it. Its own view tells something if one of the
// processes that have it attached lets the caller through (root), or Attach is set.
func PagesOf(object *Object, o *PagesOptions) (*Pages, error) {
	if o == nil {
		o = &PagesOptions{}
	}
	if object.ID == (ID{}) && object.Path == "" {
		return nil, fmt.Errorf("%s: %w", object.Address, ErrNoPages)
	}
	p := &Pages{PageSize: int(pageBytes), Hidden: object.Hidden}
	if err := p.part(o, object.Address, int64(object.Size)); err != nil {
		return nil, err
	}
	root := cmp.Or(o.Proc, "/proc")
	users, err := chosen(object, o.PIDs, root)
	if err != nil {
		return nil, err
	}
	p.openObject(object, root, o.Attach)
	p.openProcesses(root, users)
	return p, nil
}

// part sets which pages are meant.
func (p *Pages) part(o *PagesOptions, name string, size int64) error {
	page := int64(pageBytes)
	switch {
	case o.Offset < 0 || o.Length < 0:
		return fmt.Errorf("offset %d and length %d: %w", o.Offset, o.Length, syscall.EINVAL)
	case o.Offset > size || o.Length > size-o.Offset:
		return fmt.Errorf("%d bytes at offset %d are outside: %s has %d bytes", o.Length, o.Offset, name, size)
	}
	end := size
	if o.Length > 0 {
		end = o.Offset + o.Length
	}
	p.First = o.Offset / page
	p.Count = (end+page-1)/page - p.First
	return nil
}

// chosen are the users that map the object, or of them those that are asked for.
func chosen(object *Object, pids []int, root string) ([]User, error) {
	var users []User
	for _, u := range object.Users {
		if len(u.Ranges) > 0 && (pids == nil || slices.Contains(pids, u.PID)) {
			users = append(users, u)
		}
	}
	for _, pid := range pids {
		if slices.ContainsFunc(users, func(u User) bool { return u.PID == pid }) {
			continue
		}
		dir := fmt.Sprintf("%s/%d", root, pid)
		if _, err := os.Stat(dir); err != nil {
			return nil, &pagesError{fmt.Sprintf("there is no process %d", pid), err}
		}
		if f, err := os.Open(dir + "/maps"); errors.Is(err, fs.ErrPermission) {
			return nil, fmt.Errorf("whether process %d maps %s: %w", pid, object.Address, why(err))
		} else if err == nil {
			f.Close()
		}
		return nil, &NotMappedError{PID: pid, Object: object.Address, Users: object.Users}
	}
	return users, nil
}

// A pagesError is an error in other words than the kernel's.
type pagesError struct {
	text string
	err  error
}

func (e *pagesError) Error() string { return e.text }
func (e *pagesError) Unwrap() error { return e.err }

// openProcesses makes the views of processes. One that has ended has none.
func (p *Pages) openProcesses(root string, users []User) {
	kpages, err := proc.OpenKPages(root)
	if err == nil {
		p.close = append(p.close, kpages.Close)
	} else {
		kpages = nil
	}
	for i := range users {
		for _, ranges := range apart(users[i].Ranges) {
			v, f := newProcessView(root, &users[i], ranges, kpages)
			if f != nil {
				p.close = append(p.close, f.Close)
			}
			p.Processes = append(p.Processes, v)
		}
	}
}

// apart puts ranges in the order of their offsets, those of the same pages into different lists.
func apart(ranges []Range) (lists [][]Range) {
	ranges = slices.Clone(ranges)
	slices.SortFunc(ranges, func(a, b Range) int { return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Start, b.Start)) })
	for _, r := range ranges {
		i := slices.IndexFunc(lists, func(list []Range) bool {
			last := list[len(list)-1]
			return last.Offset+last.Len() <= r.Offset
		})
		if i < 0 {
			lists = append(lists, nil)
			i = len(lists) - 1
		}
		lists[i] = append(lists[i], r)
	}
	return lists
}

// openObject makes the view of the object itself.
func (p *Pages) openObject(object *Object, root string, attach bool) {
	f, err := openPages(object, root)
	if err != nil && object.ID.Class == SegmentClass && attach {
		f, err = p.attach(object, root)
	}
	if err != nil {
		p.Object = &PageView{walk: unknownPages}
		p.Object.blind(err.Error())
		return
	}
	if f == nil { // attached, and asked itself
		return
	}
	p.close = append(p.close, f.Close)
	p.Object = newObjectView(f, int64(object.Size))
}

// openPages opens an object for reading, by one of the ways that change nothing.
func openPages(object *Object, root string) (*os.File, error) {
	var first error
	try := func(path string, flags int) *os.File {
		f, err := openQuietly(path, flags)
		if err == nil && !isObject(f, object) {
			err = errors.Join(fs.ErrNotExist, f.Close())
		}
		if err != nil {
			first = cmp.Or(first, why(err))
			return nil
		}
		return f
	}
	if isLeased(object, root) {
		return nil, errors.New("a process has a lease on it, which opening it would break")
	}
	if object.Path != "" {
		if f := try(object.Path, syscall.O_NOFOLLOW); f != nil {
			return f, nil
		}
	}
	for _, u := range object.Users {
		for _, fd := range u.Descriptors {
			if f := try(fmt.Sprintf("%s/%d/fd/%d", root, u.PID, fd), 0); f != nil {
				return f, nil
			}
		}
	}
	for _, u := range object.Users {
		for _, r := range u.Ranges {
			if f := try(fmt.Sprintf("%s/%d/map_files/%x-%x", root, u.PID, r.Start, r.End), 0); f != nil {
				return f, nil
			}
		}
	}
	switch {
	case object.ID.Class == SegmentClass && first == nil:
		return nil, fmt.Errorf("nobody who can be seen maps it: which of its pages are in memory can be told only by attaching it, which changes its times and last process%s", object.counted())
	case object.ID.Class == SegmentClass:
		return nil, fmt.Errorf("which of its pages are in memory is told to root, or by attaching it, which changes its times and last process%s", object.counted())
	case first == nil:
		return nil, errors.New("it has no name, and nobody who can be seen has it open")
	}
	return nil, fmt.Errorf("it cannot be opened: %w", first)
}

// counted is how many pages the kernel counts, without saying which.
func (o *Object) counted() string {
	if o.Resident.Unknown != "" || o.Swapped.Unknown != "" {
		return ""
	}
	pages := func(a Amount) string {
		if n := (a.Bytes + pageBytes - 1) / pageBytes; n != 1 {
			return fmt.Sprint(n, " pages")
		}
		return "1 page"
	}
	return fmt.Sprintf(" (all in all there are %s in memory and %s in swap)", pages(o.Resident), pages(o.Swapped))
}

// isLeased reports whether a process has a lease on a file. It would be told that somebody opens it.
func isLeased(object *Object, root string) bool {
	if object.ID.Class != FileClass {
		return false
	}
	locks, err := proc.Locks(root)
	return err == nil && slices.ContainsFunc(locks, func(l proc.Lock) bool {
		return l.Type == "LEASE" && l.Inode == object.ID.Inode && l.Major == object.ID.Major && l.Minor == object.ID.Minor
	})
}

// openQuietly opens for reading without a trace: the access time stays, and nothing waits.
func openQuietly(path string, flags int) (*os.File, error) {
	flags |= os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY
	f, err := os.OpenFile(path, flags|sys.O_NOATIME, 0)
	if errors.Is(err, syscall.EPERM) { // not the owner
		f, err = os.OpenFile(path, flags, 0)
	}
	return f, err
}

// isObject reports whether a file is the object, and has pages.
func isObject(f *os.File, object *Object) bool {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && (object.ID.Inode == 0 || object.ID.Inode == st.Ino)
}

// why is an error without the path it is about.
func why(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// descriptorPath leads to the file of a descriptor, and to no other.
func descriptorPath(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
