package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/queue"
	"github.com/shmkit/shmkit/topic"
)

// shared looks at shmkit's own objects, and at what lies in their directories besides.
func (e *examination) shared() error {
	dirs, err := e.directories()
	errs := []error{err}
	for _, d := range dirs {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		errs = append(errs, e.directory(d))
	}
	temporary, err := filepath.Glob(filepath.Join(globbed(e.shm()), ".posixshm-*", "*"))
	errs = append(errs, err)
	for _, path := range temporary {
		e.leftover(path, "posixshm made it to replace an object, and died before it had done so")
	}
	return errors.Join(errs...)
}

// directories are those of Options.Dir.
func (e *examination) directories() ([]string, error) {
	if e.Dir != "" {
		return []string{e.Dir}, nil
	}
	var dirs []string
	if chosen := os.Getenv("SHMKIT_DIR"); chosen != "" {
		dirs = append(dirs, filepath.Clean(chosen))
	}
	if os.Geteuid() != 0 {
		return append(dirs, filepath.Join(e.shm(), "shmkit-"+itoa(os.Geteuid()))), nil
	}
	users, err := filepath.Glob(filepath.Join(globbed(e.shm()), "shmkit-*"))
	return append(dirs, users...), err
}

// globbed is a path in a pattern.
func globbed(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// directory looks at one directory.
func (e *examination) directory(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	whose := e.whose(dir, info)
	if whose == nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil // another user's
		}
		return err
	}
	known, complete := map[string]bool{}, true
	for _, k := range ownKinds() {
		names, err := k.names(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := e.ctx.Err(); err != nil {
				return err
			}
			o, err := k.look(name, dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			known[o.path], known[o.messages] = true, true
			o.address, o.name, o.dir, o.err, o.kind = k.kind+":"+name, name, dir, err, k
			if err != nil {
				complete = false
				e.broken(o)
				continue
			}
			if uid, ok := ownerOf(o.path); ok && !whose(uid) {
				o.err = fmt.Errorf("%w: it belongs to user %d", pshared.ErrForeign, uid)
				e.broken(o)
				continue
			}
			e.own(o)
		}
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		switch {
		case known[path]:
		case !strings.HasPrefix(entry.Name(), "messages."):
			e.leftover(path, "it is the name of no object of shmkit")
		case complete: // else it may belong to one that could not be read
			e.leftover(path, "it is the file of a topic's messages, and there is no topic that it belongs to")
		}
	}
	return nil
}

// whose looks at a directory as who opens an object in it does. It returns whose objects there
// are trusted; nil if nobody's are, which it tells of.
func (e *examination) whose(dir string, info fs.FileInfo) (trusted func(uid uint32) bool) {
	chosen := e.Dir != "" || dir == filepath.Clean(os.Getenv("SHMKIT_DIR"))
	if chosen && info.Mode()&fs.ModeSymlink != 0 {
		if target, err := os.Stat(dir); err == nil {
			info = target
		}
	}
	owner, mode := info.Sys().(*syscall.Stat_t).Uid, info.Mode()
	user, err := strconv.ParseUint(strings.TrimPrefix(filepath.Base(dir), "shmkit-"), 10, 32)
	if !chosen && err != nil {
		return nil // it only looks like one
	}
	why := ""
	switch {
	case mode&fs.ModeSymlink != 0:
		why = "it is a symbolic link"
	case !mode.IsDir():
		why = "it is no directory"
	case !chosen && owner != uint32(user) && owner != 0:
		why = fmt.Sprintf("it belongs to user %d", owner)
	case !chosen && mode.Perm()&0o022 != 0, mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0:
		why = fmt.Sprintf("others may write in it (mode %04o)", mode.Perm())
	}
	if why != "" {
		e.add(Finding{
			Kind: Unopenable, Severity: Problem, Object: "file:" + dir,
			Summary: "No object of shmkit in it can be opened: " + why, Meaning: "Who could put something there could put anything there, so that every program of that user refuses it.",
			Evidence: "lstat(" + dir + ")", Command: "rm -r " + quote(dir) + "  # or: chmod 700", Kept: "who made it is not known",
		})
		return nil
	}
	group := mode.Perm()&0o022 == 0o020
	return func(uid uint32) bool { return group || uid == 0 || uid == owner || !chosen && uid == uint32(user) }
}

// ownerOf returns whose a file is.
func ownerOf(path string) (uid uint32, ok bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, false
	}
	return info.Sys().(*syscall.Stat_t).Uid, true
}

