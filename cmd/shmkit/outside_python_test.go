package main

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// sharer shares memory with a process of its own, says so, and ends with its input.
const sharer = `
import multiprocessing, sys
from multiprocessing import shared_memory

def child(name, conn):
    memory = shared_memory.SharedMemory(name=name)
    memory.buf[0] = 1
    conn.send("ready")
    conn.recv()
    memory.close()

if __name__ == "__main__":
    memory = shared_memory.SharedMemory(name=sys.argv[1], create=True, size=1 << 20)
    try:
        for i in range(0, 100 * 4096, 4096):
            memory.buf[i] = 1
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=child, args=(memory.name, theirs))
        process.start()
        ours.recv()
        print("ready", process.pid, flush=True)
        sys.stdin.read()
        ours.send("end")
        process.join()
    finally:
        memory.close()
        memory.unlink()
`

func TestPythonsSharedMemoryIsSeenAsProcShowsIt(t *testing.T) {
	beside(t)
	python := testenv.RequireTool(t, "python3")
	if out, err := exec.Command(python, "-c", "import multiprocessing.shared_memory").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
			t.Fatalf("python3 lacks multiprocessing, which CI has to install: %s", out)
		}
		t.Skip("python3 lacks multiprocessing (Debian: libpython3-stdlib)")
	}
	script := t.TempDir() + "/sharer.py"
	if err := os.WriteFile(script, []byte(sharer), 0o600); err != nil {
		t.Fatal(err)
	}
	name := testenv.Name(t)
	cmd := exec.Command(python, script, name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := testenv.StartCommand(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("python: %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) != 2 || words[0] != "ready" {
		t.Fatalf("python says %q, %v", line, err)
	}
	child, _ := strconv.Atoi(words[1])
	pids := []int{cmd.Process.Pid, child}
	things := sameAsProc(t, 1, func() []int { return pids })
	address := "posix:/" + name
	found := false
	for _, f := range things {
		if f.s("address") == address {
			found = true
			if f.n(t, "size") != 1<<20 || f.n(t, "resident") < 100*4096 || f.s("mapped_by") != "2" {
				t.Errorf("%v", f)
			}
		}
	}
	if !found {
		t.Errorf("%s is not among %v", address, things)
	}
	resident := map[string]int64{}
	for _, u := range kindFacts(t, "stat", address)[0].users() {
		resident[u.s("pid")] = u.n(t, "resident")
		if len(u["descriptors"].([]any)) == 0 {
			t.Errorf("process %s has no descriptor", u.s("pid"))
		}
	}
	parent := resident[strconv.Itoa(cmd.Process.Pid)]
	if one := resident[strconv.Itoa(child)]; len(resident) != 2 || parent < 100*4096 || one == 0 || one >= parent {
		t.Errorf("resident in each: %v", resident)
	}
	sameAsLsof(t, address, "/dev/shm/"+name)
}
