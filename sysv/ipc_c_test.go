package sysv_test

import (
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
	"github.com/shmkit/shmkit/sysv"
)

// ipcInC does to semaphore sets and message queues, by the functions of the C
// library, what its arguments say.
const ipcInC = `#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <unistd.h>

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static struct { long type; char text[8192]; } message;

static int number(const char *text) { return (int)strtol(text, NULL, 0); }

static void permission(const struct ipc_perm *p)
{
	printf("key=%d uid=%u gid=%u cuid=%u cgid=%u mode=%o seq=%u", (int)p->__key, p->uid, p->gid,
		p->cuid, p->cgid, (unsigned)p->mode, (unsigned)p->__seq);
}

static int need(long result)
{
	if (result < 0) {
		fprintf(stderr, "%s\n", strerror(errno));
		exit(1);
	}
	return (int)result;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	int id = argc > 2 ? number(argv[2]) : 0;
	union semun arg;

	if (!strcmp(verb, "sem-create")) {
		printf("%d", need(semget(id, number(argv[3]), IPC_CREAT | IPC_EXCL | number(argv[4]))));
	} else if (!strcmp(verb, "sem-open")) {
		printf("%d", need(semget(id, 0, 0)));
	} else if (!strcmp(verb, "sem-op")) {
		struct sembuf ops[8];
		int n = 0;
		for (; n + 3 < argc; n++) {
			ops[n].sem_num = number(strtok(argv[n + 3], ":"));
			ops[n].sem_op = number(strtok(NULL, ":"));
			ops[n].sem_flg = 0;
		}
		need(semop(id, ops, n));
	} else if (!strcmp(verb, "sem-set")) {
		arg.val = number(argv[4]);
		need(semctl(id, number(argv[3]), SETVAL, arg));
	} else if (!strcmp(verb, "sem-stat")) {
		struct semid_ds ds;
		arg.buf = &ds;
		need(semctl(id, 0, IPC_STAT, arg));
		permission(&ds.sem_perm);
		printf(" nsems=%lu otime=%ld ctime=%ld", (unsigned long)ds.sem_nsems, (long)ds.sem_otime, (long)ds.sem_ctime);
		for (unsigned long i = 0; i < ds.sem_nsems; i++)
			printf(" %d:%d:%d:%d", need(semctl(id, i, GETVAL)), need(semctl(id, i, GETPID)),
				need(semctl(id, i, GETNCNT)), need(semctl(id, i, GETZCNT)));
	} else if (!strcmp(verb, "sem-mode")) {
		struct semid_ds ds;
		arg.buf = &ds;
		need(semctl(id, 0, IPC_STAT, arg));
		ds.sem_perm.mode = number(argv[3]);
		need(semctl(id, 0, IPC_SET, arg));
	} else if (!strcmp(verb, "sem-remove")) {
		need(semctl(id, 0, IPC_RMID));
	} else if (!strcmp(verb, "msg-create")) {
		printf("%d", need(msgget(id, IPC_CREAT | IPC_EXCL | number(argv[3]))));
	} else if (!strcmp(verb, "msg-open")) {
		printf("%d", need(msgget(id, 0)));
	} else if (!strcmp(verb, "msg-send")) {
		message.type = strtol(argv[3], NULL, 0);
		strcpy(message.text, argv[4]);
		need(msgsnd(id, &message, strlen(argv[4]), 0));
	} else if (!strcmp(verb, "msg-receive")) {
		int n = need(msgrcv(id, &message, sizeof message.text, strtol(argv[3], NULL, 0), 0));
		printf("%ld %.*s", message.type, n, message.text);
	} else if (!strcmp(verb, "msg-stat")) {
		struct msqid_ds ds;
		need(msgctl(id, IPC_STAT, &ds));
		permission(&ds.msg_perm);
		printf(" stime=%ld rtime=%ld ctime=%ld cbytes=%lu qnum=%lu qbytes=%lu lspid=%d lrpid=%d",
			(long)ds.msg_stime, (long)ds.msg_rtime, (long)ds.msg_ctime, (unsigned long)ds.__msg_cbytes,
			(unsigned long)ds.msg_qnum, (unsigned long)ds.msg_qbytes, (int)ds.msg_lspid, (int)ds.msg_lrpid);
	} else if (!strcmp(verb, "msg-capacity")) {
		struct msqid_ds ds;
		need(msgctl(id, IPC_STAT, &ds));
		ds.msg_qbytes = number(argv[3]);
		need(msgctl(id, IPC_SET, &ds));
	} else if (!strcmp(verb, "msg-remove")) {
		need(msgctl(id, IPC_RMID, NULL));
	} else {
		fprintf(stderr, "no verb %s\n", verb);
		return 2;
	}
	return 0;
}
`

