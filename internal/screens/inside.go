package main

import (
	"fmt"
	"os"
	"syscall"
)

// inside is the first process of the namespaces: when it ends, all others of them do.
func inside(dir string) error {
	if err := mounts(); err != nil {
		return err
	}
	for _, name := range []string{"SHMKIT_DIR", "NO_COLOR"} {
		os.Unsetenv(name)
	}
	os.Setenv("TERM", "dumb")
	os.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	w := &world{dir: dir}
	if err := w.begin(); err != nil {
		return err
	}
	r, err := openReadme()
	if err != nil {
		return err
	}
	for _, s := range screens {
		text, err := w.take(s)
		if err != nil {
			return fmt.Errorf("screen %s: %w", s.name, err)
		}
		if err := r.put(s.name, text); err != nil {
			return err
		}
	}
	return r.write()
}

// mounts gives this world a /proc and a /dev/shm of its own.
func mounts() error {
	for _, m := range []struct {
		source, at, kind string
		flags            uintptr
		data             string
	}{
		{"", "/", "", syscall.MS_REC | syscall.MS_PRIVATE, ""},
		{"proc", "/proc", "proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, ""},
		{"tmpfs", "/dev/shm", "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777,size=1g"},
	} {
		if err := syscall.Mount(m.source, m.at, m.kind, m.flags, m.data); err != nil {
			return fmt.Errorf("mount on %s: %w", m.at, err)
		}
	}
	return nil
}
