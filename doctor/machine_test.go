package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// quiet is a machine of which there is nothing to tell.
var quiet = map[string]string{
	"proc/sysvipc/shm":                "       key      shmid perms                  size  cpid  lpid nattch\n",
	"proc/sysvipc/sem":                "       key      semid perms      nsems   uid\n",
	"proc/sysvipc/msg":                "       key      msqid perms      cbytes       qnum lspid\n",
	"proc/sys/kernel/shmmni":          "4096\n",
	"proc/sys/kernel/shmall":          "18446744073692774399\n",
	"proc/sys/kernel/sem":             "32000\t1024000000\t500\t32000\n",
	"proc/sys/kernel/msgmni":          "32000\n",
	"proc/sys/fs/file-nr":             "1000\t0\t9223372036854775807\n",
	"proc/sys/vm/max_map_count":       "65530\n",
	"proc/sys/fs/protected_regular":   "0\n",
	"proc/sys/kernel/shm_rmid_forced": "0\n",
	"proc/self/cgroup":                "0::/\n",
	"proc/1/comm":                     "init\n",
	"proc/1/maps":                     "x\n",
	"proc/1/status":                   "VmLck:\t       0 kB\nCapEff:\t000001ffffffffff\n",
}

// machine makes a machine of files, which differs from the quiet one.
func machine(t testing.TB, changes map[string]string) *Options {
	t.Helper()
	root := t.TempDir()
	all := map[string]string{}
	for path, text := range quiet {
		all[path] = text
	}
	for path, text := range changes {
		all[path] = text
	}
	for path, text := range all {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if text == "" {
			continue
		}
		text = strings.ReplaceAll(text, "SHM", filepath.Join(root, "shm"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "shm"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "shm"), os.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	return &Options{Proc: filepath.Join(root, "proc"), Shm: filepath.Join(root, "shm"), Root: root, Areas: Limits | Settings}
}

// Where the kernel has its pool of huge pages, and what it does with others.
const (
	hugePages    = "sys/kernel/mm/hugepages/hugepages-2048kB/"
	shmemEnabled = "sys/kernel/mm/transparent_hugepage/shmem_enabled"
)

// rowsOf makes a table of /proc/sysvipc with n rows.
func rowsOf(heading, row string, n int) string { return heading + "\n" + strings.Repeat(row+"\n", n) }

func TestLimitsAndSettings(t *testing.T) {
	const mount = "22 21 0:20 / /proc rw - proc proc rw\n30 25 0:27 / SHM %s - %s %s rw%s\n"
	segments := func(n, size int) string {
		return rowsOf("key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime rss swap", fmt.Sprintf("0 0 600 %d 1 1 0 0 0 0 0 0 0 1 0 0", size), n)
	}
	sets := func(n, count int) string {
		return rowsOf("key semid perms nsems uid gid cuid cgid otime ctime", fmt.Sprintf("0 0 600 %d 0 0 0 0 0 1", count), n)
	}
	queues := rowsOf("key msqid perms cbytes qnum lspid lrpid uid gid cuid cgid stime rtime ctime", "0 0 600 0 0 0 0 0 0 0 0 0 0 1", 8)
	for _, c := range []struct {
		name    string
		changes map[string]string
		want    string // "severity kind object" of what is found, but for the real room of the file system
		says    []string
	}{
		{"quiet", nil, "", nil},
		{"segments, 79 %", map[string]string{"proc/sysvipc/shm": segments(80, 4097), "proc/sys/kernel/shmmni": "101"}, "", nil},
		{"segments, 80 %", map[string]string{"proc/sysvipc/shm": segments(80, 4097), "proc/sys/kernel/shmmni": "100"}, "warning limit SHMMNI",
			[]string{"80 of 100", "80 %", "ENOSPC", "kernel.shmmni=200"}},
		{"segments, 95 %", map[string]string{"proc/sysvipc/shm": segments(95, 4097), "proc/sys/kernel/shmmni": "100"}, "problem limit SHMMNI", []string{"95 %"}},
		{"pages", map[string]string{"proc/sysvipc/shm": segments(80, os.Getpagesize()+1), "proc/sys/kernel/shmall": "200"},
			"warning limit SHMALL", []string{"160 of 200 pages", "kernel.shmall=400"}},
		{"sets", map[string]string{"proc/sysvipc/sem": sets(9, 1), "proc/sys/kernel/sem": "10 100 5 9"},
			"problem limit SEMMNI", []string{"9 of 9", "kernel.sem='10 100 5 18'"}},
		{"semaphores", map[string]string{"proc/sysvipc/sem": sets(9, 10), "proc/sys/kernel/sem": "10 100 5 100"},
			"warning limit SEMMNS", []string{"90 of 100", "kernel.sem='10 200 5 100'"}},
		{"queues", map[string]string{"proc/sysvipc/msg": queues, "proc/sys/kernel/msgmni": "10"}, "warning limit MSGMNI", []string{"kernel.msgmni=20"}},
		{"no System V", map[string]string{"proc/sysvipc/shm": "", "proc/sysvipc/sem": "", "proc/sysvipc/msg": ""}, "", nil},
		{"open files", map[string]string{"proc/sys/fs/file-nr": "960 0 1000"}, "problem limit file-max", []string{"ENFILE"}},
		{"mappings", map[string]string{"proc/77/comm": "a b\n", "proc/77/maps": strings.Repeat("x\n", 90), "proc/sys/vm/max_map_count": "100"},
			"warning limit vm.max_map_count", []string{"90 of 100 mappings of a b (process 77)", "vm.max_map_count=200"}},
		{"locked memory", map[string]string{"proc/77/status": "VmLck:\t 60 kB\nCapEff:\t0000000000000000\n",
			"proc/77/limits": "Limit  Soft Limit  Hard Limit  Units\nMax locked memory         65536                65536                bytes     \n"},
			"warning limit RLIMIT_MEMLOCK", []string{"60 KiB of 64 KiB", "process 77", "prlimit --pid 77 --memlock=131072"}},
		{"locked memory of the privileged", map[string]string{"proc/77/status": "VmLck:\t 60 kB\nCapEff:\t0000000000004000\n",
			"proc/77/limits": "Max locked memory         65536                65536                bytes     \n"}, "", nil},
		{"locked memory without a limit", map[string]string{"proc/77/status": "VmLck:\t 60 kB\nCapEff:\t0000000000000000\n",
			"proc/77/limits": "Max locked memory         unlimited            unlimited            bytes     \n"}, "", nil},
		{"group, version 2", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.current": "900", "sys/fs/cgroup/a/memory.max": "1000",
			"sys/fs/cgroup/a/memory.stat": "anon 1\nshmem 2048\n", "sys/fs/cgroup/a/b/memory.current": "800", "sys/fs/cgroup/a/b/memory.max": "max"},
			"warning limit memory of ROOT/sys/fs/cgroup/a", []string{"2 KiB of it shared memory"}},
		{"group, version 1", map[string]string{"proc/self/cgroup": "3:cpu:/x\n5:pids,memory:/a\n", "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "990",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000"}, "problem limit memory of ROOT/sys/fs/cgroup/memory/a", nil},
		{"group, version 1, no limit", map[string]string{"proc/self/cgroup": "5:memory:/a\n", "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "990",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712"}, "", nil},
		{"mounted as usual", map[string]string{"proc/self/mountinfo": fmt.Sprintf(mount, "rw,nosuid,nodev shared:4", "tmpfs", "tmpfs", ",size=24683652k")}, "", nil},
		{"container's", map[string]string{"proc/self/mountinfo": fmt.Sprintf(mount, "rw,nosuid,nodev,noexec,relatime", "tmpfs", "shm", ",size=65536k")},
			"warning small-shm SHM, notice shm-noexec SHM", []string{"64 MiB", "--shm-size", "source \"shm\""}},
		{"small, but no container's", map[string]string{"proc/self/mountinfo": fmt.Sprintf(mount, "rw", "tmpfs", "tmpfs", ",size=65536k")}, "", nil},
		{"container's, larger", map[string]string{"proc/self/mountinfo": fmt.Sprintf(mount, "rw", "tmpfs", "shm", ",size=1048576k")}, "", nil},
		{"the last mount counts", map[string]string{"proc/self/mountinfo": fmt.Sprintf(mount, "ro", "tmpfs", "shm", ",size=4k") + fmt.Sprintf(mount, "rw", "tmpfs", "tmpfs", "")}, "", nil},
		{"read-only", map[string]string{"proc/self/mountinfo": fmt.Sprintf(mount, "ro", "tmpfs", "tmpfs", "")}, "problem shm-missing SHM", []string{"read-only"}},
		{"on a disk", map[string]string{"proc/self/mountinfo": fmt.Sprintf(mount, "rw", "ext4", "/dev/sda1", "")}, "warning shm-missing SHM", []string{"no tmpfs but ext4"}},
		{"protected", map[string]string{"proc/sys/fs/protected_regular": "2"}, "notice protected-open fs.protected_regular", []string{"is 2", "EACCES"}},
		{"removed by force", map[string]string{"proc/sys/kernel/shm_rmid_forced": "1"}, "notice remove-forced kernel.shm_rmid_forced", nil},
		{"no leases", map[string]string{"proc/sys/fs/leases-enable": "0"}, "notice no-leases fs.leases-enable", nil},
		{"logind, as it comes", map[string]string{"proc/9/comm": "systemd-logind\n"}, "notice remove-ipc logind.conf", []string{"it is the default"}},
		{"logind, off", map[string]string{"proc/9/comm": "systemd-logind\n", "etc/systemd/logind.conf": "[Login]\n#RemoveIPC=yes\nRemoveIPC = no\n"}, "", nil},
		{"logind, another section", map[string]string{"proc/9/comm": "systemd-logind\n", "etc/systemd/logind.conf": "[Else]\nRemoveIPC=no\n"},
			"notice remove-ipc logind.conf", nil},
		{"logind, off in the vendor's", map[string]string{"proc/9/comm": "systemd-logind\n", "usr/lib/systemd/logind.conf": "[Login]\nRemoveIPC=no\n"}, "", nil},
		{"logind, on in a drop-in", map[string]string{"proc/9/comm": "systemd-logind\n", "etc/systemd/logind.conf": "[Login]\nRemoveIPC=no\n",
			"usr/lib/systemd/logind.conf.d/50-a.conf": "[Login]\nRemoveIPC=yes\n"}, "notice remove-ipc logind.conf", []string{"50-a.conf says so"}},
		{"logind, a drop-in that masks another", map[string]string{"proc/9/comm": "systemd-logind\n",
			"etc/systemd/logind.conf.d/50-a.conf": "[Login]\nRemoveIPC=off\n", "usr/lib/systemd/logind.conf.d/50-a.conf": "[Login]\nRemoveIPC=yes\n"}, "", nil},
		{"logind, nothing said", map[string]string{"proc/9/comm": "systemd-logind\n", "etc/systemd/logind.conf": "[Login]\nRemoveIPC=no\nRemoveIPC=\n"}, "notice remove-ipc logind.conf", nil},
		{"huge pages, all used or reserved", map[string]string{hugePages + "nr_hugepages": "100", hugePages + "free_hugepages": "10", hugePages + "resv_hugepages": "10",
			hugePages + "surplus_hugepages": "0", hugePages + "nr_overcommit_hugepages": "0"}, "notice huge-pages huge pages of 2 MiB", []string{"100 of 100", "ENOMEM", "echo 200 > "}},
		{"huge pages, some left", map[string]string{hugePages + "nr_hugepages": "100", hugePages + "free_hugepages": "10", hugePages + "resv_hugepages": "4",
			hugePages + "surplus_hugepages": "0", hugePages + "nr_overcommit_hugepages": "0"}, "", nil},
		{"huge pages, more on demand", map[string]string{hugePages + "nr_hugepages": "110", hugePages + "free_hugepages": "0", hugePages + "resv_hugepages": "0",
			hugePages + "surplus_hugepages": "10", hugePages + "nr_overcommit_hugepages": "50"}, "", nil},
		{"huge pages, none on demand", map[string]string{hugePages + "nr_hugepages": "150", hugePages + "free_hugepages": "0", hugePages + "resv_hugepages": "0",
			hugePages + "surplus_hugepages": "50", hugePages + "nr_overcommit_hugepages": "50"}, "notice huge-pages huge pages of 2 MiB", []string{"150 of 150"}},
		{"huge pages, no pool", map[string]string{hugePages + "nr_hugepages": "0", hugePages + "free_hugepages": "0", hugePages + "resv_hugepages": "0",
			hugePages + "surplus_hugepages": "0", hugePages + "nr_overcommit_hugepages": "0"}, "", nil},
		{"shmem, as it comes", map[string]string{shmemEnabled: "always within_size advise [never] deny force"}, "", nil},
		{"shmem, advise", map[string]string{shmemEnabled: "always within_size [advise] never deny force"}, "", nil},
		{"shmem, always", map[string]string{shmemEnabled: "[always] within_size advise never deny force"}, "notice huge-shmem shmem_enabled", []string{"huge pages of shared memory: always", "memfd"}},
		{"shmem, deny", map[string]string{shmemEnabled: "always within_size advise never [deny] force"}, "notice huge-shmem shmem_enabled", []string{"emergencies"}},
		{"shmem, force", map[string]string{shmemEnabled: "always within_size advise never deny [force]"}, "notice huge-shmem shmem_enabled", []string{"also in /dev/shm"}},
		{"a numbers file of text", map[string]string{"proc/sys/kernel/shmmni": "many\n"}, "ERROR", nil},
		{"a numbers file too short", map[string]string{"proc/sys/kernel/sem": "1 2 3\n"}, "ERROR", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := machine(t, c.changes)
			found, err := Examine(ctx, o)
			if (err != nil) != (c.want == "ERROR") {
				t.Fatal(err)
			}
			found = slices.DeleteFunc(found, func(f Finding) bool { return strings.HasPrefix(f.Evidence, "statfs") })
			var got []string
			text := fmt.Sprintf("%+v", found)
			for _, f := range found {
				object := strings.NewReplacer(o.Shm, "SHM", o.Root, "ROOT").Replace(f.Object)
				got = append(got, fmt.Sprintf("%v %s %s", f.Severity, f.Kind, object))
				if f.Fixable || f.Meaning == "" || f.Evidence == "" || f.Command == "" {
					t.Errorf("%+v", f)
				}
			}
			if got := strings.Join(got, ", "); got != c.want && c.want != "ERROR" {
				t.Errorf("found %q, want %q: %s", got, c.want, text)
			}
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q: %s", want, text)
				}
			}
		})
	}
}