// byC runs the C program and returns what it prints, and its pid.
func byC(t *testing.T, args ...any) (string, int) {
	t.Helper()
	cmd, out := beginC(t, args...)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("C program %v: %v\n%s", args, err, out)
	}
	return out.String(), cmd.Process.Pid
}

// beginC starts the C program for what blocks. The test waits for it; if it
// fails before, the program is killed.
func beginC(t *testing.T, args ...any) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = fmt.Sprint(arg)
	}
	var out strings.Builder
	cmd := exec.CommandContext(t.Context(), testenv.CompileC(t, ipcInC), words...)
	cmd.Stdout, cmd.Stderr = &out, &out
	succeeds(t, cmd.Start())
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Wait() // the context has ended, and the program with it
		}
	})
	return cmd, &out
}

func permissionAsC(p sysv.Permission) string {
	return fmt.Sprintf("key=%d uid=%d gid=%d cuid=%d cgid=%d mode=%o seq=%d",
		int32(p.Key), p.UID, p.GID, p.CreatorUID, p.CreatorGID, uint32(p.Mode), p.Seq)
}

// semaphoresAsC is what sem-stat of the C program should print.
func semaphoresAsC(t *testing.T, s *sysv.SemaphoreSet) string {
	t.Helper()
	info, err := s.Stat()
	succeeds(t, err)
	text := fmt.Sprintf("%s nsems=%d otime=%s ctime=%s", permissionAsC(info.Permission), info.Count, procTime(info.OpTime), procTime(info.ChangeTime))
	for i := range info.Count {
		var n [4]int
		for j, get := range []func(int) (int, error){s.Value, s.LastPID, s.Waiting, s.WaitingForZero} {
			n[j], err = get(i)
			succeeds(t, err)
		}
		text += fmt.Sprintf(" %d:%d:%d:%d", n[0], n[1], n[2], n[3])
	}
	return text
}

// queueAsC is what msg-stat of the C program should print.
func queueAsC(t *testing.T, q *sysv.MessageQueue) string {
	t.Helper()
	i, err := q.Stat()
	succeeds(t, err)
	return fmt.Sprintf("%s stime=%s rtime=%s ctime=%s cbytes=%d qnum=%d qbytes=%d lspid=%d lrpid=%d", permissionAsC(i.Permission),
		procTime(i.SendTime), procTime(i.ReceiveTime), procTime(i.ChangeTime), i.Bytes, i.Messages, i.Capacity, i.LastSendPID, i.LastReceivePID)
}

func TestCSeesTheSemaphoresOfGo(t *testing.T) {
	s, err := sysv.CreateSemaphores(sysv.Key(testenv.Key(t)), 3, 0o642)
	succeeds(t, err)
	compare := func() {
		t.Helper()
		got, _ := byC(t, "sem-stat", s.ID())
		if diff := cmp.Diff(got, semaphoresAsC(t, s)); diff != "" {
			t.Errorf("(-C +Go):\n%s", diff)
		}
	}
	compare()
	if id, _ := byC(t, "sem-open", s.Key()); id != strconv.Itoa(s.ID()) {
		t.Errorf("under the key C finds id %s, expected %d", id, s.ID())
	}
	succeeds(t, s.SetValues([]int{1, 0, sysv.MaxSemaphoreValue}))
	succeeds(t, s.Op(background, sysv.Wait(0), sysv.Add(1, 7), sysv.Wait(2)))
	compare()
	down := start(func() error { return s.Op(background, sysv.Wait(0)) })
	zero := start(func() error { return s.Op(background, sysv.Zero(1)) })
	eventuallyWaiting(t, s, 0, 1)
	eventuallyZeroWaiting(t, s, 1, 1)
	compare()
	byC(t, "sem-op", s.ID(), "0:1", "1:-7") // C lets both go on
	succeeds(t, result(t, down))
	succeeds(t, result(t, zero))
	compare()
	if os.Geteuid() == 0 {
		succeeds(t, s.SetOwner(12345, 54321))
	}
	succeeds(t, s.SetMode(0o666))
	compare()
}

