package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
)

// What shmkit says of the memory of other programs is compared with what /proc, ipcs and lsof
// say of it. /proc is read here once more, by nothing that shmkit itself reads it with.

// beside skips what takes other programs in the short form.
func beside(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("compares with other programs, which takes a while")
	}
}

// thing is what is mapped: of equal device and inode a System V segment and a memfd are two.
type thing struct{ class, device, inode string }

// holding is what a process maps of a thing.
type holding struct {
	pid              int
	path             string
	mapped, rss      uint64
	shared, writable bool
}

// segmentClass is that of the segments of this IPC namespace.
const segmentClass = "/SYSV"

// ownIPC is the IPC namespace of this process.
func ownIPC() string {
	link, _ := os.Readlink("/proc/self/ns/ipc")
	return link
}

// classOf tells apart what lies on the file system of the kernel alone.
func classOf(path string) string {
	for _, p := range []string{segmentClass, "/memfd:", "/dev/zero"} {
		if strings.HasPrefix(path, p) {
			return p
		}
	}
	return "file"
}

// processes are those there are.
func processes(t testing.TB) (pids []int) {
	t.Helper()
	for _, e := range folder(t, "/proc") {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// holdings is what all processes but this one map, but for what has no inode: memory of
// their own.
func holdings(t testing.TB) map[thing][]holding {
	t.Helper()
	all := map[thing][]holding{}
	for _, pid := range processes(t) {
		if pid == os.Getpid() {
			continue
		}
		for k, h := range holdingsOf(pid) {
			all[k] = append(all[k], h)
		}
	}
	return all
}

// holdingsOf reads smaps. A process that has ended maps nothing.
func holdingsOf(pid int) map[thing]holding {
	all := map[thing]holding{}
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		return all
	}
	defer f.Close()
	ipc, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/ipc", pid))
	var at thing
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		words := strings.Fields(line)
		switch {
		case len(words) >= 5 && strings.Contains(words[0], "-"):
			at = thing{}
			if len(words) < 6 || words[4] == "0" && classOf(words[5]) != segmentClass { // the first segment of a namespace has the number 0
				continue
			}
			from, to, _ := strings.Cut(words[0], "-")
			start, _ := strconv.ParseUint(from, 16, 64)
			end, _ := strconv.ParseUint(to, 16, 64)
			path := line[strings.Index(line, "/"):]
			at = thing{classOf(path), words[3], words[4]}
			if at.class == segmentClass && ipc != ownIPC() {
				at.class += " of " + ipc // with numbers that others have as well
			}
			h := all[at]
			h.pid, h.path = pid, path
			h.mapped += end - start
			if words[1][3] == 's' {
				h.shared = true
				h.writable = h.writable || words[1][1] == 'w'
			}
			all[at] = h
		case at != thing{} && words[0] == "Rss:":
			kib, _ := strconv.ParseUint(words[1], 10, 64)
			h := all[at]
			h.rss += kib << 10
			all[at] = h
		case at != thing{} && words[0] == "Anonymous:": // copies of a private mapping
			kib, _ := strconv.ParseUint(words[1], 10, 64)
			h := all[at]
			h.rss -= min(h.rss, kib<<10)
			all[at] = h
		}
	}
	return all
}

// sharing is how many processes map a thing shared.
func sharing(all []holding) (n int) {
	for _, h := range all {
		if h.shared {
			n++
		}
	}
	return n
}

// written reports whether somebody may store into a thing.
func written(all []holding) bool {
	return slices.ContainsFunc(all, func(h holding) bool { return h.writable })
}

func pidsOf(all []holding) (pids []int) {
	for _, h := range all {
		pids = append(pids, h.pid)
	}
	slices.Sort(pids)
	return pids
}

// heldByAny picks what is shared and mapped by one of some processes.
func heldByAny(all map[thing][]holding, pids []int) map[thing][]holding {
	some := map[thing][]holding{}
	for k, list := range all {
		if sharers := sharing(list); sharers == 0 || sharers == 1 && k.class == "file" && !written(list) {
			continue // a file that one process maps to read is not shared with anybody
		}
		if slices.ContainsFunc(list, func(h holding) bool { return slices.Contains(pids, h.pid) }) {
			some[k] = list
		}
	}
	return some
}

