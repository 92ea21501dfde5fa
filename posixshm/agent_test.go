package posixshm_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

// An order is what an agent, another process, is told to do.
type order struct {
	Do   string // "create", "open or create", "open", "remove", "stat", "list", "chmod", "chown"
	Dir  posixshm.Dir
	Name string
	Size int64
	Tag  uint64 // of the content it fills in; 0: none

	Replace, AnyOwner, ReadOnly, ExactMode bool
	Mode, Umask                            uint32 // Umask 0 changes nothing

	// Gate is an object whose first word counts those that have come to fill theirs; they
	// wait there a little for company.
	Gate string

	NoFiles  bool   // with no descriptor left
	FileSize uint64 // RLIMIT_FSIZE, if not 0
	KillAt   string // point at which it kills itself
	Report   bool   // it tells which points it came to
}

// An answer is what came of it.
type answer struct {
	Error   string // as describe has it
	Created bool
	Info    posixshm.Info
	Names   []string // of a list
	Points  []string
}

// agent carries out orders, one JSON object a line.
func agent([]string) error {
	for {
		line, err := testenv.Hear()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var o order
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			return err
		}
		var a answer
		if err := o.carryOut(&a); err != nil {
			a.Error = describe(err)
		}
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		if err := testenv.Say("%s", text); err != nil {
			return err
		}
	}
}

func (o *order) carryOut(a *answer) error {
	posixshm.SetPoint(func(name string) {
		a.Points = append(a.Points, name)
		if name == o.KillAt {
			killSelf()
		}
	})
	if o.Umask != 0 {
		defer syscall.Umask(syscall.Umask(int(o.Umask)))
	}
	for limit, to := range map[int]uint64{rlimitFsize: o.FileSize, syscall.RLIMIT_NOFILE: o.files()} {
		if to == 0 {
			continue
		}
		var old syscall.Rlimit
		if err := syscall.Getrlimit(limit, &old); err != nil {
			return err
		}
		if err := syscall.Setrlimit(limit, &syscall.Rlimit{Cur: to, Max: old.Max}); err != nil {
			return err
		}
		defer syscall.Setrlimit(limit, &old)
	}
	options := &posixshm.Options{
		Replace: o.Replace, Mode: fs.FileMode(o.Mode), ExactMode: o.ExactMode, AnyOwner: o.AnyOwner,
	}
	if o.Tag != 0 {
		options.Init = func(m *shmkit.Mapping) error {
			return errors.Join(fill(m, o.Tag), o.meet())
		}
	}
	var obj *posixshm.Object
	var err error
	switch o.Do {
	case "create":
		obj, err = o.Dir.Create(o.Name, o.Size, options)
	case "open or create":
		obj, err = o.Dir.OpenOrCreate(o.Name, o.Size, options)
	case "remove":
		return o.Dir.Remove(o.Name)
	case "stat":
		a.Info, err = o.Dir.Stat(o.Name)
		return err
	case "list":
		all, err := o.Dir.List()
		for _, info := range all {
			a.Names = append(a.Names, info.Name)
		}
		return err
	default:
		obj, err = o.Dir.Open(o.Name, &posixshm.OpenOptions{AnyOwner: o.AnyOwner, ReadOnly: o.ReadOnly})
	}
	if err != nil {
		return err
	}
	defer obj.Close()
	a.Created = obj.Created()
	switch o.Do {
	case "chmod":
		err = obj.Chmod(fs.FileMode(o.Mode))
	case "chown":
		err = obj.Chown(12345, -1)
	}
	if err != nil {
		return err
	}
	a.Info, err = obj.Stat()
	return err
}

// meet waits at the gate, not for ever: some may be dead.
func (o *order) meet() error {
	if o.Gate == "" {
		return nil
	}
	gate, err := posixshm.Open(o.Gate, nil)
	if err != nil {
		return err
	}
	defer gate.Close()
	m, err := gate.Map(nil)
	if err != nil {
		return err
	}
	defer m.Close()
	n, err := m.Add32(0, 1)
	for i := 0; i < 5000 && n < racers/2 && err == nil; i++ {
		runtime.Gosched()
		n, err = m.Load32(0)
	}
	return err
}

const rlimitFsize = 1

// files is the limit of descriptors under which none is left; 0 is no limit.
func (o *order) files() uint64 {
	if !o.NoFiles {
		return 0
	}
	fds, err := openDescriptors()
	if err != nil {
		panic(err)
	}
	for n := uint64(0); ; n++ {
		if _, open := fds[int(n)]; !open {
			return n
		}
	}
}

// openDescriptors maps the descriptors of this process to what they refer to.
func openDescriptors() (map[int]string, error) {
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		return nil, err
	}
	open := map[int]string{}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue // the one that listed them
		}
		n, err := strconv.Atoi(filepath.Base(link))
		if err != nil {
			return nil, err
		}
		open[n] = target
	}
	return open, nil
}

func killSelf() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until the signal arrives
}

// descriptors is a process that says what it inherited.
func descriptors([]string) error {
	open, err := openDescriptors()
	if err != nil {
		return err
	}
	var targets []string
	for _, target := range open {
		targets = append(targets, target)
	}
	slices.Sort(targets)
	return testenv.Say("%q", targets)
}

// startAgent starts an agent; nil options make it like this process.
func startAgent(t testing.TB, o *testenv.StartOptions) *testenv.Proc {
	t.Helper()
	return testenv.StartWith(t, o, "agent")
}

func give(t testing.TB, p *testenv.Proc, o order) {
	t.Helper()
	b, err := json.Marshal(o)
	ok(t, err)
	p.Send(string(b))
}

// hear returns an agent's answer; ok is false if it was killed.
func hear(t testing.TB, p *testenv.Proc) (a answer, alive bool) {
	t.Helper()
	line, err := p.ReadLine()
	if errors.Is(err, io.EOF) {
		if sig := p.ExitSignal(); sig != syscall.SIGKILL {
			t.Fatalf("the agent ended by signal %v, exit code %d: %s", sig, p.ExitCode(), p.Stderr())
		}
		return answer{}, false
	}
	ok(t, err)
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		t.Fatal(fmt.Errorf("%q: %w", line, err))
	}
	return a, true
}

// ask gives an order and returns the answer of an agent that has to live.
func ask(t testing.TB, p *testenv.Proc, o order) answer {
	t.Helper()
	give(t, p, o)
	a, alive := hear(t, p)
	if !alive {
		t.Fatal("the agent was killed")
	}
	return a
}

// asOtherUser is ask of an agent of another user, which only root can start.
func asOtherUser(t testing.TB, o order) answer {
	t.Helper()
	return ask(t, startAgent(t, &testenv.StartOptions{Credential: testenv.Nobody(t)}), o)
}
