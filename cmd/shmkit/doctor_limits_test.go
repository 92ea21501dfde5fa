package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/doctor"
	"github.com/shmkit/shmkit/internal/testenv"
)

// lowLimits gives the test a machine of its own whose limits are all reached.
func lowLimits(t *testing.T) bool {
	t.Helper()
	if !ownMachine(t) {
		return false
	}
	ipcmk, ipcrm := testenv.RequireTool(t, "ipcmk"), testenv.RequireTool(t, "ipcrm")
	t.Cleanup(func() { // of this namespace, in which there is nothing else
		if out, err := exec.Command(ipcrm, "--all").CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	for _, arg := range []string{"--shmem=4096", "--semaphore=1", "--queue"} {
		if out, err := exec.Command(ipcmk, arg).CombinedOutput(); err != nil {
			t.Fatalf("ipcmk %s: %v: %s", arg, err, out)
		}
	}
	testenv.SetSysctl(t, "kernel/shmmni", "1")
	testenv.SetSysctl(t, "kernel/shmall", "1")
	testenv.SetSysctl(t, "kernel/sem", "1 1 1 1")
	testenv.SetSysctl(t, "kernel/msgmni", "1")
	if err := os.WriteFile("/dev/shm/full", make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	return true
}

// Each limit is another thing to do: none is summed up with others.
func TestDoctorShowsEachLimit(t *testing.T) {
	if !lowLimits(t) {
		return
	}
	r := run(t, "doctor")
	for _, want := range []string{"SHMMNI\n    1 of 1 ", "SHMALL\n    1 of 1 ", "SEMMNI\n    1 of 1 ", "SEMMNS\n    1 of 1 ", "MSGMNI\n    1 of 1 ", "/dev/shm\n    8 MiB of 8 MiB "} {
		if !strings.Contains(r.out, "\n  "+want) {
			t.Errorf("it does not say %q:\n%s", want, r.out)
		}
	}
	if r.code != exitFailed {
		t.Errorf("exit code %d", r.code)
	}
}

// Limits that are not reached any more when something was removed are no findings that are left.
func TestDoctorMendsLimitsByRemoving(t *testing.T) {
	if !lowLimits(t) {
		return
	}
	r := run(t, "doctor", "--fix", "--yes", "--age", "0", "--json")
	var j doctorJSON
	if err := json.Unmarshal([]byte(r.out), &j); err != nil {
		t.Fatal(err)
	}
	fixed := map[string]bool{}
	for _, f := range j.Findings {
		if f.Kind == doctor.Limit {
			fixed[f.Object] = f.Fixed
		}
	}
	for object, want := range map[string]bool{"SHMMNI": true, "SHMALL": true, "/dev/shm": true, "SEMMNI": false, "SEMMNS": false, "MSGMNI": false} {
		if got, ok := fixed[object]; !ok || got != want {
			t.Errorf("%s: found %t, mended %t, not %t", object, ok, got, want)
		}
	}
	if j.Healthy || r.code != exitFailed { // of sets and queues nobody knows who wants them
		t.Errorf("healthy %t, exit code %d", j.Healthy, r.code)
	}
}
