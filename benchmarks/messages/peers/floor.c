// The machine's floor: two processes bounce one cache line.
//
//	floor CPU CPU        bind them; -1 -1 leaves them where they are
//
// For each line of input, a number of microseconds, they bounce for about so long, a hundred round
// trips at a time, and the first one prints how many nanoseconds a round trip took: the median of
// the hundreds, for with others on the machine one of the two is sometimes not running. Between
// the lines both are blocked in read(2). They end with the input.

#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static const uint64_t stop = UINT64_MAX, stopped = UINT64_MAX - 1;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void bind_to(int cpu)
{
	cpu_set_t set;
	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set))
		die("sched_setaffinity");
}

static int64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// The second answers each odd number with the next even one.
static void answer(_Atomic uint64_t *word, int orders)
{
	char c;
	while (read(orders, &c, 1) == 1)
		for (uint64_t n = 1;; n += 2) {
			uint64_t v;
			while ((v = atomic_load_explicit(word, memory_order_acquire)) != n && v != stop)
				;
			atomic_store_explicit(word, v == stop ? stopped : n + 1, memory_order_release);
			if (v == stop)
				break;
		}
	_exit(0);
}

static int smaller(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static void trips(_Atomic uint64_t *word, uint64_t *n, int count)
{
	for (; count > 0; count--, *n += 2) {
		atomic_store_explicit(word, *n, memory_order_release);
		while (atomic_load_explicit(word, memory_order_acquire) != *n + 1)
			;
	}
}

int main(int argc, char **argv)
{
	enum { batch = 100, most = 10000 };
	static int64_t took[most];
	int orders[2];
	char line[32];
	if (argc != 3)
		return 2;
	_Atomic uint64_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (word == MAP_FAILED)
		die("mmap");
	if (pipe(orders))
		die("pipe");
	pid_t first = getpid();
	pid_t second = fork();
	if (second < 0)
		die("fork");
	if (second == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != first)
			_exit(1);
		close(orders[1]);
		close(0);
		close(1);
		bind_to(atoi(argv[2]));
		answer(word, orders[0]);
	}
	close(orders[0]);
	bind_to(atoi(argv[1]));
	while (fgets(line, sizeof line, stdin)) {
		int64_t length = atoll(line) * 1000, begin, last, t;
		uint64_t n = 1;
		int count = 0;
		atomic_store(word, 0);
		if (write(orders[1], "", 1) != 1)
			die("write");
		trips(word, &n, batch); // until the second is awake
		begin = last = now();
		do {
			trips(word, &n, batch);
			t = now();
			took[count++] = t - last;
			last = t;
		} while (t - begin < length && count < most);
		atomic_store(word, stop);
		while (atomic_load(word) != stopped)
			;
		qsort(took, count, sizeof took[0], smaller);
		printf("%.3f\n", took[count / 2] / (double)batch);
		if (fflush(stdout))
			die("write");
	}
	return 0;
}