func TestGoSeesTheSemaphoresOfC(t *testing.T) {
	begin := time.Now()
	key := sysv.Key(testenv.Key(t))
	id, _ := byC(t, "sem-create", key, 4, "0604")
	s, err := sysv.OpenSemaphores(key)
	succeeds(t, err)
	if strconv.Itoa(s.ID()) != id {
		t.Errorf("id %d, expected %s", s.ID(), id)
	}
	_, pid := byC(t, "sem-op", id, "0:5", "3:2")
	byC(t, "sem-set", id, 1, 9)
	byC(t, "sem-mode", id, "0640")
	hasValues(t, s, 5, 9, 0, 2)
	if got, err := s.LastPID(3); got != pid || err != nil {
		t.Errorf("last process %d, %v; expected %d", got, err, pid)
	}
	info, err := s.Stat()
	succeeds(t, err)
	isRecent(t, "operation time", info.OpTime, begin)
	if info.Mode != 0o640 || info.Count != 4 || info.Key != key {
		t.Errorf("%+v", info)
	}

	cmd, out := beginC(t, "sem-op", id, "0:-6", "1:-9")
	eventuallyWaiting(t, s, 0, 1)
	succeeds(t, s.Op(background, sysv.Post(0))) // Go lets C go on
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	hasValues(t, s, 0, 0, 0, 2)
	byC(t, "sem-remove", id)
	failsWith(t, s.TryOp(sysv.Post(0)), sysv.ErrRemoved)
}

func TestCSeesTheQueuesOfGo(t *testing.T) {
	q, err := sysv.CreateQueue(sysv.Key(testenv.Key(t)), 0o642)
	succeeds(t, err)
	compare := func() {
		t.Helper()
		got, _ := byC(t, "msg-stat", q.ID())
		if diff := cmp.Diff(got, queueAsC(t, q)); diff != "" {
			t.Errorf("(-C +Go):\n%s", diff)
		}
	}
	compare()
	if id, _ := byC(t, "msg-open", q.Key()); id != strconv.Itoa(q.ID()) {
		t.Errorf("under the key C finds id %s, expected %d", id, q.ID())
	}
	succeeds(t, q.TrySend(3, []byte("three")))
	succeeds(t, q.TrySend(1<<40, []byte("a type of more than 32 bits")))
	compare()
	takes(t, q, sysv.Any(), 3, "three")
	compare()
	if got, _ := byC(t, "msg-receive", q.ID(), 0); got != "1099511627776 a type of more than 32 bits" {
		t.Errorf("C receives %q", got)
	}
	succeeds(t, q.SetCapacity(1000))
	if os.Geteuid() == 0 {
		succeeds(t, q.SetOwner(12345, 54321))
	}
	succeeds(t, q.SetMode(0o666))
	compare()
}

func TestGoSeesTheQueuesOfC(t *testing.T) {
	begin := time.Now()
	key := sysv.Key(testenv.Key(t))
	id, _ := byC(t, "msg-create", key, "0604")
	q, err := sysv.OpenQueue(key)
	succeeds(t, err)
	if strconv.Itoa(q.ID()) != id {
		t.Errorf("id %d, expected %s", q.ID(), id)
	}
	byC(t, "msg-send", id, 5, "five")
	byC(t, "msg-send", id, 4, "four")
	byC(t, "msg-capacity", id, 123)
	info, err := q.Stat()
	succeeds(t, err)
	isRecent(t, "send time", info.SendTime, begin)
	if info.Messages != 2 || info.Bytes != 8 || info.Capacity != 123 || info.Mode != 0o604 || info.Key != key {
		t.Errorf("%+v", info)
	}
	takes(t, q, sysv.UpTo(9), 4, "four")
	takes(t, q, sysv.Any(), 5, "five")

	cmd, out := beginC(t, "msg-receive", id, -3)
	testenv.Eventually(t, "C blocks", func() bool { return testenv.InSyscall(t, cmd.Process.Pid, syscall.SYS_MSGRCV) })
	succeeds(t, q.TrySend(4, []byte("not meant")))
	succeeds(t, q.TrySend(2, []byte("meant")))
	if err := cmd.Wait(); err != nil || out.String() != "2 meant" {
		t.Errorf("C receives %q, %v", out, err)
	}
	byC(t, "msg-remove", id)
	failsWith(t, q.TrySend(1, nil), sysv.ErrRemoved)
}
