package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
)

// startChromium starts a browser without a window on a page with something to draw.
func startChromium(t *testing.T) *exec.Cmd {
	t.Helper()
	browser := testenv.RequireTool(t, "chromium")
	dir, err := os.MkdirTemp("", "shmkit-outside-")
	if err != nil {
		t.Fatal(err)
	}
	page := dir + "/page.html"
	if err := os.WriteFile(page, []byte("<canvas id=c width=2000 height=2000></canvas><script>document.getElementById('c').getContext('2d').fillRect(0, 0, 999, 999)</script>"), 0o600); err != nil {
		t.Fatal(err)
	}
	var errs tap
	cmd := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-crash-reporter", "--disable-breakpad", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0", "--user-data-dir="+dir, "file://"+page)
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir) // it leaves folders in both
	cmd.Stdout, cmd.Stderr = &errs, &errs
	cmd.WaitDelay = 10 * time.Second                                                  // its children have the pipe as well
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // it ends its children
	if err := testenv.StartCommand(cmd); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Error("the browser did not end")
		}
		// What is left of its group, which has no other members.
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-done
		testenv.Eventually(t, "its files can be removed", func() bool { return os.RemoveAll(dir) == nil })
	})
	testenv.Eventually(t, "the browser listens", func() bool { return strings.Contains(errs.String(), "DevTools listening") })
	return cmd
}

// Chromium's processes share memory that has lost its name, or never had one.
func TestChromiumsMemoryIsSeenAsProcShowsIt(t *testing.T) {
	beside(t)
	cmd := startChromium(t)
	things := sameAsProc(t, 3, func() []int { return inTree(t, cmd.Process.Pid) })
	nameless := 0
	for _, f := range things {
		if f["removed"] == true || f.s("kind") == "memfd" || f.s("kind") == "map" {
			nameless++
		}
	}
	if nameless == 0 {
		t.Errorf("all has a name: %v", things)
	}
}
