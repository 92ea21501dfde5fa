package pshared_test

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/shmtest"
	"github.com/shmkit/shmkit/sysv"
)

// semaphoresProgram takes and gives back with what the C library has: FILE MODE N prints
// nanoseconds for both together.
const semaphoresProgram = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	long n = atol(argv[3]);
	double begin;
	if (strcmp(argv[2], "posix") == 0) {
		int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
		if (fd < 0 || ftruncate(fd, 4096) != 0) return 2;
		sem_t *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		unlink(argv[1]);
		if (s == MAP_FAILED || sem_init(s, 1, 1) != 0) return 2;
		begin = now();
		for (long i = 0; i < n; i++)
			if (sem_wait(s) != 0 || sem_post(s) != 0) return 2;
	} else {
		int id = semget(IPC_PRIVATE, 1, 0600);
		short flags = strcmp(argv[2], "undo") == 0 ? SEM_UNDO : 0;
		struct sembuf take = {0, -1, flags}, give = {0, 1, flags}, first = {0, 1, 0};
		if (id < 0 || semop(id, &first, 1) != 0) return 2;
		begin = now();
		for (long i = 0; i < n; i++)
			if (semop(id, &take, 1) != 0 || semop(id, &give, 1) != 0) {
				semctl(id, 0, IPC_RMID);
				return 2;
			}
		double took = now() - begin;
		semctl(id, 0, IPC_RMID);
		printf("%.1f\n", took / n);
		return 0;
	}
	printf("%.1f\n", (now() - begin) / n);
	return 0;
}
`

// BenchmarkSemaphoreUncontended is one process alone that takes one and gives it back.
func BenchmarkSemaphoreUncontended(b *testing.B) {
	b.Run("pshared", func(b *testing.B) {
		s := openSemaphore(b, shmtest.Dir(b), 8)
		b.ReportAllocs()
		for b.Loop() {
			if s.Acquire(ctx, 1) != nil || s.Release(1) != nil {
				b.Fatal("failed")
			}
		}
	})
	b.Run("counting", func(b *testing.B) {
		c := mustOpenPool(b, shmtest.Dir(b), 1).count
		must(b, c.Post(8))
		b.ReportAllocs()
		for b.Loop() {
			if c.Wait(ctx) != nil || c.Post(1) != nil {
				b.Fatal("failed")
			}
		}
	})
	b.Run("sysv", func(b *testing.B) {
		s, err := sysv.CreateSemaphores(sysv.Private, 1, 0o600)
		must(b, err)
		b.Cleanup(func() {
			if err := s.Remove(); err != nil {
				b.Error(err)
			}
		})
		must(b, s.Op(ctx, sysv.Post(0)))
		b.ReportAllocs()
		for b.Loop() {
			if s.Op(ctx, sysv.Wait(0)) != nil || s.Op(ctx, sysv.Post(0)) != nil {
				b.Fatal("failed")
			}
		}
	})
	for name, mode := range map[string]string{"C posix": "posix", "C sysv": "sysv", "C sysv with undo": "undo"} {
		b.Run(name, func(b *testing.B) {
			n := 300_000
			if mode == "posix" {
				n = 5_000_000
			}
			out, err := exec.Command(testenv.CompileC(b, semaphoresProgram), filepath.Join("/dev/shm", testenv.Name(b)), mode, strconv.Itoa(n)).Output()
			must(b, err)
			ns, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			must(b, err)
			b.ReportMetric(ns, "ns/op")
		})
	}
}
