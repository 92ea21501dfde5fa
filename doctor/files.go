package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/inspect"
)

// files finds what nobody uses in /dev/shm, and names there that no program can open.
func (e *examination) files() error {
	top, err := os.ReadDir(e.shm())
	if errors.Is(err, fs.ErrNotExist) {
		return nil // mount says it
	}
	if err != nil {
		return err
	}
	users, err := e.seen()
	errs := []error{err}
	for _, entry := range top {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		path := filepath.Join(e.shm(), entry.Name())
		switch {
		case !entry.IsDir():
			errs = append(errs, e.posix(path, users))
		case !strings.HasPrefix(entry.Name(), "shmkit-") && !strings.HasPrefix(entry.Name(), ".posixshm-"):
			errs = append(errs, e.folder(path, users))
		}
	}
	return errors.Join(errs...)
}

// keepers are programs that keep objects which none of their processes has open.
var keepers = []struct{ prefix, why string }{
	{"libpod_lock", "podman keeps its locks there between two commands"},
	{"libpod_rootless_lock_", "podman keeps its locks there between two commands"},
	{"PostgreSQL.", "PostgreSQL keeps memory there that none of its processes need map, and removes it itself when it starts anew"},
}

// keeper says why a file is kept by its name, if it is.
func keeper(file string) (why string) {
	for _, k := range keepers {
		if strings.HasPrefix(file, k.prefix) {
			return k.why
		}
	}
	return ""
}

// posix looks at one name directly in /dev/shm.
func (e *examination) posix(path string, users map[string]bool) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	address := "posix:/" + filepath.Base(path)
	if filepath.Clean(e.shm()) != "/dev/shm" {
		address = "file:" + path
	}
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		e.unopenable(address, "It is a symbolic link", "shm_open follows no link: whoever opens this name gets ELOOP, and nobody can make an object of it.", "lstat("+path+")")
		return nil
	case !mode.IsRegular():
		return nil // a socket, a pipe: somebody's, but no shared memory
	}
	st := info.Sys().(*syscall.Stat_t)
	n := nameOf(path, info)
	if !e.old(times(st)...) {
		e.youngFile(n, st, users)
		return nil
	}
	f := Finding{
		Kind: UnusedObject, Severity: Warning, Object: address,
		Summary: fmt.Sprintf("%s of %s is used by nobody", what(path), size(uint64(st.Size))),
		Meaning: fmt.Sprintf("It takes %s of memory until its name is removed or the machine starts anew.", size(uint64(st.Blocks)*512)),
		Evidence: fmt.Sprintf("the kernel grants a write lease on it, so nobody has it open or mapped; uid %d; last used %s",
			st.Uid, e.ago(newest(times(st)...))),
		Command: "shmkit rm " + address,
	}
	f.Kept = keeper(n.file)
	if st.Nlink > 1 {
		f.Kept = cmp.Or(f.Kept, fmt.Sprintf("it has %d names (hard links)", st.Nlink))
	}
	if users[path] {
		return nil
	}
	if f.Kept == "" {
		err = e.unused(n)
		switch {
		case errors.Is(err, ErrRecent):
			e.tooYoung(uint64(st.Blocks) * 512)
			return nil
		case errors.Is(err, ErrInUse), errors.Is(err, ErrChanged), errors.Is(err, fs.ErrNotExist):
			return nil
		case errors.Is(err, ErrUnknown):
			// Whether it is used is not known, so that there is nothing to report: others have
			// objects as well.
			if st.Uid == uint32(os.Geteuid()) && errors.Is(err, ErrUnknown) && st.Mode&0o600 == 0 {
				e.unopenable(address, "Its mode lets nobody open it", fmt.Sprintf("Its mode is %04o.", st.Mode&0o7777), "lstat("+path+")")
			}
			return nil
		case err != nil:
			return err
		}
		f.mendBy(removeIt, e.removal(n))
	} else {
		f.Severity, f.Evidence = Notice, fmt.Sprintf("no process is seen to use it; uid %d; last used %s", st.Uid, e.ago(newest(times(st)...)))
	}
	e.add(f)
	return nil
}

// youngFile counts a file that may be found when it is older, if nobody is seen to use it: who made it may be
// about to open it, and is not to be held up by a lease.
func (e *examination) youngFile(n name, st *syscall.Stat_t, users map[string]bool) {
	me := os.Geteuid()
	if !users[filepath.Join(n.dir, n.file)] && st.Nlink == 1 && (me == 0 || st.Uid == uint32(me)) && keeper(n.file) == "" && e.blind.use(e.ctx, n) == nil {
		e.tooYoung(uint64(st.Blocks) * 512)
	}
}

// unused reports whether nobody uses a file: nil, or why not.
func (e *examination) unused(n name) error {
	if err := e.blind.use(e.ctx, n); err != nil {
		return err
	}
	return n.unused(e.age())
}

// removal removes a file if nobody uses it by then.
func (e *examination) removal(n name) func(context.Context) error {
	b, age := e.blind, e.age()
	return func(ctx context.Context) error {
		err := b.use(ctx, n)
		if err == nil {
			err = n.remove(age)
		}
		return err
	}
}

// what is what a POSIX object is called.
func what(path string) string {
	if strings.HasPrefix(filepath.Base(path), "sem.") {
		return "POSIX semaphore"
	}
	return "POSIX object"
}

func (e *examination) unopenable(address, what, meaning, how string) {
	e.add(Finding{
		Kind: Unopenable, Severity: Warning, Object: address,
		Summary: what, Meaning: meaning, Evidence: how, Command: "shmkit rm " + address,
		Kept: "what it is for is not known",
	})
}

// folder looks at files in a directory of /dev/shm. They are told of together, and none is
// mended: the usual state of a file, unlike that of an object, is to be closed.
func (e *examination) folder(path string, users map[string]bool) error {
	var files int
	var bytes uint64
	var last string
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
				return nil
			}
			return err
		}
		if e.ctx.Err() != nil {
			return e.ctx.Err()
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || users[p] {
			return nil
		}
		st := info.Sys().(*syscall.Stat_t)
		if e.old(times(st)...) && e.unused(nameOf(p, info)) == nil {
			files, bytes, last = files+1, bytes+uint64(st.Blocks)*512, p
		}
		return nil
	})
	if files > 0 {
		e.add(Finding{
			Kind: UnusedFile, Severity: Notice, Object: "file:" + path,
			Summary:  fmt.Sprintf("%s below it, together %s, nobody has open", plural(files, "file"), size(bytes)),
			Meaning:  "They take memory as long as they are there. A file is closed most of the time, so that says little.",
			Evidence: fmt.Sprintf("the kernel grants write leases on them; one is %s", last),
			Command:  "rm -r " + quote(path) + "  # if nobody wants it",
			Kept:     "a file that is closed may be wanted still",
		})
	}
	return err
}

// quote makes a word for a shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// seen returns the paths of what processes are seen to use: also what a lease does not tell of.
func (e *examination) seen() (map[string]bool, error) {
	s, err := inspect.Take(e.ctx, &inspect.Options{Proc: e.Proc, Shm: e.Shm, Kinds: []string{inspect.KindPOSIX, inspect.KindFile}})
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for o, err := range s.Objects() {
		if err == nil && len(o.Users) > 0 {
			used[o.Path] = true
		}
	}
	return used, nil
}
