package doctor

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// settings looks at what the machine is told to do with shared memory.
func (e *examination) settings() error {
	return errors.Join(e.protected(), e.forced(), e.leases(), e.hugeShmem(), e.logind(os.Geteuid()))
}

func (e *examination) protected() error {
	n, err := e.numbers("sys/fs/protected_regular", 1)
	if err != nil {
		return missing(err)
	}
	if n[0] == 0 {
		return nil
	}
	e.add(Finding{
		Kind: ProtectedOpen, Severity: Notice, Object: "fs.protected_regular",
		Summary:  fmt.Sprintf("fs.protected_regular is %d", n[0]),
		Meaning:  "shm_open with O_CREAT of an object that exists and is another user's fails with EACCES, for root as well, whatever its mode. Open it without O_CREAT first; posixshm.OpenOrCreate does.",
		Evidence: e.proc("sys/fs/protected_regular"),
		Command:  "sysctl -w fs.protected_regular=0",
	})
	return nil
}

func (e *examination) forced() error {
	n, err := e.numbers("sys/kernel/shm_rmid_forced", 1)
	if err != nil {
		return missing(err)
	}
	if n[0] == 0 {
		return nil
	}
	e.add(Finding{
		Kind: RemoveForced, Severity: Notice, Object: "kernel.shm_rmid_forced",
		Summary:  "kernel.shm_rmid_forced is 1",
		Meaning:  "A System V segment is removed with the process that made it, or its last attachment: none can be left for the next process.",
		Evidence: e.proc("sys/kernel/shm_rmid_forced"),
		Command:  "sysctl -w kernel.shm_rmid_forced=0",
	})
	return nil
}

func (e *examination) leases() error {
	n, err := e.numbers("sys/fs/leases-enable", 1)
	if err != nil {
		return missing(err)
	}
	if n[0] != 0 {
		return nil
	}
	e.add(Finding{
		Kind: NoLeases, Severity: Notice, Object: "fs.leases-enable",
		Summary:  "fs.leases-enable is 0",
		Meaning:  "Whether somebody uses a POSIX object cannot be asked: none is told of, and none removed.",
		Evidence: e.proc("sys/fs/leases-enable"),
		Command:  "sysctl -w fs.leases-enable=1",
	})
	return nil
}

// firstUser is the first user that is a person: logind lets those below keep what they have.
const firstUser = 1000

// logind looks at RemoveIPC: whether what a user has in shared memory goes when he logs out.
func (e *examination) logind(uid int) error {
	if uid != 0 && uid < firstUser || !e.runs("systemd-logind") {
		return nil
	}
	if e.lingers(uid) {
		return nil
	}
	value, file, err := e.removeIPC()
	if err != nil {
		return err
	}
	if !yes(value) {
		return nil
	}
	where := "it is the default, and no logind.conf says otherwise"
	if file != "" {
		where = file + " says so"
	}
	e.add(Finding{
		Kind: RemoveIPC, Severity: Notice, Object: "logind.conf",
		Summary:  "RemoveIPC is on",
		Meaning:  "When an ordinary user's last session ends, systemd-logind removes his System V and POSIX objects, also under services that run as him. Users below 1000, and who lingers, keep theirs.",
		Evidence: "systemd-logind runs; " + where,
		Command:  "mkdir -p /etc/systemd/logind.conf.d && printf '[Login]\\nRemoveIPC=no\\n' > /etc/systemd/logind.conf.d/ipc.conf && systemctl restart systemd-logind  # or: loginctl enable-linger USER",
	})
	return nil
}

// lingers reports whether a user's manager stays when he logs out, and with it what is his.
func (e *examination) lingers(uid int) bool {
	if uid == 0 { // it is about all others
		return false
	}
	text, err := os.ReadFile(e.root("etc/passwd"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.SplitN(line, ":", 4); len(f) == 4 && f[2] == itoa(uid) {
			_, err := os.Stat(e.root("var/lib/systemd/linger", filepath.Base(f[0])))
			return err == nil
		}
	}
	return false
}

// runs reports whether there is a process of a name.
func (e *examination) runs(command string) bool {
	entries, err := os.ReadDir(e.proc())
	if err != nil {
		return false
	}
	// The kernel keeps 15 bytes.
	command = command[:min(len(command), 15)]
	return slices.ContainsFunc(entries, func(entry os.DirEntry) bool {
		if c := entry.Name()[0]; c < '1' || c > '9' {
			return false
		}
		comm, err := os.ReadFile(e.proc(entry.Name(), "comm"))
		return err == nil && strings.TrimSuffix(string(comm), "\n") == command
	})
}

// logindDirs are where logind.conf and logind.conf.d may be; the first has precedence.
var logindDirs = []string{"etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd", "lib/systemd"}

// removeIPC returns the setting and the file it is from, "yes" and "" if it is the default: the
// main file first, then what is in the directories, by name; of one name the first directory's.
func (e *examination) removeIPC() (value, file string, err error) {
	value = "yes"
	read := func(path string) error {
		text, err := os.ReadFile(path)
		if err != nil {
			return missing(err)
		}
		if v, ok := setting(string(text), "Login", "RemoveIPC"); ok && v == "" {
			value, file = "yes", ""
		} else if ok {
			value, file = v, path
		}
		return nil
	}
	for _, dir := range logindDirs {
		path := e.root(dir, "logind.conf")
		if _, err := os.Stat(path); err == nil {
			if err := read(path); err != nil {
				return "", "", err
			}
			break
		}
	}
	files := map[string]string{}
	for _, dir := range slices.Backward(logindDirs) {
		paths, err := filepath.Glob(filepath.Join(globbed(e.root(dir, "logind.conf.d")), "*.conf"))
		if err != nil {
			return "", "", err
		}
		for _, path := range paths {
			files[filepath.Base(path)] = path
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := read(files[name]); err != nil {
			return "", "", err
		}
	}
	return value, file, nil
}

// setting returns the last value of a key in a section of a file of systemd's.
func setting(text, section, key string) (value string, ok bool) {
	in := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			in = line == "["+section+"]"
		case in:
			if k, v, found := strings.Cut(line, "="); found && strings.TrimSpace(k) == key {
				value, ok = strings.TrimSpace(v), true
			}
		}
	}
	return value, ok
}

// yes is what systemd takes for true.
func yes(value string) bool {
	return slices.Contains([]string{"1", "yes", "y", "true", "t", "on"}, strings.ToLower(value))
}
