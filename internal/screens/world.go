package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A world is the processes that the screens show. None of them is ever waited for: they end with
// the namespace.
type world struct{ dir string }

// begin starts all of them, and returns when each has done what it is there for.
func (w *world) begin() error {
	for _, a := range []struct {
		name string // what the process is called
		args []string
	}{
		{"camera", []string{"store", "80"}},
		{"viewer", []string{"load", "80"}},
		{"viewer", []string{"load", "20"}},
		{"ledger", []string{"attach", "64"}},
		{"ledger", []string{"attach", "16"}},
	} {
		if err := w.actor(a.name, a.args...); err != nil {
			return err
		}
	}
	if err := w.run("self", partActor, "leave"); err != nil {
		return err
	}
	for _, line := range []string{
		"shmkit create topic:camera/front --max-message 64K",
		"shmkit create queue:thumbnails --capacity 200",
		"seq 7 | shmkit push thumbnails",
	} {
		if err := w.run("sh", "-c", line); err != nil {
			return err
		}
	}
	for _, line := range []string{
		"exec shmkit echo camera/front >/dev/null",
		"while sleep 0.01; do echo picture; done | exec shmkit pub camera/front",
		"exec shmkit run --lock orders -- sleep 600",
		"exec shmkit memfd run --size 256K -- sleep 600",
	} {
		if err := exec.Command("sh", "-c", line).Start(); err != nil {
			return err
		}
	}
	return w.until("camera/front", "lock:orders", "memfd:")
}

// actor starts this program as a process with a name of its own.
func (w *world) actor(name string, args ...string) error {
	path := filepath.Join(w.dir, name)
	if err := os.Link("/proc/self/exe", path); err != nil && !errors.Is(err, os.ErrExist) {
		if err := copyFile("/proc/self/exe", path); err != nil {
			return err
		}
	}
	cmd := exec.Command(path, append([]string{partActor}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}

// run runs a program to its end; "self" is this one.
func (w *world) run(name string, args ...string) error {
	if name == "self" {
		name = "/proc/self/exe"
	}
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, out)
	}
	return nil
}

// until waits until the list of objects has all of these.
func (w *world) until(words ...string) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("shmkit", "ls").CombinedOutput()
		missing := ""
		for _, word := range words {
			if !bytes.Contains(out, []byte(word)) {
				missing = word
			}
		}
		if err == nil && missing == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not appear: %w\n%s", missing, err, out)
		}
	}
}
