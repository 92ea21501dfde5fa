package model

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// lockLimit is RLIMIT_MEMLOCK of both processes when a script begins, bytes.
const lockLimit = 4 * PageSize

// A rig is two processes that play scripts on the kernel, and what connects names in
// scripts with numbers of the kernel.
type rig struct {
	t       testing.TB
	dir     string // for files on disk
	disk    bool   // dir is on a file system whose ways the model knows
	options map[string]*testenv.StartOptions
	procs   map[string]*testenv.Proc
	ids     map[string]int // of segments, by the name in the script
	names   map[int]string // the first name of an id
	made    map[string]int // objects made by each process
	pids    map[int]string
	machine Machine
	users   []User
}

// newRig starts A, as this process, and B with options.
func newRig(t testing.TB, b *testenv.StartOptions) *rig {
	dir, disk := diskDir(t)
	r := &rig{t: t, dir: dir, disk: disk, options: map[string]*testenv.StartOptions{"A": nil, "B": b},
		procs: map[string]*testenv.Proc{}, pids: map[int]string{}}
	for name := range r.options {
		r.start(name)
	}
	r.machine.Limits = limitsNow(t)
	r.users = []User{r.user("A"), r.user("B")}
	r.machine.NoZeroPage = !r.zeroPage()
	r.machine.GuardFamilies = r.guardFamilies()
	return r
}

// world makes a model of the machine and the two processes.
func (r *rig) world() *World { return NewWorld(r.machine, r.users...) }

// zeroPage finds out whether reading untouched memory leads to the page of zeros.
func (r *rig) zeroPage() bool {
	a := r.play("A mmap len=1p prot=r-- flags=private,anonymous", "A load addr=0")
	return state(a.table[0]) == zero
}

// guardFamilies finds out whether a guard page in private memory of a file keeps it apart
// from memory that has copies of its own.
func (r *rig) guardFamilies() bool {
	a := r.play(
		"A memfd fd=d0",
		"A mmap fd=d0 addr=13p off=4p len=3p prot=rw- flags=private", "A mlock addr=13p len=3p",
		"A mmap fd=d0 addr=10p off=1p len=1p prot=rw- flags=private", "A madvise addr=10p len=1p flags=guard-install",
		"A mmap fd=d0 addr=11p off=2p len=2p prot=rw- flags=private", "A mlock addr=12p len=1p",
	)
	return strings.Count(a.maps, ";") == 2
}

// play does operations, and returns the answer to the last.
func (r *rig) play(lines ...string) (last liveAnswer) {
	r.begin()
	for _, line := range lines {
		op, err := ParseOp(line)
		if err != nil {
			r.t.Fatal(err)
		}
		last = r.do(op)
	}
	return last
}

func (r *rig) start(name string) {
	p := testenv.StartWith(r.t, r.options[name], "play", r.dir)
	p.Send("reset")
	p.Expect("reset 0") // now it has only the privileges that it is to have
	r.procs[name], r.pids[p.Pid()] = p, name
}

// begin brings kernel and processes to where scripts begin, and returns a model in the
// same state.
func (r *rig) begin() *World {
	r.ids, r.names, r.made = map[string]int{}, map[int]string{}, map[string]int{}
	for name, p := range r.procs {
		p.Send("reset")
		line, err := p.ReadLine()
		if err != nil {
			r.t.Fatal(err, p.Stderr())
		}
		if line != "reset 0" { // pages that the process cannot get rid of count as locked
			r.exit(name)
		}
	}
	r.removeSegments()
	// A segment that comes and goes tells where ids have got to.
	id, err := sys.Shmget(0, 1, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := sys.ShmRemove(id); err != nil {
		r.t.Fatal(err)
	}
	w := r.world()
	w.Registry.StartAfter(id)
	return w
}

// removeSegments removes every segment of the namespace, which is the test's own.
func (r *rig) removeSegments() {
	ids, err := testenv.SysVIDs()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, id := range ids {
		if err := id.Remove(); err != nil {
			r.t.Fatal(err)
		}
	}
}

// user reads who a process is.
func (r *rig) user(name string) User {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.procs[name].Pid()))
	if err != nil {
		r.t.Fatal(err)
	}
	u := User{LockLimit: lockLimit}
	var caps uint64
	for line := range strings.Lines(string(status)) {
		words := strings.Fields(line)
		switch words[0] {
		case "Uid:":
			u.UID, err = strconv.Atoi(words[2])
		case "CapEff:":
			caps, err = strconv.ParseUint(words[1], 16, 64)
		}
		if err != nil {
			r.t.Fatal(err)
		}
	}
	has := func(c testenv.Capability) bool { return caps>>c&1 != 0 }
	u.IPCOwner, u.SysAdmin, u.IPCLock = has(testenv.CapIPCOwner), has(testenv.CapSysAdmin), has(testenv.CapIPCLock)
	u.LockAny = u.IPCLock && !inUserNamespace(r.t)
	return u
}

// inUserNamespace: root there is not root of the machine, whose memory is to be locked.
func inUserNamespace(t testing.TB) bool {
	m, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	return !slices.Equal(strings.Fields(string(m)), []string{"0", "0", "4294967295"})
}

