package pshared_test

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/pshared"
	"github.com/shmkit/shmkit/shmtest"
)

// Two processes that lock and unlock without a pause, beside the same with a robust mutex
// of the C library. Both do the same under the lock, stop at the same count, in which
// both take part to the end, and are timed by the one that began, from when both are
// there until the count is reached.

// glibcProgram is the match in C: FILE MODE N prints nanoseconds per turn, and turns per
// hand-over. MODE alone has one process.
const glibcProgram = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared {
	_Alignas(128) pthread_mutex_t mu;
	_Alignas(128) volatile long turns, handovers, work;
	atomic_long last;
	_Alignas(128) atomic_int ready;
};

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void play(struct shared *s, long me, int over, long n) {
	for (;;) {
		if (pthread_mutex_lock(&s->mu) != 0) exit(2);
		int end = s->turns >= n;
		if (!end) {
			s->turns++;
			if (atomic_load(&s->last) != me) {
				atomic_store(&s->last, me);
				s->handovers++;
			}
			for (int i = 0; over && i < 100; i++) s->work++;
		}
		if (pthread_mutex_unlock(&s->mu) != 0) exit(2);
		if (end) return;
		while (over && atomic_load(&s->last) == me && atomic_load(&s->ready) == 2) {}
	}
}

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	long n = atol(argv[3]);
	int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, 4096) != 0 || unlink(argv[1]) != 0) return 2;
	struct shared *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED) return 2;
	pthread_mutexattr_t a;
	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&s->mu, &a);
	int two = strcmp(argv[2], "alone") != 0;
	int over = strcmp(argv[2], "handover") == 0;
	pid_t child = two ? fork() : -1;
	if (two) {
		atomic_fetch_add(&s->ready, 1);
		while (atomic_load(&s->ready) == 1) {}
	}
	double begin = now();
	play(s, child == 0 ? 1 : 2, over, n);
	double took = now() - begin;
	atomic_store(&s->ready, 0);
	if (child == 0) return 0;
	int status = 0;
	if (two && (waitpid(child, &status, 0) != child || status != 0)) return 2;
	printf("%.2f %.1f\n", took / n, (double)s->turns / s->handovers);
	return 0;
}
`

// A pace is how fast a lock changed hands.
type pace struct {
	ns     float64 // for each turn
	length float64 // turns per hand-over
}

// glibc plays in C.
func glibc(b *testing.B, mode string, n int) (p pace) {
	b.Helper()
	path := filepath.Join("/dev/shm", testenv.Name(b))
	out, err := exec.Command(testenv.CompileC(b, glibcProgram), path, mode, strconv.Itoa(n)).Output()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(string(out), &p.ns, &p.length); err != nil {
		b.Fatal(err)
	}
	return p
}

// match is what the two share: as in C.
type match struct {
	Mu                     pshared.MutexWord
	_                      [120]byte
	Turns, Handovers, Work int64
	Last                   atomic.Int64
	_                      [96]byte
	Ready                  atomic.Int64 // how many are
}

// A side of a match.
type side struct {
	me int64
	s  *pshared.Shared[match]
	mu *pshared.Mutex
}

func openMatch(dir string, me int64) (*side, error) {
	s, err := pshared.Open[match]("match", &pshared.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	return &side{me: me, s: s, mu: s.Mutex(&s.Data().Mu)}, nil
}

// play takes turns until there were n of both.
func (p *side) play(mode string, n int64) error {
	d := p.s.Data()
	over := mode == "handover"
	for d.Ready.Add(1); d.Ready.Load() == 1; {
	}
	defer d.Ready.Store(0)
	for {
		if err := p.mu.Lock(context.Background()); err != nil {
			return err
		}
		end := d.Turns >= n
		if !end {
			d.Turns++
			if d.Last.Load() != p.me {
				d.Last.Store(p.me)
				d.Handovers++
			}
			for i := 0; over && i < 100; i++ {
				d.Work++
			}
		}
		if err := p.mu.Unlock(); err != nil || end {
			return err
		}
		for over && d.Last.Load() == p.me && d.Ready.Load() == 2 {
		}
	}
}

// player is the other side: DIR MODE N, and a match for each line it hears.
func player(args []string) error {
	p, err := openMatch(args[0], 2)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	for {
		if err := shmtest.Say("ready"); err != nil {
			return err
		}
		order, err := shmtest.Hear()
		if err != nil {
			return err
		}
		if order == "end" {
			return p.s.Close()
		}
		if err := p.play(args[1], n); err != nil {
			return err
		}
	}
}

// BenchmarkMutexContended is time per turn of either. A lock that lets one go on for long
// looks good here: turns per hand-over say how long.
func BenchmarkMutexContended(b *testing.B) { matches(b, "contended", 500_000) }

// BenchmarkMutexHandOver is two processes by turns, of some 100 ns each: each locks as soon as
// it sees that the other has the lock. Time from one turn to the next.
func BenchmarkMutexHandOver(b *testing.B) { matches(b, "handover", 20_000) }

// matches plays ours and the C library's by turns, for on a machine with neighbours only
// what was measured at almost the same time can be compared, and tells the medians.
func matches(b *testing.B, mode string, n int) {
	testenv.CompileC(b, glibcProgram)
	dir := shmtest.Dir(b)
	mine, err := openMatch(dir, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer mine.s.Close()
	p := shmtest.Start(b, "player", dir, mode, strconv.Itoa(n))
	p.Expect("ready")
	d := mine.s.Data()
	var ours, theirs []pace
	for b.Loop() {
		theirs = append(theirs, glibc(b, mode, n))
		runtime.GC() // not in the middle of a match
		d.Turns, d.Handovers = 0, 0
		d.Last.Store(0)
		p.Send("go")
		begin := time.Now()
		if err := mine.play(mode, int64(n)); err != nil {
			b.Fatal(err)
		}
		took := time.Since(begin)
		p.Expect("ready")
		ours = append(ours, pace{float64(took) / float64(n), float64(d.Turns) / float64(d.Handovers)})
	}
	p.Send("end")
	if err := p.Wait(); err != nil {
		b.Error(err, p.Stderr())
	}
	our, their := medianPace(ours), medianPace(theirs)
	b.ReportMetric(our.ns, "ns/op")
	b.ReportMetric(their.ns, "ns/glibc")
	b.ReportMetric(our.ns/their.ns, "x-glibc")
	b.ReportMetric(our.length, "turns/hand-over")
	b.ReportMetric(their.length, "turns/glibc-hand-over")
}

// medianPace is the median of each figure.
func medianPace(all []pace) pace {
	var ns, length []float64
	for _, p := range all {
		ns, length = append(ns, p.ns), append(length, p.length)
	}
	slices.Sort(ns)
	slices.Sort(length)
	return pace{ns[len(ns)/2], length[len(length)/2]}
}