// An ownKind is a kind of object that packages of this module make.
type ownKind struct {
	kind    string
	names   func(dir string) ([]string, error)
	look    func(name, dir string) (own, error)
	reclaim func(ctx context.Context, name, dir string) (bool, error)
	sweep   func(name, dir string) (int, error) // nil: who uses it next does so
}

// An own is an object of shmkit, as it was seen.
type own struct {
	kind               ownKind
	address, name, dir string
	path, messages     string // its files
	persistent         bool
	members            []pshared.MemberInfo
	keeps              string // what it has to tell
	err                error
}

func ownKinds() []ownKind {
	var all []ownKind
	for _, kind := range pshared.Kinds() {
		all = append(all, ownKind{
			kind:  kind,
			names: func(dir string) ([]string, error) { return pshared.Names(kind, dir) },
			look: func(name, dir string) (own, error) {
				i, err := pshared.Look(kind, name, dir)
				return own{path: i.Path, persistent: i.Persistent, members: i.Members, keeps: news(i)}, err
			},
			reclaim: func(ctx context.Context, name, dir string) (bool, error) {
				return pshared.Reclaim(ctx, kind, name, dir)
			},
			sweep: func(name, dir string) (int, error) { return pshared.Sweep(kind, name, dir) },
		})
	}
	return append(all,
		ownKind{kind: "queue", names: queue.Names, reclaim: queue.Reclaim, look: func(name, dir string) (own, error) {
			i, err := queue.Look(name, dir)
			o := own{path: i.Path, persistent: i.Persistent}
			for _, m := range i.Members {
				o.members = append(o.members, m.MemberInfo)
			}
			if n := i.Ready + i.Claimed + i.Dead + i.DeadHeld; n > 0 {
				o.keeps = "it has " + plural(n, "item")
			}
			return o, err
		}},
		ownKind{kind: "topic", names: topic.Names, reclaim: topic.Reclaim, look: func(name, dir string) (own, error) {
			i, err := topic.Look(name, dir)
			return own{path: i.Path, messages: i.MessagesPath, persistent: i.Persistent, members: i.Members}, err
		}})
}

// news is what a lock that nobody living has open still tells the next one.
func news(i pshared.Info) string {
	if i.Kind != "lock" || len(i.Words) == 0 {
		return ""
	}
	switch state := i.Words[0].State; state {
	case pshared.OwnerDead, pshared.Inconsistent, pshared.NotRecoverable, pshared.Corrupt:
		return "the lock is " + state
	}
	return ""
}

// own tells of an object that could be read.
func (e *examination) own(o own) {
	var dead []pshared.MemberInfo
	for _, m := range o.members {
		if !m.Alive {
			dead = append(dead, m)
		}
	}
	living := len(o.members) - len(dead)
	f := Finding{
		Object: o.address, Severity: Warning,
		Evidence: fmt.Sprintf("no member has joined it by what %s says", o.path),
	}
	if n := len(o.members); n > 0 {
		f.Evidence = fmt.Sprintf("%d of %s in %s hold their lifelines, locks that the kernel drops with their processes", living, plural(n, "member"), o.path)
	}
	switch {
	case living > 0 && len(dead) == 0:
		return
	case living > 0:
		f.Kind, f.Summary = DeadMembers, fmt.Sprintf("%s of it died: %s", plural(len(dead), "member"), people(dead))
		f.Meaning = "Their places, and what they held, stay theirs until somebody living needs them."
		f.Kept = "who uses it next puts it in order"
		if o.kind.sweep != nil {
			f.Command = "shmkit recover " + o.address
			f.mendBy(sweepIt, func(context.Context) error { return gone(errOf(o.kind.sweep(o.name, o.dir))) })
		}
	case o.persistent:
		f.Kind, f.Severity, f.Summary = Persistent, Notice, "Nobody has it open; it is persistent"
		f.Meaning = "It was made to stay until it is removed."
		f.Command, f.Kept = "shmkit rm "+o.address, "it is to stay"
	case o.keeps != "":
		f.Kind, f.Summary = Orphaned, "Nobody living has it open, but "+o.keeps
		f.Meaning = "It stays for the next one to come. If nobody does, it is to be removed by hand."
		f.Command, f.Kept = "shmkit rm "+o.address, o.keeps
	default:
		f.Kind, f.Summary = Abandoned, "Nobody living has it open"
		if len(dead) > 0 {
			f.Summary += "; its last members died: " + people(dead)
		}
		f.Meaning = "It takes memory until the next one to open it makes it anew."
		f.Command = "shmkit rm " + o.address
		f.mendBy(removeIt, o.reclaim)
	}
	if e.Dir != "" || filepath.Dir(o.path) != e.ownDirectory() {
		f.Command = withDir(f.Command, o.dir)
	}
	e.add(f)
}

