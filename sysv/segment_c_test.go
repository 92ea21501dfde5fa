package sysv_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// segmentsInC does in C, by the library functions of the system, what the tests
// compare with.
const segmentsInC = `
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int bad, const char *what) {
	if (bad) {
		perror(what);
		exit(1);
	}
}

static void say(const char *line) {
	puts(line);
	fflush(stdout);
}

static void hear(void) {
	char line[64];
	if (!fgets(line, sizeof line, stdin))
		exit(3);
}

static char *attach(int id) {
	char *p = shmat(id, NULL, 0);
	check(p == (char *)-1, "shmat");
	return p;
}

int main(int argc, char **argv) {
	const char *command = argc > 1 ? argv[1] : "";
	if (!strcmp(command, "ftok")) {
		key_t key = ftok(argv[2], atoi(argv[3]));
		check(key == -1, "ftok");
		printf("%d\n", (int)key);
	} else if (!strcmp(command, "create")) {
		int id = shmget((key_t)strtol(argv[2], NULL, 0), strtoull(argv[3], NULL, 0),
			IPC_CREAT | IPC_EXCL | (int)strtol(argv[4], NULL, 8));
		check(id < 0, "shmget");
		printf("%d\n", id);
	} else if (!strcmp(command, "stat")) {
		struct shmid_ds ds;
		check(shmctl(atoi(argv[2]), IPC_STAT, &ds), "IPC_STAT");
		printf("key %d\nuid %u\ngid %u\ncuid %u\ncgid %u\nmode %o\nseq %u\n",
			(int)ds.shm_perm.__key, ds.shm_perm.uid, ds.shm_perm.gid, ds.shm_perm.cuid, ds.shm_perm.cgid,
			(unsigned)ds.shm_perm.mode, (unsigned)ds.shm_perm.__seq);
		printf("segsz %zu\natime %lld\ndtime %lld\nctime %lld\ncpid %d\nlpid %d\nnattch %lu\n",
			ds.shm_segsz, (long long)ds.shm_atime, (long long)ds.shm_dtime, (long long)ds.shm_ctime,
			(int)ds.shm_cpid, (int)ds.shm_lpid, (unsigned long)ds.shm_nattch);
	} else if (!strcmp(command, "write")) {
		char *p = attach(atoi(argv[2]));
		memcpy(p + strtoll(argv[3], NULL, 0), argv[4], strlen(argv[4]));
		check(shmdt(p), "shmdt");
	} else if (!strcmp(command, "read")) {
		char *p = attach(atoi(argv[2]));
		fwrite(p + strtoll(argv[3], NULL, 0), 1, (size_t)atoll(argv[4]), stdout);
		check(shmdt(p), "shmdt");
	} else if (!strcmp(command, "remove")) {
		check(shmctl(atoi(argv[2]), IPC_RMID, NULL), "IPC_RMID");
	} else if (!strcmp(command, "forks")) {
		int n = atoi(argv[3]), pipes[2];
		char byte;
		check(pipe(pipes), "pipe");
		attach(atoi(argv[2]));
		say("attached");
		hear();
		for (int i = 0; i < n; i++) {
			pid_t pid = fork();
			check(pid < 0, "fork");
			if (pid == 0) {
				close(pipes[1]);
				_exit(read(pipes[0], &byte, 1) != 0); /* until the parent closes its end */
			}
		}
		say("forked");
		hear();
		close(pipes[1]);
		for (int i = 0; i < n; i++) {
			int status;
			check(wait(&status) < 0 || status != 0, "wait");
		}
		say("ended");
		hear();
		execl("/proc/self/exe", argv[0], "wait", (char *)NULL);
		check(1, "execl");
	} else if (!strcmp(command, "wait")) {
		say("executed");
		hear();
	} else {
		fprintf(stderr, "no command %s\n", command);
		return 2;
	}
	return 0;
}
`

// inC runs a command of the C program and returns what it prints.
func inC(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(testenv.CompileC(t, segmentsInC), args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("C program %q: %v\n%s", args, err, &stderr)
	}
	return string(out)
}

// cProcess is the C program, waiting for lines.
type cProcess struct {
	t     *testing.T
	stdin io.Writer
	lines func() string
}

// startC starts a command of the C program that waits for its user. It ends with
// the test.
func startC(t *testing.T, args ...string) cProcess {
	t.Helper()
	cmd := exec.Command(testenv.CompileC(t, segmentsInC), args...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	ok(t, err)
	stdout, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	t.Cleanup(func() {
		// At the end of its input it ends, whatever it is about.
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
	})
	return cProcess{t, stdin, func() string {
		var line strings.Builder
		for b := []byte{0}; b[0] != '\n'; line.WriteByte(b[0]) {
			if _, err := stdout.Read(b); err != nil {
				t.Fatalf("C program %q: %v after %q", args, err, line.String())
			}
		}
		return strings.TrimSpace(line.String())
	}}
}

func (p cProcess) expect(line string) {
	p.t.Helper()
	if got := p.lines(); got != line {
		p.t.Fatalf("the C program said %q, want %q", got, line)
	}
}

func (p cProcess) send(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.stdin, line+"\n")
	ok(p.t, err)
}

