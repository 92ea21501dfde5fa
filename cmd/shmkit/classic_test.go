package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
)

// The classic tools and shmkit look at the same machine state; every field that
// one of them shows has to be the same.

// facts is one object of our JSON.
type facts map[string]any

// s returns a field as text: numbers as they are, null as "".
func (f facts) s(name string) string {
	v, ok := f[name]
	if !ok {
		panic("no field " + name)
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// n returns a numeric field.
func (f facts) n(t testing.TB, name string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(f.s(name), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// pid returns a process as the tools show it: 0 is none.
func (f facts) pid(name string) string {
	if f[name] == nil {
		return "0"
	}
	return f.s(name)
}

// mode returns the mode with as many digits as the tool shows it with.
func (f facts) mode(t testing.TB, format string, flags int64) string {
	t.Helper()
	n, err := strconv.ParseInt(f.s("mode"), 8, 64)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(format, n|flags)
}

// at returns a time in a layout, or what the tool says of one that never was.
func (f facts) at(t testing.TB, name, layout, never string) string {
	t.Helper()
	if f[name] == nil {
		return never
	}
	at, err := time.Parse(time.RFC3339, f.s(name))
	if err != nil {
		t.Fatal(err)
	}
	return normal(at.Local().Format(layout))
}

// has reports whether the object carries a mark.
func (f facts) has(mark string) bool {
	for _, m := range f["marks"].([]any) {
		if m == mark {
			return true
		}
	}
	return false
}

func (f facts) kindIs(name string) bool { return f.s("kind") == name }

// normal makes runs of blanks one.
func normal(line string) string { return strings.Join(strings.Fields(line), " ") }

// ours runs shmkit and decodes the array that it prints.
func ours(t testing.TB, args ...string) []facts {
	t.Helper()
	return decode(t, mustRun(t, append(args, "--json")...))
}

// decode decodes an array of objects and leaves numbers as they are written.
func decode(t testing.TB, text string) []facts {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var all []facts
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

func only(all []facts, kindName string) []facts {
	var some []facts
	for _, f := range all {
		if f.kindIs(kindName) {
			some = append(some, f)
		}
	}
	return some
}

// tool runs a classic tool.
func tool(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(testenv.RequireTool(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// rows are the lines of the only table that ipcs printed, without its headings.
func rows(out string) []string {
	var all []string
	for line := range strings.Lines(out) {
		line = normal(line)
		if line != "" && !strings.HasPrefix(line, "---") {
			all = append(all, line)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all[1:]
}

// crowd makes objects in all the states that the tools tell apart.
func crowd(t *testing.T) {
	t.Helper()
	// Segments: plain; locked; attached; attached and removed; used before; without
	// a key; of every owner and mode.
	mustRun(t, "create", "sysv:0x1", "--size", "1")
	mustRun(t, "create", "sysv:0x2", "--size", "100000", "--mode", "0640")
	mustRun(t, "lock", "sysv:0x2")
	id := func(line string) string { return strings.Fields(line)[2] }
	held := id(mustRun(t, "create", "sysv:0x3", "--size", "1M", "--mode", "0666"))
	removed := id(mustRun(t, "create", "sysv:0xfffffffe", "--size", "8193", "--mode", "0"))
	mustRun(t, "lock", "sysv:0xfffffffe")
	for _, seg := range []string{held, removed, removed} {
		p := testenv.Start(t, "attached", seg)
		p.Expect("attached")
	}
	mustRun(t, "rm", "sysv:id="+removed)
	mustRun(t, "create", "sysv:private", "--size", "4096", "--mode", "0777")
	mustRun(t, "create", "sysv:0x4", "--size", "5")
	mustRun(t, "get", "sysv:0x4")

	// Semaphores: fresh; with values, waiters and a history.
	mustRun(t, "create", "sem:0x1", "--count", "1", "--mode", "0604")
	mustRun(t, "create", "sem:0x2", "--count", "4")
	mustRun(t, "set", "sem:0x2", "--values", "0,1,2,32767")
	if r := runProcess(t, nil, nil, "sem", "op", "sem:0x2", "2:+1"); r.code != 0 {
		t.Fatal(r.err)
	}
	testenv.Start(t, "shmkit", "sem", "op", "sem:0x2", "0:-1")
	testenv.Start(t, "shmkit", "sem", "op", "sem:0x2", "0:-1")
	testenv.Start(t, "shmkit", "sem", "op", "sem:0x2", "1:0")
	testenv.Eventually(t, "three wait", func() bool {
		values := ours(t, "stat", "sem:0x2")[0]["values"].([]any)
		w := facts(values[0].(map[string]any))
		z := facts(values[1].(map[string]any))
		return w.s("waiting") == "2" && z.s("waiting_for_zero") == "1"
	})

	// Queues: empty; written and read; only written; with another capacity.
	mustRun(t, "create", "msg:0x1", "--mode", "0622")
	mustRun(t, "create", "msg:0x2")
	for _, text := range []string{"one", "three", "nothing"} {
		if r := runProcess(t, nil, nil, "msg", "send", "msg:0x2", text); r.code != 0 {
			t.Fatal(r.err)
		}
	}
	if r := runProcess(t, nil, nil, "msg", "receive", "msg:0x2"); r.code != 0 {
		t.Fatal(r.err)
	}
	mustRun(t, "msg", "send", "msg:id="+id(mustRun(t, "create", "msg:private")), "sent and never received")
	mustRun(t, "set", "msg:0x1", "--capacity", "4096")

	// Others' objects, where there are other users.
	if os.Geteuid() == 0 && os.Getenv("SHMKIT_TEST_USERNS") == "" {
		mustRun(t, "set", "sysv:0x1", "--owner", "65534", "--group", "65534")
		mustRun(t, "set", "sem:0x1", "--owner", "4000000000", "--group", "4000000000")
		mustRun(t, "set", "msg:0x1", "--owner", "65534")
	}
	t.Cleanup(func() { mustRun(t, "rm", "--all", "--yes") })
}

func TestSameAsIpcs(t *testing.T) {
	testenv.RequireTool(t, "ipcs")
	if !testenv.InPrivateIPC(t) {
		return
	}
	crowd(t)
	all := ours(t, "ls")
	const short, long, never = "Jan 2 15:04:05", "Mon Jan 2 15:04:05 2006", "Not set"
	for _, c := range []struct {
		kind string
		args string
		row  func(f facts) string
	}{
		{"sysv", "-m", func(f facts) string {
			marks := ""
			if f.has("removed") {
				marks += " dest"
			}
			if f.has("locked") {
				marks += " locked"
			}
			return fmt.Sprintf("%s %s %s %s %s %s%s", f.s("key"), f.s("id"), f.s("owner"), f.mode(t, "%o", 0), f.s("size"), f.s("attached"), marks)
		}},
		{"sysv", "-m -t", func(f facts) string {
			return fmt.Sprintf("%s %s %s %s %s", f.s("id"), f.s("owner"),
				f.at(t, "attach_time", short, never), f.at(t, "detach_time", short, never), f.at(t, "change_time", short, never))
		}},
		{"sysv", "-m -p", func(f facts) string {
			return fmt.Sprintf("%s %s %s %s", f.s("id"), f.s("owner"), f.pid("creator_pid"), f.pid("last_pid"))
		}},
		{"sysv", "-m -c", func(f facts) string { return owners(t, f) }},
		{"sem", "-s", func(f facts) string {
			return fmt.Sprintf("%s %s %s %s %s", f.s("key"), f.s("id"), f.s("owner"), f.mode(t, "%o", 0), f.s("semaphores"))
		}},
		{"sem", "-s -t", func(f facts) string {
			return fmt.Sprintf("%s %s %s %s", f.s("id"), f.s("owner"), f.at(t, "op_time", long, never), f.at(t, "change_time", long, never))
		}},
		{"sem", "-s -c", func(f facts) string { return owners(t, f) }},
		{"msg", "-q", func(f facts) string {
			return fmt.Sprintf("%s %s %s %s %s %s", f.s("key"), f.s("id"), f.s("owner"), f.mode(t, "%o", 0), f.s("bytes"), f.s("messages"))
		}},
		{"msg", "-q -t", func(f facts) string {
			return fmt.Sprintf("%s %s %s %s %s", f.s("id"), f.s("owner"),
				f.at(t, "send_time", short, never), f.at(t, "receive_time", short, never), f.at(t, "change_time", short, never))
		}},
		{"msg", "-q -p", func(f facts) string {
			return fmt.Sprintf("%s %s %s %s", f.s("id"), f.s("owner"), f.pid("last_send_pid"), f.pid("last_receive_pid"))
		}},
		{"msg", "-q -c", func(f facts) string { return owners(t, f) }},
	} {
		t.Run("ipcs "+c.args, func(t *testing.T) {
			var want []string
			for _, f := range only(all, c.kind) {
				want = append(want, c.row(f))
			}
			if diff := cmp.Diff(want, rows(tool(t, "ipcs", strings.Fields(c.args)...))); diff != "" {
				t.Errorf("shmkit ls (-), ipcs (+):\n%s", diff)
			}
		})
	}
	for _, f := range all {
		t.Run("ipcs -i "+f.s("address"), func(t *testing.T) { sameDetails(t, ours(t, "stat", f.s("kind")+":id="+f.s("id"))[0]) })
	}
	t.Run("ls and stat", func(t *testing.T) {
		for _, f := range all {
			stat := ours(t, "stat", f.s("kind")+":id="+f.s("id"))[0]
			delete(stat, "values")
			f, stat := steady(f), steady(stat)
			for _, g := range []facts{f, stat} { // only stat looks into processes for this
				for _, u := range g.users() {
					delete(u, "resident")
				}
			}
			if diff := cmp.Diff(f, stat); diff != "" {
				t.Errorf("ls (-), stat (+):\n%s", diff)
			}
		}
	})
	sameLimitsAsIpcs(t)
}

// owners is the row of ipcs -c.
func owners(t testing.TB, f facts) string {
	return fmt.Sprintf("%s %s %s %s %s %s", f.s("id"), f.mode(t, "%o", 0), f.s("creator"), f.s("creator_group"), f.s("owner"), f.s("group"))
}

// sameDetails compares what ipcs -i prints, which is no table.
func sameDetails(t *testing.T, f facts) {
	const long, never = "Mon Jan 2 15:04:05 2006", "Not set"
	ids := fmt.Sprintf("uid=%s gid=%s cuid=%s cgid=%s", f.s("owner_uid"), f.s("group_gid"), f.s("creator_uid"), f.s("creator_gid"))
	var option string
	var want []string
	switch f.s("kind") {
	case "sysv":
		var flags int64
		if f.has("removed") {
			flags |= 0o1000
		}
		if f.has("locked") {
			flags |= 0o2000
		}
		option, want = "-m", []string{
			"Shared memory Segment shmid=" + f.s("id"), ids,
			"mode=" + f.mode(t, "%#o", flags) + " access_perms=" + f.mode(t, "%#o", 0),
			fmt.Sprintf("bytes=%s lpid=%s cpid=%s nattch=%s", f.s("size"), f.pid("last_pid"), f.pid("creator_pid"), f.s("attached")),
			"att_time=" + f.at(t, "attach_time", long, never),
			"det_time=" + f.at(t, "detach_time", long, never),
			"change_time=" + f.at(t, "change_time", long, never),
		}
	case "sem":
		option, want = "-s", []string{
			"Semaphore Array semid=" + f.s("id"), ids,
			"mode=" + f.mode(t, "%#o", 0) + ", access_perms=" + f.mode(t, "%#o", 0),
			"nsems = " + f.s("semaphores"),
			"otime = " + f.at(t, "op_time", long, never),
			"ctime = " + f.at(t, "change_time", long, never),
			"semnum value ncount zcount pid",
		}
		for _, v := range f["values"].([]any) {
			v := facts(v.(map[string]any))
			want = append(want, fmt.Sprintf("%s %s %s %s %s", v.s("index"), v.s("value"), v.s("waiting"), v.s("waiting_for_zero"), v.pid("last_pid")))
		}
	case "msg":
		option, want = "-q", []string{
			"Message Queue msqid=" + f.s("id"), ids + " mode=" + f.mode(t, "%#o", 0),
			fmt.Sprintf("cbytes=%s qbytes=%s qnum=%s lspid=%s lrpid=%s", f.s("bytes"), f.s("capacity"), f.s("messages"), f.pid("last_send_pid"), f.pid("last_receive_pid")),
			"send_time=" + f.at(t, "send_time", long, never),
			"rcv_time=" + f.at(t, "receive_time", long, never),
			"change_time=" + f.at(t, "change_time", long, never),
		}
	}
	var got []string
	for line := range strings.Lines(tool(t, "ipcs", option, "-i", f.s("id"))) {
		if line = normal(line); line != "" {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("shmkit stat (-), ipcs %s -i %s (+):\n%s", option, f.s("id"), diff)
	}
}

// limitsByName returns limits and uses: "max_segments" and "max_segments used".
func limitsByName(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, l := range ours(t, "limits") {
		all[l.s("name")], all[l.s("name")+" used"] = l.s("limit"), l.s("used")
		if name := l.s("classic"); name != "" {
			all[name], all[name+" used"] = l.s("limit"), l.s("used")
		}
	}
	return all
}

func sameLimitsAsIpcs(t *testing.T) {
	l := limitsByName(t)
	kbytes := func(pages string) string {
		n, err := strconv.ParseUint(pages, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		perPage := uint64(syscall.Getpagesize()) / 1024
		if n > (1<<64-1)/perPage { // ipcs says the most it can
			return "18446744073709551612"
		}
		return fmt.Sprint(n * perPage)
	}
	shmmax, err := strconv.ParseUint(l["SHMMAX"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string][]string{
		"-m -l": {
			"max number of segments = " + l["SHMMNI"],
			fmt.Sprintf("max seg size (kbytes) = %d", shmmax/1024),
			"max total shared memory (kbytes) = " + kbytes(l["SHMALL"]),
			"min seg size (bytes) = " + l["SHMMIN"],
		},
		"-s -l": {
			"max number of arrays = " + l["SEMMNI"],
			"max semaphores per array = " + l["SEMMSL"],
			"max semaphores system wide = " + l["SEMMNS"],
			"max ops per semop call = " + l["SEMOPM"],
			"semaphore max value = " + l["SEMVMX"],
		},
		"-q -l": {
			"max queues system wide = " + l["MSGMNI"],
			"max size of message (bytes) = " + l["MSGMAX"],
			"default max size of queue (bytes) = " + l["MSGMNB"],
		},
		"-m -u": {
			"segments allocated " + l["max_segments used"],
			"pages allocated " + l["max_pages used"],
			"pages resident " + l["resident_pages used"],
			"pages swapped " + l["swapped_pages used"],
			"Swap performance: 0 attempts 0 successes", // Linux has not counted these since 2.4
		},
		"-s -u": {"used arrays = " + l["max_sets used"], "allocated semaphores = " + l["max_semaphores used"]},
		"-q -u": {"allocated queues = " + l["max_queues used"], "used headers = " + l["messages used"], "used space = " + l["message_bytes used"] + " bytes"},
	} {
		t.Run("ipcs "+args, func(t *testing.T) {
			var got []string
			for line := range strings.Lines(tool(t, "ipcs", strings.Fields(args)...)) {
				if line = normal(line); line != "" && !strings.HasPrefix(line, "---") {
					got = append(got, line)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("shmkit limits (-), ipcs (+):\n%s", diff)
			}
		})
	}
}