// A liveAnswer is what the kernel answered, and what it shows afterwards.
type liveAnswer struct {
	outcome, maps, table string
	id                   int // of shmget
}

// do executes one operation.
func (r *rig) do(op Op) liveAnswer {
	if op.Call == "exit" {
		return r.exit(op.Proc)
	}
	return r.parse(op, r.ask("do", op))
}

// ask sends an operation to its process and returns the line that comes back.
func (r *rig) ask(verb string, op Op) string {
	id, ok := r.ids[op.ID]
	if !ok {
		id = -1
	}
	arg := ""
	switch op.Call {
	case "memfd", "tmpfile":
		r.made[op.Proc]++
		arg = fmt.Sprintf("%s%d", op.Proc, r.made[op.Proc])
	case "open":
		owner, name, _ := strings.Cut(op.From, ".")
		arg = fmt.Sprintf("/proc/%d/fd/%d", r.procs[owner].Pid(), fdOf(name))
	case "chmod":
		arg = ownerOf(r.t, id)
	}
	p := r.procs[op.Proc]
	p.Send(fmt.Sprintf("%s\t%d\t%s\t%v", verb, id, arg, op))
	line, err := p.ReadLine()
	if err != nil && verb == "do" {
		r.t.Fatalf("%v: %v\n%s", op, err, p.Stderr())
	}
	return line
}

func (r *rig) parse(op Op, line string) liveAnswer {
	words := strings.Split(line, "\t")
	if len(words) != 4 {
		r.t.Fatalf("%v: answer %q", op, line)
	}
	a := liveAnswer{outcome: words[0], maps: r.named(words[2]), table: words[3]}
	var err error
	if a.id, err = strconv.Atoi(words[1]); err != nil {
		r.t.Fatal(err)
	}
	if a.id >= 0 {
		r.ids[op.ID] = a.id
		if r.names[a.id] == "" {
			r.names[a.id] = op.ID
		}
	}
	if op.Call == "maps" {
		a.outcome = r.named(a.outcome)
	}
	if op.Call == "stat" && a.outcome == fmt.Sprintf("#%d", r.ids[op.ID]) {
		a.outcome = r.segment(r.ids[op.ID])
	}
	return a
}

// exit ends a process and starts another.
func (r *rig) exit(name string) liveAnswer {
	p := r.procs[name]
	p.CloseStdin()
	if err := p.Wait(); err != nil {
		r.t.Fatalf("%v\n%s", err, p.Stderr())
	}
	r.start(name)
	return liveAnswer{outcome: "ok", id: -1, table: strings.Repeat(string(absent), ArenaPages)}
}

// named puts the names of segments in place of "#" and their ids.
func (r *rig) named(maps string) string {
	for id, name := range r.names {
		maps = strings.ReplaceAll(maps, fmt.Sprintf(" #%d+", id), " "+name+"+")
	}
	return maps
}

// segments lists the segments as World.Segments does.
func (r *rig) segments() string {
	var lines []string
	for _, s := range liveSegments(r.t) {
		lines = append(lines, r.describe(s))
	}
	return strings.Join(lines, "; ")
}

func (r *rig) segment(id int) string {
	for _, s := range liveSegments(r.t) {
		if s[fieldID] == id {
			return r.describe(s)
		}
	}
	return "gone"
}

// Fields of /proc/sysvipc/shm.
const (
	fieldKey, fieldID, fieldMode, fieldSize, fieldCpid, fieldLpid, fieldNattch, fieldUID, fieldRSS = 0, 1, 2, 3, 4, 5, 6, 7, 14
)

func (r *rig) describe(s []int) string {
	pid := func(n int) string {
		if n == 0 {
			return "-"
		}
		return r.pids[n]
	}
	mode := fmt.Sprintf("%03o", s[fieldMode]&0o777)
	if s[fieldMode]&sys.SHM_DEST != 0 {
		mode += " dest"
	}
	if s[fieldMode]&sys.SHM_LOCKED != 0 {
		mode += " locked"
	}
	key := 0
	if s[fieldKey] != 0 {
		key = s[fieldKey] - int(keyOf(1)) + 1
	}
	return fmt.Sprintf("%s key=%d size=%d mode=%s nattch=%d cpid=%s lpid=%s pages=%d", r.names[s[fieldID]], key, s[fieldSize], mode,
		s[fieldNattch], pid(s[fieldCpid]), pid(s[fieldLpid]), s[fieldRSS]/PageSize)
}

// liveSegments reads /proc/sysvipc/shm, by index.
func liveSegments(t testing.TB) [][]int {
	text, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	var all [][]int
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		if i == 0 {
			continue // the headings
		}
		var row []int
		for column, word := range strings.Fields(string(line)) {
			base := 10
			if column == fieldMode {
				base = 8
			}
			n, err := strconv.ParseInt(word, base, 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			row = append(row, int(n))
		}
		all = append(all, row)
	}
	slices.SortFunc(all, func(a, b []int) int { return a[fieldID]%idsPerSeq - b[fieldID]%idsPerSeq })
	return all
}

// ownerOf is the uid of a segment's owner; empty if there is no such segment.
func ownerOf(t testing.TB, id int) string {
	for _, s := range liveSegments(t) {
		if s[fieldID] == id {
			return strconv.Itoa(s[fieldUID])
		}
	}
	return ""
}