func TestFromPathIsFtok(t *testing.T) {
	dir := t.TempDir()
	paths := []string{dir, "/", "/dev/null", "/dev/shm", "/etc", "/proc/sys/kernel/shmmax"}
	for i := range 20 {
		path := filepath.Join(dir, fmt.Sprint("file ", i))
		ok(t, os.WriteFile(path, nil, 0o600))
		paths = append(paths, path)
	}
	link := filepath.Join(dir, "link")
	ok(t, os.Symlink(paths[len(paths)-1], link))
	paths = append(paths, link)
	for _, path := range paths {
		for _, project := range []byte{0, 1, 'a', 127, 128, 254, 255} {
			key, err := sysv.FromPath(path, project)
			if err != nil {
				t.Errorf("%s, %d: %v", path, project, err)
				continue
			}
			want, err := strconv.ParseInt(strings.TrimSpace(inC(t, "ftok", path, fmt.Sprint(project))), 10, 32)
			ok(t, err)
			if int64(key) != want {
				t.Errorf("%s, %d: key %v, ftok says %v", path, project, key, sysv.Key(want))
			}
		}
	}
}

// statInC is SegmentInfo as the C library's shmid_ds has it.
func statInC(t *testing.T, id int) sysv.SegmentInfo {
	t.Helper()
	fields := map[string]string{}
	for line := range strings.Lines(inC(t, "stat", fmt.Sprint(id))) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		fields[name] = value
	}
	number := func(name string, base int) int64 {
		n, err := strconv.ParseInt(fields[name], base, 64)
		if err != nil {
			t.Fatalf("field %s: %v", name, err)
		}
		return n
	}
	at := func(name string) time.Time {
		if fields[name] == "0" {
			return time.Time{}
		}
		return time.Unix(number(name, 10), 0)
	}
	const shmDest, shmLocked = 0o1000, 0o2000
	mode := number("mode", 8)
	info := sysv.SegmentInfo{
		Permission: sysv.Permission{
			Key: sysv.Key(number("key", 10)), ID: id,
			UID: uint32(number("uid", 10)), GID: uint32(number("gid", 10)),
			CreatorUID: uint32(number("cuid", 10)), CreatorGID: uint32(number("cgid", 10)),
			Seq: uint16(number("seq", 10)),
		},
		Size: number("segsz", 10), Attached: int(number("nattch", 10)),
		CreatorPID: int(number("cpid", 10)), LastPID: int(number("lpid", 10)),
		AttachTime: at("atime"), DetachTime: at("dtime"), ChangeTime: at("ctime"),
		Removed: mode&shmDest != 0, Locked: mode&shmLocked != 0,
	}
	info.Mode = os.FileMode(mode & 0o777)
	return info
}

func TestStatAgreesWithCInEveryField(t *testing.T) {
	compare := func(what string, seg *sysv.Segment) {
		t.Helper()
		if diff := cmp.Diff(statInC(t, seg.ID()), stat(t, seg)); diff != "" {
			t.Errorf("%s (-C +Go):\n%s", what, diff)
		}
	}
	seg := newSegment(t, 4097, 0o640)
	compare("fresh", seg)
	m := attach(t, seg, nil)
	attach(t, seg, &sysv.AttachOptions{ReadOnly: true})
	compare("attached twice", seg)
	closeOK(t, m)
	compare("detached once", seg)
	ok(t, seg.SetMode(0o604))
	compare("with another mode", seg)
	if os.Geteuid() == 0 {
		ok(t, seg.SetOwner(1, 2))
		compare("of another owner", seg)
		ok(t, seg.Lock())
		compare("locked", seg)
		ok(t, seg.Unlock())
	}
	ok(t, seg.Remove())
	compare("marked for removal", seg)

	large, err := getPrivate(t, 5<<30+1, &sysv.SegmentOptions{GetOptions: sysv.GetOptions{Mode: 0o600}, NoReserve: true})
	if err == nil {
		compare("of 5 GiB", large)
	}
}

func TestCReadsWhatGoWrites(t *testing.T) {
	seg := newSegment(t, 8192, 0o600)
	m := attach(t, seg, nil)
	_, err := m.WriteAt([]byte("from Go"), 4093)
	ok(t, err)
	if got := inC(t, "read", fmt.Sprint(seg.ID()), "4093", "7"); got != "from Go" {
		t.Errorf("C reads %q", got)
	}
	inC(t, "write", fmt.Sprint(seg.ID()), "8180", "back from C!")
	b := make([]byte, 12)
	if _, err := m.ReadAt(b, 8180); err != nil || string(b) != "back from C!" {
		t.Errorf("Go reads %q, %v", b, err)
	}
	if info := stat(t, seg); info.Attached != 1 || info.LastPID == os.Getpid() || info.LastPID == 0 {
		t.Errorf("%d mappings, last pid %d; want ours only, and the C program's pid", info.Attached, info.LastPID)
	}
}

func TestGoReadsWhatCMade(t *testing.T) {
	key := freeKey(t)
	id, err := strconv.Atoi(strings.TrimSpace(inC(t, "create", fmt.Sprint(int32(key)), "5000", "640")))
	ok(t, err)
	inC(t, "write", fmt.Sprint(id), "4990", "from C")
	seg, err := sysv.Open(key)
	ok(t, err)
	if seg.ID() != id {
		t.Errorf("opened id %d, C made %d", seg.ID(), id)
	}
	if diff := cmp.Diff(statInC(t, id), stat(t, seg)); diff != "" {
		t.Errorf("stat (-C +Go):\n%s", diff)
	}
	m := attach(t, seg, nil)
	b := make([]byte, 6)
	if _, err := m.ReadAt(b, 4990); err != nil || string(b) != "from C" || m.Len() != 5000 {
		t.Errorf("Go reads %q of %d bytes, %v", b, m.Len(), err)
	}
	inC(t, "remove", fmt.Sprint(id))
	if !stat(t, seg).Removed {
		t.Error("Go does not see that C removed it")
	}
	closeOK(t, m)
	_, err = seg.Stat()
	wantGone(t, err)
}
