package pshared_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// glibcCondProgram sends a turn to and fro between two processes with a condition and a robust
// mutex of the C library: FILE N prints nanoseconds per turn.
const glibcCondProgram = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared { pthread_mutex_t mu; pthread_cond_t cond; int turn; };

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void play(struct shared *s, int me, long n) {
	for (long i = 0; i < n; i++) {
		if (pthread_mutex_lock(&s->mu) != 0) exit(2);
		while (s->turn != me) pthread_cond_wait(&s->cond, &s->mu);
		s->turn = !me;
		pthread_mutex_unlock(&s->mu);
		pthread_cond_signal(&s->cond);
	}
}

int main(int argc, char **argv) {
	if (argc != 3) return 2;
	long n = atol(argv[2]);
	int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, 4096) != 0) return 2;
	struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unlink(argv[1]);
	if (s == MAP_FAILED) return 2;
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&s->mu, &a);
	pthread_condattr_t c;
	pthread_condattr_init(&c);
	pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
	pthread_cond_init(&s->cond, &c);
	pid_t child = fork();
	double begin = now();
	play(s, child == 0, n);
	if (child == 0) return 0;
	int status = 0;
	if (waitpid(child, &status, 0) != child || status != 0) return 2;
	printf("%.1f\n", (now() - begin) / (2 * n));
	return 0;
}
`

// condGame is what the two share.
type condGame struct {
	Mu   pshared.MutexWord
	Cond pshared.CondWord
	Turn int64
}

// playTurns takes N turns, each after one of the other's.
func playTurns(s *pshared.Shared[condGame], me int64, n int) error {
	d, mu, c := s.Data(), s.Mutex(&s.Data().Mu), s.Cond(&s.Data().Cond)
	for range n {
		if err := mu.Lock(context.Background()); err != nil {
			return err
		}
		for d.Turn != me {
			if err := c.Wait(context.Background(), mu); err != nil {
				return err
			}
		}
		d.Turn = 1 - me
		if err := mu.Unlock(); err != nil {
			return err
		}
		if err := c.Signal(); err != nil {
			return err
		}
	}
	return nil
}

var _ = addRoles(map[string]shmtest.Role{
	"cond player": inScene(func(s *pshared.Shared[condGame], args []string) error {
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		if err := shmtest.Say("ready"); err != nil {
			return err
		}
		return playTurns(s, 1, n)
	}),
})

// BenchmarkCondTurns is the time of one turn between two processes that wake each other,
// beside the same with a condition of the C library.
func BenchmarkCondTurns(b *testing.B) {
	program := testenv.CompileC(b, glibcCondProgram)
	s := openScene[condGame](b, shmtest.Dir(b))
	p := shmtest.Start(b, "cond player", s.Dir(), strconv.Itoa(b.N))
	p.Expect("ready")
	b.ReportAllocs()
	b.ResetTimer()
	if err := playTurns(s, 0, b.N); err != nil {
		b.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		b.Fatal(err, p.Stderr())
	}
	b.StopTimer()
	ours := float64(b.Elapsed().Nanoseconds()) / float64(2*b.N)
	out, err := exec.Command(program, filepath.Join("/dev/shm", testenv.Name(b)), strconv.Itoa(b.N)).Output()
	if err != nil {
		b.Fatal(err)
	}
	glibc, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(ours, "ns/turn")
	b.ReportMetric(glibc, "ns/turn-glibc")
	b.ReportMetric(ours/glibc, "x-glibc")
}
