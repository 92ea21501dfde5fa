package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
)

// scenarios are tests that fail, skip, leak or never end. TestScenario plays one
// of them in a run of its own, and the tests that start it say what must follow.
var scenarios = map[string]func(t *testing.T){
	"clean": func(t *testing.T) {
		key := KeyLeakChecked(t)
		id := shmget(t, key)
		p := Start(t, "echo")
		p.Send("hello")
		p.Expect("hello")
		if err := sys.ShmRemove(id); err != nil {
			t.Fatal(err)
		}
	},
	"expect": func(t *testing.T) { Start(t, "fail").Expect("something") },
	"parent": func(t *testing.T) {
		kinds := []*StartOptions{nil}
		if os.Geteuid() == 0 {
			kinds = append(kinds, &StartOptions{Credential: Nobody(t)}, &StartOptions{DropCaps: []Capability{CapIPCOwner}})
		}
		for _, opts := range kinds {
			p := StartWith(t, opts, "echo")
			p.Send("ready")
			p.Expect("ready")
			fmt.Println(p.Pid())
		}
		fmt.Println("all")
		select {} // until killed
	},

	"own ipc": func(t *testing.T) {
		key := Key(t)
		shmget(t, key)
		for _, key := range []int32{key, 0} { // without a key nobody knows whose it is
			if _, err := sys.Semget(key, 1, sys.IPC_CREAT|0o600); err != nil {
				t.Fatal(err)
			}
		}
		here, err := ipcNamespace()
		if err != nil {
			t.Fatal(err)
		}
		p := Start(t, "echo") // a child, which is in the namespace as well
		p.Send("hello")
		p.Expect("hello")
		fmt.Println(p.Pid())
		fmt.Println(here)
		select {} // until killed
	},

	"same process": func(t *testing.T) {
		fmt.Println(os.Getpid(), os.Args[1:])
		f := os.NewFile(3, "inherited")
		if _, err := f.WriteString("descriptor 3"); err != nil {
			t.Error(err)
		}
		t.Error(f.Close())
	},

	"private skip": func(t *testing.T) {
		if InPrivateIPC(t) {
			t.Skip("for this very reason")
		}
	},
	"private flags": func(t *testing.T) {
		if InPrivateIPC(t) {
			deadline, ok := t.Deadline()
			t.Logf("short %t, limited %t", testing.Short(), ok && time.Until(deadline) < time.Hour)
		}
	},
	"private fail": func(t *testing.T) {
		if InPrivateIPC(t) {
			t.Error("for that very reason")
		}
	},
	"private panic": func(t *testing.T) {
		if InPrivateIPC(t) {
			panic("for no reason")
		}
	},
	"private leak": func(t *testing.T) {
		if InPrivateIPC(t) {
			if _, err := sys.Semget(0, 1, 0o600); err != nil { // without a key: nobody's, elsewhere
				t.Fatal(err)
			}
		}
	},
	"private none": func(t *testing.T) {
		// In the child the subtest has another name, so nothing matches.
		t.Run(strconv.Itoa(os.Getpid()), func(t *testing.T) { InPrivateIPC(t) })
	},
	"sysctl outside": func(t *testing.T) { SetSysctl(t, "kernel/shmmni", "5") },
	"sysctl of all": func(t *testing.T) {
		if InPrivateIPC(t) {
			SetSysctl(t, "kernel/pid_max", "40000")
		}
	},

	"leak": func(t *testing.T) {
		shmget(t, keys.take(t))
		shmget(t, 0)
		if _, err := sys.Semget(keys.take(t), 1, sys.IPC_CREAT|0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := sys.Msgget(keys.take(t), sys.IPC_CREAT|0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Mmap(-1, 0, 8192, syscall.PROT_READ, syscall.MAP_SHARED|syscall.MAP_ANON); err != nil {
			t.Fatal(err)
		}
		go hang()
		var pipe [2]int
		if err := syscall.Pipe2(pipe[:], syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		startRaw(t, "echo", os.NewFile(uintptr(pipe[0]), "stdin")) // pipe[1] stays open: it waits
		startRaw(t, "fail", nil)                                   // ends at once: a zombie
		if err := os.WriteFile(leakedName(), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		fmt.Println("made", leakedName())
	},

	"key left":         func(t *testing.T) { shmget(t, Key(t)) },
	"checked key left": func(t *testing.T) { shmget(t, KeyLeakChecked(t)) },
	"no such tool":     func(t *testing.T) { RequireTool(t, "shmkit-no-such-tool") },
}

// shmget makes a segment of one page.
func shmget(t *testing.T, key int32) int {
	t.Helper()
	id, err := sys.Shmget(key, 4096, sys.IPC_CREAT|sys.IPC_EXCL|0o600)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// startRaw starts a role without anything that would end or reap it.
func startRaw(t *testing.T, role string, stdin *os.File) {
	t.Helper()
	cmd := exec.Command(selfExe)
	cmd.Env = childEnv(nil, envRole+"="+role)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if err := spawn(cmd); err != nil {
		t.Fatal(err)
	}
}

// leakedName is a file as a test of this process might leave it.
func leakedName() string { return shmDir + "/" + namePrefix() + "leaked" }

// hang is a goroutine that nobody ends.
func hang() { select {} }
