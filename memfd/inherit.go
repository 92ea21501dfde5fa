package memfd

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Variable is the environment variable that tells a child what it inherits: for each
// memfd "NAME:DESCRIPTOR:DEVICE:INODE", the name escaped as in a URL's query and the
// numbers decimal, with commas between them. Device and inode are what fstat(2) says of the
// descriptor: a process that finds something else behind the number, or nothing,
// knows that the variable was meant for one of its ancestors.
const Variable = "SHMKIT_MEMFD"

// firstExtra is the descriptor of the first of exec.Cmd.ExtraFiles.
const firstExtra = 3

// inherited is one memfd in Variable.
type inherited struct {
	name   string
	fd     int
	device uint64
	inode  uint64
}

func (i inherited) String() string {
	return fmt.Sprintf("%s:%d:%d:%d", url.QueryEscape(i.name), i.fd, i.device, i.inode)
}

// is reports whether the file is the one that was passed.
func (i inherited) is(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && uint64(st.Dev) == i.device && st.Ino == i.inode
}

// parseVariable parses the value of Variable.
func parseVariable(value string) ([]inherited, error) {
	var all []inherited
	for word := range strings.SplitSeq(value, ",") {
		if word == "" {
			continue
		}
		i, err := parseInherited(word)
		if err != nil {
			return nil, fmt.Errorf("%q in %s: %w", word, Variable, err)
		}
		all = append(all, i)
	}
	return all, nil
}

func parseInherited(word string) (i inherited, err error) {
	fields := strings.Split(word, ":")
	if len(fields) != 4 {
		return i, errors.New("not NAME:DESCRIPTOR:DEVICE:INODE")
	}
	var errs [4]error
	i.name, errs[0] = url.QueryUnescape(fields[0])
	i.fd, errs[1] = strconv.Atoi(fields[1])
	i.device, errs[2] = strconv.ParseUint(fields[2], 10, 64)
	i.inode, errs[3] = strconv.ParseUint(fields[3], 10, 64)
	if err := cmp.Or(errs[:]...); err != nil {
		return i, err
	}
	if i.fd < firstExtra || i.fd > 1<<30 {
		return i, errors.New("the descriptor is none that is passed on")
	}
	return i, nil
}

func formatVariable(all []inherited) string {
	words := make([]string, len(all))
	for n, i := range all {
		words[n] = i.String()
	}
	return strings.Join(words, ",")
}

// Pass makes a command that has not been started inherit the memory, under a name for
// Inherited, and returns the number that the descriptor will have there: the program
// can also open /proc/self/fd/NUMBER, and need not be a Go program. It adds to
// cmd.ExtraFiles and sets Variable in cmd.Env; what else is put there, before or after,
// stays, but nothing may be put before it in ExtraFiles. Several can be passed. f must
// stay open until the command was started.
//
// Errors: fs.ErrExist: something is passed under that name already. shmkit.ErrClosed.
func Pass(cmd *exec.Cmd, name string, f *File) (fd int, err error) {
	err = f.use(func(file *os.File) error {
		if cmd.Process != nil {
			return errors.New("the command was started already")
		}
		info, err := file.Stat()
		if err != nil {
			return err
		}
		// What this process itself inherited may stand in the variable: it stays here.
		env := cmd.Environ()
		others := slices.DeleteFunc(passedIn(env), func(i inherited) bool { return !passes(cmd, i) })
		if slices.ContainsFunc(others, func(i inherited) bool { return i.name == name }) {
			return fmt.Errorf("the name %q: %w", name, fs.ErrExist)
		}
		st := info.Sys().(*syscall.Stat_t)
		i := inherited{name: name, fd: firstExtra + len(cmd.ExtraFiles), device: uint64(st.Dev), inode: st.Ino}
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
		cmd.Env = append(env, Variable+"="+formatVariable(append(others, i)))
		fd = i.fd
		return nil
	})
	if err != nil {
		return 0, f.fail("pass", err, "")
	}
	return fd, nil
}

// passedIn returns what Variable says in an environment, nothing if it is malformed.
func passedIn(env []string) []inherited {
	for _, kv := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(kv, Variable+"="); ok {
			all, _ := parseVariable(value)
			return all
		}
	}
	return nil
}

// passes reports whether cmd will really have i.
func passes(cmd *exec.Cmd, i inherited) bool {
	at := i.fd - firstExtra
	if at >= len(cmd.ExtraFiles) || cmd.ExtraFiles[at] == nil {
		return false
	}
	info, err := cmd.ExtraFiles[at].Stat()
	return err == nil && i.is(info)
}

// takeMu makes taking out of the environment, of which a process has one, one step.
var takeMu sync.Mutex

// Inherited takes the memory that the process was started with under a name, after it
// checked it against want; nil wants it sealed against shrinking. The descriptor then
// is the File's, close-on-exec, and the name is taken out of the environment: the
// memory can be taken once, and is not passed on, but by Pass. Until it is taken every
// program that this one starts or becomes may have it.
//
// Errors: ErrNotPassed (fs.ErrNotExist): there is none of that name, or it was taken, or did
// not get here because a process in between kept it. ErrNotMemfd, ErrUnsealed and
// ErrWrongSize, after which it is closed.
func Inherited(name string, want *Want) (*File, error) {
	takeMu.Lock()
	defer takeMu.Unlock()
	object := fmt.Sprintf("memfd %q", name)
	fail := func(err error, hint string) (*File, error) {
		return nil, &Error{Op: "inherit", Object: object, Err: err, Hint: hint}
	}
	value, ok := os.LookupEnv(Variable)
	if !ok {
		return fail(ErrNotPassed, "the environment has no "+Variable)
	}
	all, err := parseVariable(value)
	if err != nil {
		return fail(syscall.EINVAL, err.Error())
	}
	at := slices.IndexFunc(all, func(i inherited) bool { return i.name == name })
	if at < 0 {
		return fail(ErrNotPassed, fmt.Sprintf("%s=%s does not have it", Variable, value))
	}
	i := all[at]
	if !i.here() {
		return fail(ErrNotPassed, fmt.Sprintf("descriptor %d is something else here: a process in between did not pass it on", i.fd))
	}
	if slices.ContainsFunc(all, func(o inherited) bool { return o.name != name && o.fd == i.fd }) {
		return fail(syscall.EINVAL, fmt.Sprintf("%s gives descriptor %d to two names", Variable, i.fd))
	}
	syscall.CloseOnExec(i.fd)
	rest := formatVariable(slices.Delete(all, at, at+1))
	if rest == "" {
		err = os.Unsetenv(Variable)
	} else {
		err = os.Setenv(Variable, rest)
	}
	if err != nil {
		return fail(err, "")
	}
	return adopt(i.fd, "inherit", object, want)
}

// InheritedNames returns the names that Inherited can take now.
func InheritedNames() []string {
	takeMu.Lock()
	defer takeMu.Unlock()
	all, _ := parseVariable(os.Getenv(Variable))
	var names []string
	for _, i := range all {
		if i.here() {
			names = append(names, i.name)
		}
	}
	return names
}

// here reports whether this process has the descriptor.
func (i inherited) here() bool {
	var st syscall.Stat_t
	return syscall.Fstat(i.fd, &st) == nil && uint64(st.Dev) == i.device && st.Ino == i.inode
}