// Users who are no persons, and who linger, keep what they have.
func TestRemoveIPCOfUsers(t *testing.T) {
	o := machine(t, map[string]string{"proc/9/comm": "systemd-logind\n", "etc/passwd": "anna:x:1000:1000::/:/bin/sh\nbert:x:1001:1001::/:/bin/sh\n",
		"var/lib/systemd/linger/bert": " "})
	for uid, want := range map[int]int{0: 1, 33: 0, 999: 0, 1000: 1, 1001: 0, 1002: 1} {
		e := &examination{ctx: ctx, Options: *o}
		if err := e.logind(uid); err != nil || len(e.found) != want {
			t.Errorf("user %d: %d findings, %v", uid, len(e.found), err)
		}
	}
}

func TestNoShm(t *testing.T) {
	o := machine(t, nil)
	if err := os.Remove(o.Shm); err != nil {
		t.Fatal(err)
	}
	o.Areas = 0
	found, err := Examine(ctx, o)
	if err != nil || len(found) != 1 || found[0].Kind != ShmMissing || found[0].Severity != Problem {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestModeOfShm(t *testing.T) {
	for mode, want := range map[os.FileMode]string{
		os.ModeSticky | 0o777: "", os.ModeSticky | 0o755: "Not everybody can make", 0o777: "Everybody can remove",
	} {
		o := machine(t, nil)
		if err := os.Chmod(o.Shm, mode); err != nil {
			t.Fatal(err)
		}
		found, err := Examine(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, f := range found {
			if f.Kind == ShmMode {
				text += f.Summary
			}
		}
		if !strings.Contains(text, want) || want == "" && text != "" {
			t.Errorf("%v: %q, want %q", mode, text, want)
		}
	}
}

// The real numbers of a small file system, and of a namespace with low limits.
func TestFullShm(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	shm := t.TempDir()
	testenv.MountTmpfs(t, shm, 1<<20)
	if err := os.WriteFile(filepath.Join(shm, "x"), make([]byte, 1<<20-8192), 0o600); err != nil {
		t.Fatal(err)
	}
	o := machine(t, nil)
	o.Shm = shm
	found, err := Examine(ctx, o)
	if f, ok := about(found, shm); err != nil || !ok || f.Kind != Limit || f.Severity != Problem || !strings.Contains(f.Summary, "of 1 MiB") {
		t.Errorf("%+v, %v", found, err)
	}
	if err := syscall.Mount("", shm, "", syscall.MS_REMOUNT, "nr_inodes=5"); err != nil {
		t.Skip(err)
	}
	for i := range 3 {
		if err := os.WriteFile(filepath.Join(shm, fmt.Sprint(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err = Examine(ctx, o)
	if f, ok := about(found, shm+" inodes"); err != nil || !ok || !strings.Contains(f.Summary, "5 of 5 files") {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestRealLimits(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	testenv.SetSysctl(t, "kernel/shmmni", "1")
	s, err := sysv.Create(sysv.Private, 1, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Remove()
	found, err := Examine(ctx, &Options{Areas: Limits | Settings})
	if f, ok := about(found, "SHMMNI"); err != nil || !ok || f.Severity != Problem || !strings.Contains(f.Summary, "1 of 1") {
		t.Errorf("%+v, %v", found, err)
	}
}