// objectOf finds the object that is a thing: there is one.
func objectOf(objects []facts, k thing) (facts, error) {
	var found []facts
	for _, f := range objects {
		// As the kernel numbers segments; those of other namespaces have no number here.
		if f.s("kind") == "sysv" && k.class == segmentClass && fmt.Sprint(f["id"]) == k.inode {
			found = append(found, f)
			continue
		}
		if f["inode"] == nil || f["device"] == nil || f.s("inode") != k.inode || deviceText(f.s("device")) != k.device {
			continue
		}
		class := "file"
		switch f.s("kind") {
		case "memfd":
			class = "/memfd:"
		case "map":
			if class = "/dev/zero"; k.class != class {
				class = k.class // its name is gone, and nobody has a descriptor
			}
		case "file":
			if strings.HasPrefix(f.s("path"), "/dev/zero") {
				class = "/dev/zero"
			}
		}
		if class == k.class {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%v is %d objects: %v", k, len(found), found)
	}
	return found[0], nil
}

// deviceText is a device as maps has it: 0:1 is 00:01.
func deviceText(device string) string {
	var major, minor uint32
	if _, err := fmt.Sscanf(device, "%d:%d", &major, &minor); err != nil {
		return device
	}
	return fmt.Sprintf("%02x:%02x", major, minor)
}

// users are the entries of "users".
func (f facts) users() (all []facts) {
	list, _ := f["users"].([]any)
	for _, u := range list {
		all = append(all, facts(u.(map[string]any)))
	}
	return all
}

// sameUsers compares who uses an object with who maps it. Between the two looks at /proc no
// process that maps it may have come or gone; how much of it is in memory may have changed.
func sameUsers(f facts, before, after []holding) error {
	all := f.users()
	var mapping []int
	for _, u := range all {
		if u.s("mapped") != "0" {
			pid, _ := strconv.Atoi(u.s("pid"))
			mapping = append(mapping, pid)
		}
	}
	slices.Sort(mapping)
	if want := pidsOf(before); !slices.Equal(mapping, want) {
		return fmt.Errorf("%s: mapped by %v, and by /proc by %v", f.s("address"), mapping, want)
	}
	for _, u := range all {
		i := slices.IndexFunc(before, func(h holding) bool { return fmt.Sprint(h.pid) == u.s("pid") })
		j := slices.IndexFunc(after, func(h holding) bool { return fmt.Sprint(h.pid) == u.s("pid") })
		if i < 0 || j < 0 {
			continue // it has a descriptor only
		}
		h := before[i]
		switch {
		case u.s("mapped") != fmt.Sprint(h.mapped), u["shared"] != h.shared, u["writable"] != h.writable:
			return fmt.Errorf("%s: %v, and in /proc %+v", f.s("address"), u, h)
		case u["resident"] == nil: // ls does not look at that
			continue
		}
		resident, err := strconv.ParseUint(u.s("resident"), 10, 64)
		if low, high := min(h.rss, after[j].rss), max(h.rss, after[j].rss); err != nil || resident < low || resident > high {
			return fmt.Errorf("%s: %s resident in process %s, and in /proc %d to %d", f.s("address"), u.s("resident"), u.s("pid"), low, high)
		}
	}
	if f.s("in_use") != "yes" {
		return fmt.Errorf("%s: in use %s: %s", f.s("address"), f.s("in_use"), f.s("in_use_why"))
	}
	return nil
}

// sameAsProc compares what shmkit says of all that some processes share with what /proc says,
// until the two were looked at while nothing changed. It returns the objects.
func sameAsProc(t testing.TB, least int, pids func() []int) map[thing]facts {
	t.Helper()
	var found map[thing]facts
	compare := func() error {
		before := heldByAny(holdings(t), pids())
		list := kindFacts(t, "ls")
		orphans := kindFacts(t, "ls", "--orphans")
		found = map[thing]facts{}
		var addresses []string
		for k := range before {
			f, err := objectOf(list, k)
			if err != nil {
				return fmt.Errorf("%s: %w", before[k][0].path, err)
			}
			found[k] = f
			addresses = append(addresses, f.s("address"))
		}
		if len(found) < least {
			return fmt.Errorf("they share %d things, want at least %d", len(found), least)
		}
		r := runKinds(t, append([]string{"stat", "--json"}, addresses...)...)
		if r.code != exitDone {
			return errors.New(r.err) // something has gone meanwhile
		}
		stats := decode(t, r.out)
		after := heldByAny(holdings(t), pids())
		for k, f := range found {
			if !slices.Equal(pidsOf(before[k]), pidsOf(after[k])) {
				return fmt.Errorf("%v: mapped by %v and then by %v", k, pidsOf(before[k]), pidsOf(after[k]))
			}
			i := slices.IndexFunc(stats, func(s facts) bool { return s.s("address") == f.s("address") })
			if i < 0 {
				return fmt.Errorf("stat does not show %s", f.s("address"))
			}
			for _, f := range []facts{f, stats[i]} {
				if err := sameUsers(f, before[k], after[k]); err != nil {
					return err
				}
			}
			if slices.ContainsFunc(orphans, func(o facts) bool { return o.s("address") == f.s("address") }) {
				return fmt.Errorf("%s is among the orphans", f.s("address"))
			}
		}
		return nil
	}
	inTheEnd(t, "shmkit and /proc agree", func() error { return compare() })
	return found
}

// inTheEnd waits until there is no error, and if that does not happen says the last.
func inTheEnd(t testing.TB, what string, check func() error) {
	t.Helper()
	var last error
	ended := false
	defer func() {
		if !ended && last != nil {
			t.Error(last)
		}
	}()
	testenv.Eventually(t, what, func() bool {
		last = check()
		return last == nil
	})
	ended = true
}

// lsofs are the descriptors of a file that lsof sees, by process; none if that maps it only.
func lsofs(t testing.TB, path string) map[int][]int {
	t.Helper()
	testenv.RequireTool(t, "lsof")
	all := map[int][]int{}
	pid := 0
	for _, line := range strings.Split(tool(t, "lsof", "-w", "-F", "pf", "--", path), "\n") {
		switch {
		case strings.HasPrefix(line, "p"):
			pid, _ = strconv.Atoi(line[1:])
			all[pid] = nil
		case strings.HasPrefix(line, "f"):
			if fd, err := strconv.Atoi(line[1:]); err == nil {
				all[pid] = append(all[pid], fd)
			}
		}
	}
	return all
}

// sameAsLsof compares who has an object with what lsof says.
func sameAsLsof(t testing.TB, address, path string) {
	t.Helper()
	inTheEnd(t, "shmkit and lsof agree on "+address, func() error {
		theirs := lsofs(t, path)
		ours := map[int][]int{}
		for _, u := range whoUses(t, address) {
			pid, _ := strconv.Atoi(u.s("pid"))
			ours[pid] = nil
			for _, fd := range u["descriptors"].([]any) {
				n, _ := strconv.Atoi(fmt.Sprint(fd))
				ours[pid] = append(ours[pid], n)
			}
		}
		if got, want := fmt.Sprint(ours), fmt.Sprint(theirs); got != want || len(theirs) == 0 {
			return fmt.Errorf("shmkit: %s, lsof: %s", got, want)
		}
		return nil
	})
}

// whoUses is what who says of one object.
func whoUses(t testing.TB, address string) []facts {
	t.Helper()
	all := kindFacts(t, "who", address)
	if len(all) != 1 {
		t.Fatalf("who %s: %d objects", address, len(all))
	}
	return all[0].users()
}

// attachments is the number of them that ipcs knows of a segment, and who made it.
func attachments(t testing.TB, id string) (count, creator string) {
	t.Helper()
	testenv.RequireTool(t, "ipcs")
	for _, c := range []struct {
		args  []string
		field int
		value *string
	}{{[]string{"-m"}, 5, &count}, {[]string{"-m", "-p"}, 2, &creator}} {
		for _, line := range strings.Split(tool(t, "ipcs", c.args...), "\n") {
			words := strings.Fields(line)
			column := 0
			if len(c.args) == 1 {
				column = 1 // behind the key
			}
			if len(words) > c.field && words[column] == id {
				*c.value = words[c.field]
			}
		}
	}
	return count, creator
}

// inTree are a process and all below it.
func inTree(t testing.TB, root int) []int {
	t.Helper()
	parents := map[int]int{}
	for _, pid := range processes(t) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
		parents[pid], _ = strconv.Atoi(fields[1])
	}
	tree := []int{root}
	for i := 0; i < len(tree); i++ {
		for pid, parent := range parents {
			if parent == tree[i] {
				tree = append(tree, pid)
			}
		}
	}
	return tree
}

// anothersDir makes a directory for a program that does not run as root: its user, nil if it
// is ours.
func anothersDir(t testing.TB) (dir string, user *syscall.Credential) {
	t.Helper()
	dir, err := os.MkdirTemp("", "shmkit-outside-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if os.Geteuid() != 0 {
		return dir, nil
	}
	user = testenv.Nobody(t)
	if err := os.Chown(dir, int(user.Uid), int(user.Gid)); err != nil {
		t.Fatal(err)
	}
	return dir, user
}

// sharedNames are the files of /dev/shm whose names begin with some text.
func sharedNames(t testing.TB, prefix string) []string {
	t.Helper()
	names, err := filepath.Glob("/dev/shm/" + prefix + "*")
	if err != nil {
		t.Fatal(err)
	}
	return names
}