// ownDirectory is where commands look if nobody says otherwise.
func (e *examination) ownDirectory() string {
	if dir := os.Getenv("SHMKIT_DIR"); dir != "" {
		return filepath.Clean(dir)
	}
	return "/dev/shm/shmkit-" + itoa(os.Geteuid())
}

func withDir(command, dir string) string {
	if command == "" {
		return ""
	}
	return "SHMKIT_DIR=" + quote(dir) + " " + command
}

func (o *own) reclaim(ctx context.Context) error {
	removed, err := o.kind.reclaim(ctx, o.name, o.dir)
	if err = gone(err); err != nil {
		return err
	}
	if !removed {
		return fmt.Errorf("%w: somebody living has it open, or it has something to tell by now", ErrInUse)
	}
	tidy(o.dir)
	return nil
}

// tidy removes a user's directory when it is empty, as the last object to go does.
func tidy(dir string) {
	for _, prefix := range []string{"shmkit-", ".posixshm-"} {
		if user, ok := strings.CutPrefix(filepath.Base(dir), prefix); ok && isUser(user) {
			_ = os.Remove(dir)
		}
	}
}

// isUser reports whether a word is the number of a user.
func isUser(word string) bool {
	_, err := strconv.ParseUint(word, 10, 32)
	return err == nil
}

// broken tells of a name that cannot be opened as an object.
func (e *examination) broken(o own) {
	f := Finding{
		Kind: Unopenable, Severity: Warning, Object: o.address,
		Summary: "It cannot be opened: " + cause(o.err), Meaning: "Every program that wants this object fails.",
		Evidence: "reading " + o.path, Command: withDir("shmkit rm "+o.address, o.dir),
	}
	switch {
	case errors.Is(o.err, fs.ErrPermission):
		f.Severity, f.Kept = Notice, "this user may not read it"
		f.Meaning = "Its owner chose who may."
	case errors.Is(o.err, pshared.ErrVersion):
		f.Meaning = "Programs with that version of shmkit can use it, and others can't."
	}
	if f.Kept == "" {
		e.unusedName(&f, o.path)
	}
	e.add(f)
}

// leftover tells of a file that is no object, if nobody has it open.
func (e *examination) leftover(path, what string) {
	f := Finding{
		Kind: StaleName, Severity: Warning, Object: "file:" + path, Summary: "It is left over: " + what,
		Meaning: "It takes memory, and no program of shmkit looks at it.",
		Command: "rm " + quote(path),
	}
	if e.unusedName(&f, path) {
		e.add(f)
	}
}

// unusedName makes a finding fixable if it is about a file that nobody has open; else it says
// why not.
func (e *examination) unusedName(f *Finding, path string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		f.Kept = cause(err)
		return false
	}
	if !info.Mode().IsRegular() {
		f.Kept = "it is no regular file, and whose it is is not known"
		return true
	}
	n := nameOf(path, info)
	if err := e.unused(n); err != nil {
		f.Kept = cause(err)
		return errors.Is(err, ErrUnknown)
	}
	f.Evidence = strings.TrimPrefix(f.Evidence+"; the kernel grants a write lease on it, so nobody has it open or mapped", "; ")
	remove := e.removal(n)
	f.mendBy(removeIt, func(ctx context.Context) error {
		err := remove(ctx)
		tidy(n.dir)
		return err
	})
	return true
}

// people names some members.
func people(members []pshared.MemberInfo) string {
	var names []string
	for i, m := range members {
		if i == 3 && len(members) > 4 {
			names = append(names, fmt.Sprintf("%d more", len(members)-i))
			break
		}
		names = append(names, fmt.Sprintf("%s (process %d)", m.Command, m.PID))
	}
	return strings.Join(names, ", ")
}

// cause is what is at the bottom of an error of a package of this module.
func cause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	text := err.Error()
	if _, rest, ok := strings.Cut(text, ": "); ok && strings.HasPrefix(text, "stat ") {
		return rest
	}
	return text
}

// gone makes an error nil that says that something is not there any more.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func errOf[T any](_ T, err error) error { return err }
