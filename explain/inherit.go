package explain

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/sys"
)

// The processes of the second half of private: a parent, and a program that it starts.

// heirFD is what the program inherits.
const heirFD = 3

// parentRole maps memory and starts a program, to which it hands on what begins with
// "tell".
func parentRole(a *actor) error {
	runtime.LockOSThread() // the program ends with the thread that started it
	var memory *os.File
	var heir *heirProcess
	for {
		line, err := a.hear()
		if err != nil {
			return err
		}
		answer := "ok"
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "map":
			memory, answer, err = makeHeritage()
		case "start":
			heir, err = startHeir(memory)
			if err == nil {
				answer = strconv.Itoa(heir.cmd.Process.Pid)
			}
		case "tell":
			answer, err = heir.ask(rest)
		case "load":
			answer = strconv.Itoa(int(heritage()[0]))
		default:
			err = fmt.Errorf("what is %q?", line)
		}
		if err != nil {
			return err
		}
		if err := a.say("%s", answer); err != nil {
			return err
		}
	}
}

// heritage is the page that the parent maps, and the heir does later.
func heritage() []byte { return sys.Bytes(uintptr(live.Address(0)), model.PageSize) }

func mapHeritage(fd int) error {
	const flags = sys.MAP_SHARED | sys.MAP_FIXED_NOREPLACE
	_, err := sys.Mmap(uintptr(live.Address(0)), model.PageSize, sys.PROT_READ|sys.PROT_WRITE, flags, fd, 0)
	return err
}

func makeHeritage() (memory *os.File, link string, err error) {
	fd, err := sys.MemfdCreate("heritage", sys.MFD_CLOEXEC)
	if err != nil {
		return nil, "", err
	}
	memory = os.NewFile(uintptr(fd), "heritage")
	if err := memory.Truncate(model.PageSize); err != nil {
		return nil, "", err
	}
	if err := mapHeritage(fd); err != nil {
		return nil, "", err
	}
	heritage()[0] = 5
	link, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	return memory, link, err
}

// An heirProcess is the program that the parent started.
type heirProcess struct {
	cmd    *exec.Cmd
	stdin  io.Writer
	stdout *bufio.Reader
}

func startHeir(memory *os.File) (*heirProcess, error) {
	const role = "private/heir"
	cmd := exec.Command("/proc/self/exe", "explain:"+role)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), childEnv(role)...)
	cmd.ExtraFiles = []*os.File{memory} // as its descriptor 3
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &heirProcess{cmd, stdin, bufio.NewReader(stdout)}, cmd.Start()
}

func (h *heirProcess) ask(line string) (string, error) {
	if _, err := io.WriteString(h.stdin, line+"\n"); err != nil {
		return "", err
	}
	answer, err := h.stdout.ReadString('\n')
	return strings.TrimSuffix(answer, "\n"), err
}

// heirRole has inherited a descriptor.
func heirRole(a *actor) error {
	for {
		line, err := a.hear()
		if err != nil {
			return err
		}
		answer := "ok"
		switch line {
		case "load":
			answer = loadHeritage()
		case "map":
			err = mapHeritage(heirFD)
			if err == nil {
				answer = loadHeritage()
			}
		case "store":
			heritage()[0] = 6
		default:
			err = fmt.Errorf("what is %q?", line)
		}
		if err != nil {
			return err
		}
		if err := a.say("%s", answer); err != nil {
			return err
		}
	}
}

// loadHeritage loads the first byte, or tells where there was a fault.
func loadHeritage() (answer string) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch e := recover().(type) {
		case nil:
		case interface{ Addr() uintptr }:
			answer = fmt.Sprintf("a fault at %#x", e.Addr())
		default:
			panic(e)
		}
	}()
	return strconv.Itoa(int(heritage()[0]))
}
