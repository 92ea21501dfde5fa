// The machine's floor: two processes bounce one cache line.
//
//	floor CPU CPU        bind them; -1 -1 leaves them where they are
//
// For each line of input, a number of microseconds, they bounce for about so long, a hundred round
// trips at a time, and the first one prints how many nanoseconds a round trip took: the median of
// the hundreds. Between the lines of input both are blocked in read(2). They end with it.
//
// The median, for with others on the machine one of the two is sometimes not running. Each hundred
// has another cache line, for how long one takes depends on its address: to the processor each
// line has a home, near or far.

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

enum {
	batch = 100,
	lines = 256,
	stride = 640, // bytes: some lines, so that neighbours are not fetched along
	most = 10000, // batches for one line of input
};

static const uint64_t stop = UINT64_MAX, stopped = UINT64_MAX - 1;

typedef _Atomic uint64_t word;

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

// The word of the round trip that begins with the odd number n. Numbers only grow.
static word *word_of(char *memory, uint64_t n)
{
	return (word *)(memory + n / 2 / batch % lines * stride);
}

// Waits until w is n, or stop, and returns which. Where both have one CPU it is the other's turn
// after a while.
static uint64_t await(word *w, uint64_t n)
{
	uint64_t v;
	for (uint32_t looks = 1; (v = atomic_load_explicit(w, memory_order_acquire)) != n && v != stop; looks++)
		if (looks % (1 << 16) == 0)
			sched_yield();
	return v;
}

// The second answers each odd number with the next even one.
static void answer(char *memory, int orders)
{
	char c;
	uint64_t n = 1;
	while (read(orders, &c, 1) == 1)
		for (;; n += 2) {
			word *w = word_of(memory, n);
			uint64_t v = await(w, n);
			atomic_store_explicit(w, v == stop ? stopped : n + 1, memory_order_release);
			if (v == stop)
				break;
		}
	_exit(0);
}

// One batch, from *n on.
static void trips(char *memory, uint64_t *n)
{
	word *w = word_of(memory, *n);
	for (int i = 0; i < batch; i++, *n += 2) {
		atomic_store_explicit(w, *n, memory_order_release);
		await(w, *n + 1);
	}
}

static int smaller(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static int64_t took[most];
	int orders[2];
	char line[32];
	uint64_t n = 1;
	if (argc != 3)
		return 2;
	char *memory = mmap(NULL, lines * stride, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	if (pipe(orders))
		die("pipe");
	pid_t first = getpid(), second = fork();
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
		answer(memory, orders[0]);
	}
	close(orders[0]);
	bind_to(atoi(argv[1]));
	while (fgets(line, sizeof line, stdin)) {
		int64_t length = atoll(line) * 1000;
		int count = 0;
		if (write(orders[1], "", 1) != 1)
			die("write");
		trips(memory, &n); // until the second is awake
		int64_t begin = now(), last = begin;
		do {
			trips(memory, &n);
			int64_t t = now();
			took[count++] = t - last;
			last = t;
		} while (last - begin < length && count < most);
		word *w = word_of(memory, n);
		atomic_store(w, stop);
		while (atomic_load(w) != stopped)
			sched_yield();
		qsort(took, count, sizeof took[0], smaller);
		printf("%.3f\n", took[count / 2] / (double)batch);
		if (fflush(stdout))
			die("write");
	}
	return 0;
}
