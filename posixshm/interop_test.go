package posixshm_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

// foreigner is a program in another language, waiting for lines.
type foreigner struct {
	t     *testing.T
	stdin io.Writer
	line  func() string
}

// startForeigner starts a program that ends at the end of its input.
func startForeigner(t *testing.T, name string, args ...string) foreigner {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	ok(t, err)
	stdout, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
	})
	return foreigner{t, stdin, func() string {
		var line strings.Builder
		for b := []byte{0}; b[0] != '\n'; line.WriteByte(b[0]) {
			if _, err := stdout.Read(b); err != nil {
				t.Fatalf("%s %q: %v after %q", name, args, err, line.String())
			}
		}
		return strings.TrimSpace(line.String())
	}}
}

// startC starts a command of the C program that waits.
func startC(t *testing.T, args ...string) foreigner {
	t.Helper()
	return startForeigner(t, testenv.CompileC(t, shmInC), args...)
}

func (p foreigner) expect(line string) {
	p.t.Helper()
	if got := p.line(); got != line {
		p.t.Fatalf("the program said %q, want %q", got, line)
	}
}

func (p foreigner) send(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.stdin, line+"\n")
	ok(p.t, err)
}

func TestCReadsAndWritesOurObject(t *testing.T) {
	name := freeName(t)
	obj := create(t, posixshm.Default, name, 4097, nil)
	m := mapped(t, obj, nil)
	write(t, m, 4090, "from Go")
	if got := inC(t, "size", name); got != "4097\n" {
		t.Errorf("C sees %q bytes", got)
	}
	if got := inC(t, "read", name, "4090", "7"); got != "from Go" {
		t.Errorf("C reads %q", got)
	}
	inC(t, "write", "/"+name[1:], "100", "from C")
	if got := text(t, m, 100, 6); got != "from C" {
		t.Errorf("Go reads %q", got)
	}
	inC(t, "unlink", name)
	if !stat(t, obj).Removed {
		t.Error("C removed it, and Go does not see that")
	}
	write(t, m, 0, "still here")
}

func TestWeReadAndWriteAnObjectOfC(t *testing.T) {
	for _, size := range []int64{1, 100, 4096, 4097, 1<<20 + 1} {
		name := freeName(t)
		inC(t, "create", name, fmt.Sprint(size), "600", "022")
		inC(t, "write", name, "0", "C")
		obj := open(t, posixshm.Default, name, nil)
		m := mapped(t, obj, nil)
		if int64(m.Len()) != size || text(t, m, 0, 1) != "C" {
			t.Errorf("size %d: %v with %q", size, m, text(t, m, 0, 1))
		}
		write(t, m, size-1, "G")
		if got := inC(t, "read", name, fmt.Sprint(size-1), "1"); got != "G" {
			t.Errorf("C reads %q", got)
		}
		ok(t, obj.Remove())
	}
}

// The same mode and umask give the same permissions, and the same name the same object.
func TestModeIsThatOfShmOpen(t *testing.T) {
	p := startAgent(t, nil)
	for _, mode := range []uint32{0o600, 0o666, 0o777, 0o640, 0o400} {
		for _, umask := range []uint32{0o22, 0o77, 0o27, 0o777, 0o1} {
			name := freeName(t)
			inC(t, "create", name, "100", fmt.Sprintf("%o", mode), fmt.Sprintf("%o", umask))
			info, err := posixshm.Stat(name)
			ok(t, err)
			ok(t, posixshm.Remove(name))
			a := ask(t, p, order{Do: "create", Name: name, Size: 100, Mode: mode, Umask: umask})
			if a.Error != "" || a.Info.Mode != info.Mode || a.Info.Mode != fs.FileMode(mode&^umask) || a.Info.UID != info.UID || a.Info.GID != info.GID {
				t.Errorf("mode %o, umask %o: %+v, and by C %+v; %s", mode, umask, a.Info, info, a.Error)
			}
			ok(t, posixshm.Remove(name))
		}
	}
}

// pythonPeer attaches to or makes a multiprocessing.shared_memory and does what it is
// told. Before 3.13 the resource tracker has to be talked out of removing what this
// process did not make.
const pythonPeer = `
import sys
from multiprocessing import shared_memory
how, name, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
if how == "create":
    shm = shared_memory.SharedMemory(name=name, create=True, size=size)
elif sys.version_info >= (3, 13):
    shm = shared_memory.SharedMemory(name=name, track=False)
else:
    shm = shared_memory.SharedMemory(name=name)
    from multiprocessing import resource_tracker
    resource_tracker.unregister(shm._name, "shared_memory")
print("size", shm.size, flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == "write":
        off, data = int(words[1]), words[2].encode()
        shm.buf[off:off+len(data)] = data
        print("ok", flush=True)
    elif words[0] == "read":
        off, n = int(words[1]), int(words[2])
        print(bytes(shm.buf[off:off+n]).decode(), flush=True)
    elif words[0] == "unlink":
        shm.unlink()
        print("ok", flush=True)
shm.close()
`

func startPython(t *testing.T, how, name string, size int64) foreigner {
	t.Helper()
	python := testenv.RequireTool(t, "python3")
	if out, err := exec.Command(python, "-c", "from multiprocessing import shared_memory").CombinedOutput(); err != nil {
		t.Skipf("this Python has no multiprocessing.shared_memory (3.8 has): %s", out)
	}
	p := startForeigner(t, python, "-c", pythonPeer, how, strings.TrimPrefix(name, "/"), fmt.Sprint(size))
	p.expect(fmt.Sprint("size ", size))
	return p
}

func TestPythonReadsAndWritesOurObject(t *testing.T) {
	name := freeName(t)
	obj := create(t, posixshm.Default, name, 5001, nil)
	m := mapped(t, obj, nil)
	write(t, m, 4990, "from-Go")
	t.Run("python", func(t *testing.T) {
		p := startPython(t, "open", name, 5001)
		p.send("read 4990 7")
		p.expect("from-Go")
		p.send("write 5000 P")
		p.expect("ok")
		write(t, m, 0, "again")
		p.send("read 0 5")
		p.expect("again")
	})
	// The other process has ended by now.
	if got := text(t, m, 5000, 1); got != "P" {
		t.Errorf("Go reads %q", got)
	}
	if info := stat(t, obj); info.Removed || info.Size != 5001 {
		t.Errorf("Python's end changed it: %+v", info)
	}
	ok(t, obj.Remove())
}

func TestWeReadAndWriteAnObjectOfPython(t *testing.T) {
	for _, size := range []int64{1, 4096, 5001} {
		name := freeName(t)
		p := startPython(t, "create", name, size)
		p.send("write 0 P")
		p.expect("ok")
		obj := open(t, posixshm.Default, name, nil)
		m := mapped(t, obj, nil)
		if int64(m.Len()) != size || text(t, m, 0, 1) != "P" {
			t.Errorf("size %d: %v with %q", size, m, text(t, m, 0, 1))
		}
		write(t, m, size-1, "G")
		p.send(fmt.Sprintf("read %d 1", size-1))
		p.expect("G")
		p.send("unlink")
		p.expect("ok")
		if !stat(t, obj).Removed {
			t.Error("Python removed it, and Go does not see that")
		}
		write(t, m, 0, "x")
	}
}
