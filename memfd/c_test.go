package memfd_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/memfd"
)

// cPeer is a program in C that finds inherited memory by the variable, takes more over
// the socket, checks the seals of both, and sends the sum of their bytes back in memory
// of its own: the three formats as another language sees them.
const cPeer = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CHECK(x) do { if (!(x)) { perror(#x); exit(1); } } while (0)

union control { struct cmsghdr align; char space[CMSG_SPACE(sizeof(int))]; };

static long long sum(int fd) {
	struct stat st;
	CHECK((fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) != 0);
	CHECK(fstat(fd, &st) == 0);
	unsigned char *p = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	long long s = 0;
	for (off_t i = 0; i < st.st_size; i++) s += p[i];
	return s;
}

int main(int argc, char **argv) {
	int fd; unsigned long long dev, ino; struct stat st;
	CHECK(argc == 2);
	CHECK(getenv("SHMKIT_MEMFD") != NULL);
	CHECK(sscanf(getenv("SHMKIT_MEMFD"), "numbers:%d:%llu:%llu", &fd, &dev, &ino) == 3);
	CHECK(fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino);
	long long total = sum(fd);

	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	a.sun_path[0] = 0; /* the abstract name */
	memcpy(a.sun_path + 1, argv[1] + 1, strlen(argv[1]) - 1);
	CHECK(connect(s, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + strlen(argv[1])) == 0);

	char byte;
	union control c;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
	CHECK(recvmsg(s, &m, MSG_CMSG_CLOEXEC) == 1);
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	CHECK(h != NULL && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int)));
	memcpy(&fd, CMSG_DATA(h), sizeof fd);
	total += sum(fd);

	char text[64];
	int n = snprintf(text, sizeof text, "%lld", total);
	fd = memfd_create("answer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	CHECK(fd >= 0 && write(fd, text, n) == n);
	CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0);
	memset(&c, 0, sizeof c);
	m = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
	h = CMSG_FIRSTHDR(&m);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof fd);
	CHECK(sendmsg(s, &m, 0) == 1);
	return 0;
}
`

func TestAProgramInCTakesPart(t *testing.T) {
	program := testenv.CompileC(t, cPeer)
	inherited, sent := create(t, 3, 0), create(t, 5000, 0)
	_, err := inherited.WriteAt([]byte{1, 2, 3}, 0)
	ok(t, err)
	_, err = sent.WriteAt([]byte{200, 200}, 4998)
	ok(t, err)
	path, accept := listen(t)
	cmd := exec.Command(program, path)
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = os.Stdout, &stderr
	_, err = memfd.Pass(cmd, "numbers", inherited)
	ok(t, err)
	ok(t, cmd.Start())
	result := make(chan error, 1)
	go func() { result <- cmd.Wait() }()
	defer func() {
		_ = cmd.Process.Kill()
		<-result
	}()
	conn := accept()
	ok(t, memfd.Send(conn, sent))
	answer, err := memfd.Receive(conn, &memfd.Want{Seals: memfd.SealWrite | memfd.SealShrink, MaxSize: 64})
	if err != nil {
		t.Fatalf("%v; it said %q", err, stderr.String())
	}
	closing(t, answer)
	m := mapped(t, answer, &memfd.MapOptions{ReadOnly: true})
	if text := string(m.Bytes()); text != "406" || answer.Name() != "answer" {
		t.Errorf("%v says %q", answer, text)
	}
}
