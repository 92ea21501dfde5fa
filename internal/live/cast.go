package live

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/shmkit/shmkit/internal/model"
)

// A Process is one that plays: it runs Play, and Ask sends it a line and returns the one
// that comes back.
type Process interface {
	Pid() int
	Ask(line string) (string, error)
}

// A Cast is the processes of a script, and what connects names in scripts with numbers of
// the kernel.
type Cast struct {
	// Key is the key that scripts call 1; the next ones are 2, 3, …
	Key int32

	procs map[string]Process
	pids  map[int]string
	ids   map[string]int // of segments, by the name in the script
	names map[int]string // the first name of an id
	made  map[string]int // objects made by each process

	paths   map[string]string // of descriptors, as "A.d0"
	objects map[string]string // names in scripts of what has a path, by the last part of it
}

// NewCast returns a cast without processes.
func NewCast() *Cast {
	c := &Cast{Key: 0x5eed0001, procs: map[string]Process{}, pids: map[int]string{}}
	c.Forget()
	return c
}

// Enter gives a name of scripts to a process, perhaps in place of another.
func (c *Cast) Enter(name string, p Process) { c.procs[name], c.pids[p.Pid()] = p, name }

// Forget forgets all objects: a new script begins.
func (c *Cast) Forget() {
	c.ids, c.names, c.made = map[string]int{}, map[int]string{}, map[string]int{}
	c.paths, c.objects = map[string]string{}, map[string]string{}
}

// Name gives a path to what a process is about to make, memfd or tmpfile, as a descriptor
// "A.d0": others open it by the path. A memfd with a path is a POSIX object, in /dev/shm;
// to the model it makes no difference. Who gives the path removes it.
func (c *Cast) Name(descriptor, path string) { c.paths[descriptor] = path }

// An Answer is what the kernel answered, and what it shows afterwards, in the words of
// the model: Outcome.String, World.Maps and World.Table.
type Answer struct {
	Outcome, Maps, Table string
	ID                   int // of shmget; else -1
}

// Do executes one operation. It knows nothing of exit.
func (c *Cast) Do(op model.Op) (Answer, error) {
	line, err := c.Ask("do", op)
	if err != nil {
		return Answer{}, err
	}
	return c.parse(op, strings.Split(line, "\t"))
}

// Watch is Do that also shows what stands in /proc, and counts the faults of an access.
func (c *Cast) Watch(op model.Op) (Answer, View, error) {
	line, err := c.Ask("watch", op)
	if err != nil {
		return Answer{}, View{}, err
	}
	words := strings.SplitN(line, "\t", 5)
	if len(words) < 5 {
		return Answer{}, View{}, fmt.Errorf("%v: answer %q", op, line)
	}
	v, err := parseView(words[4])
	if err != nil {
		return Answer{}, View{}, err
	}
	a, err := c.parse(op, words[:4])
	return a, v, err
}

// Look shows what stands in /proc of a process, which does nothing meanwhile.
func (c *Cast) Look(name string) (View, error) {
	line, err := c.procs[name].Ask("look")
	if err != nil {
		return View{}, err
	}
	return parseView(line)
}

func parseView(text string) (v View, err error) {
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, fmt.Errorf("view %q: %w", text, err)
	}
	if len(v.Table) != model.ArenaPages {
		return v, fmt.Errorf("view %q: %d pages", text, len(v.Table))
	}
	return v, nil
}

// Ask sends an operation to its process and returns the line that comes back. The verb is
// do, watch, or fatal: a fault kills the process.
func (c *Cast) Ask(verb string, op model.Op) (string, error) {
	id := c.ID(op.ID)
	arg := ""
	switch op.Call {
	case "memfd", "tmpfile":
		c.made[op.Proc]++
		arg = fmt.Sprintf("%s%d", op.Proc, c.made[op.Proc])
		if path := c.paths[op.Proc+"."+op.FD]; path != "" {
			c.objects[filepath.Base(path)] = arg
			arg = path
		}
	case "open":
		owner, name, _ := strings.Cut(op.From, ".")
		arg = fmt.Sprintf("/proc/%d/fd/%d", c.procs[owner].Pid(), fdOf(name))
		if path := c.paths[op.From]; path != "" {
			arg = path
		}
	case "shmget":
		arg = strconv.Itoa(int(c.key(op.Key)))
	case "chmod":
		var err error
		if arg, err = ownerOf(id); err != nil {
			return "", err
		}
	}
	return c.procs[op.Proc].Ask(fmt.Sprintf("%s\t%d\t%s\t%v", verb, id, arg, op))
}

// key is the key that scripts call 1, 2, … 0 is IPC_PRIVATE.
func (c *Cast) key(n int) int32 {
	if n == 0 {
		return 0
	}
	return c.Key + int32(n) - 1
}

// ID is the id of the segment that scripts call by this name; -1: of none.
func (c *Cast) ID(name string) int {
	if id, ok := c.ids[name]; ok {
		return id
	}
	return -1
}

func (c *Cast) parse(op model.Op, words []string) (Answer, error) {
	if len(words) != 4 {
		return Answer{}, fmt.Errorf("%v: answer %q", op, words)
	}
	a := Answer{Outcome: words[0], Maps: c.named(words[2]), Table: words[3]}
	var err error
	if a.ID, err = strconv.Atoi(words[1]); err != nil {
		return Answer{}, err
	}
	if a.ID >= 0 {
		c.ids[op.ID] = a.ID
		if c.names[a.ID] == "" {
			c.names[a.ID] = op.ID
		}
	}
	if op.Call == "maps" {
		a.Outcome = c.named(a.Outcome)
	}
	if op.Call == "stat" && a.Outcome == fmt.Sprintf("#%d", c.ID(op.ID)) {
		a.Outcome, err = c.Segment(op.ID)
	}
	return a, err
}

// named puts the names of segments in place of "#" and their ids, and those of objects in
// place of the last part of their paths.
func (c *Cast) named(maps string) string {
	for id, name := range c.names {
		maps = strings.ReplaceAll(maps, fmt.Sprintf(" #%d+", id), " "+name+"+")
	}
	for base, name := range c.objects {
		maps = strings.ReplaceAll(maps, " "+base+"+", " "+name+"+")
	}
	return maps
}
