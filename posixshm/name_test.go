package posixshm_test

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
)

// names that nothing has, and what opening them is.
var names = []struct {
	name string
	want string
}{
	{"%s", absent}, {"/%s", absent}, {"//%s", absent}, {"/////%s", absent}, {"%s.x", absent}, {".%s", absent}, {"..%s", absent},
	{"%s ", absent}, {" %s", absent}, {"%s\n", absent}, {"%s\xff\xfe", absent}, {"%s\\", absent}, {"-%s", absent}, {"%s…", absent},
	{"%s/", invalid}, {"/%s/", invalid}, {"/%s/x", invalid}, {"%s/x", invalid}, {"../%s", invalid}, {"./%s", invalid},
	{"", invalid}, {"/", invalid}, {"///", invalid}, {".", invalid}, {"/.", invalid}, {"..", invalid}, {"/..", invalid}, {"//..", invalid},
	{long(254), absent}, {long(255), absent}, {long(256), tooLong}, {"/" + long(255), absent}, {"///" + long(255), absent},
	{"/" + long(256), tooLong}, {long(4000), tooLong}, {"/" + long(4000), tooLong}, {"//" + long(100_000), tooLong},
	{long(300) + "/", invalid}, {"/" + long(200) + "/" + long(300), invalid},
}

// long is a name of n bytes.
func long(n int) string { return strings.Repeat("n", n) }

func named(t testing.TB, pattern string) string {
	if strings.Contains(pattern, "%s") {
		return fmt.Sprintf(pattern, testenv.Name(t))
	}
	return pattern
}

func TestNames(t *testing.T) {
	d := newDir(t)
	for _, c := range names {
		name := named(t, c.name)
		_, err := posixshm.Open(name, nil)
		wantError(t, err, c.want)
		_, err = posixshm.Stat(name)
		wantError(t, err, c.want)
		wantError(t, posixshm.Remove(name), c.want)
		obj, err := d.Create(name, 1, nil)
		if c.want != absent {
			wantError(t, err, c.want)
			_, err = d.OpenOrCreate(name, 1, nil)
			wantError(t, err, c.want)
			continue
		}
		ok(t, err)
		if want := "/" + strings.TrimLeft(name, "/"); obj.Name() != want {
			t.Errorf("%q is called %q", name, obj.Name())
		}
		ok(t, obj.Remove())
		closeOK(t, obj)
	}
	wantEntries(t, d)
	_, err := posixshm.Open("a\x00b", nil)
	wantError(t, err, invalid, "zero byte")
	_, err = posixshm.Open("a/b", nil)
	wantError(t, err, invalid, "open posix:a/b", "only in front", "Dir")
	_, err = posixshm.Open("/", nil)
	wantError(t, err, invalid, "at least one character")
	_, err = posixshm.Open(long(256), nil)
	wantError(t, err, tooLong, "at most 255 bytes")
}

// shmInC is the C library's side of the tests.
const shmInC = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void check(int bad, const char *what) {
	if (bad) {
		perror(what);
		exit(1);
	}
}

static void hear(void) {
	char line[64];
	if (!fgets(line, sizeof line, stdin))
		exit(3);
}

static char *map(const char *name, size_t *size) {
	struct stat st;
	int fd = shm_open(name, O_RDWR, 0);
	check(fd < 0, "shm_open");
	check(fstat(fd, &st), "fstat");
	*size = st.st_size;
	char *p = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(p == MAP_FAILED, "mmap");
	close(fd);
	return p;
}

int main(int argc, char **argv) {
	const char *command = argc > 1 ? argv[1] : "", *name = argc > 2 ? argv[2] : "";
	size_t size;
	if (!strcmp(command, "errno")) {
		int fd = shm_open(name, O_RDWR, 0);
		printf("%d\n", fd < 0 ? errno : 0);
	} else if (!strcmp(command, "create")) { /* NAME SIZE MODE UMASK */
		umask((mode_t)strtol(argv[5], NULL, 8));
		int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, (mode_t)strtol(argv[4], NULL, 8));
		check(fd < 0, "shm_open");
		check(ftruncate(fd, atoll(argv[3])), "ftruncate");
	} else if (!strcmp(command, "halfway")) { /* NAME SIZE: the two steps at one's leisure */
		int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
		check(fd < 0, "shm_open");
		puts("made");
		fflush(stdout);
		hear();
		check(ftruncate(fd, atoll(argv[3])), "ftruncate");
		puts("sized");
		fflush(stdout);
		hear();
	} else if (!strcmp(command, "write")) { /* NAME OFFSET TEXT */
		char *p = map(name, &size);
		memcpy(p + atoll(argv[3]), argv[4], strlen(argv[4]));
	} else if (!strcmp(command, "read")) { /* NAME OFFSET LENGTH */
		char *p = map(name, &size);
		fwrite(p + atoll(argv[3]), 1, (size_t)atoll(argv[4]), stdout);
	} else if (!strcmp(command, "size")) {
		map(name, &size);
		printf("%zu\n", size);
	} else if (!strcmp(command, "unlink")) {
		check(shm_unlink(name), "shm_unlink");
	} else {
		return 2;
	}
	return 0;
}
`

// inC runs a command of the C program and returns what it prints.
func inC(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(testenv.CompileC(t, shmInC), args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("C program %q: %v\n%s", args, err, &stderr)
	}
	return string(out)
}

func TestNamesAreThoseOfShmOpen(t *testing.T) {
	for _, c := range names {
		name := named(t, c.name)
		_, err := posixshm.Open(name, nil)
		var errno syscall.Errno
		if !errors.As(err, &errno) {
			t.Errorf("%q: %v", name, err)
			continue
		}
		got := strings.TrimSpace(inC(t, "errno", name))
		if errno == syscall.ENAMETOOLONG && len(name) > 259 && got == fmt.Sprint(int(syscall.EINVAL)) {
			continue // glibc's buffer holds 4 bytes more than a name may have; POSIX wants ENAMETOOLONG, musl gives it
		}
		if got != fmt.Sprint(int(errno)) {
			t.Errorf("%.40q: error %d, shm_open says %s", name, int(errno), got)
		}
	}
}
