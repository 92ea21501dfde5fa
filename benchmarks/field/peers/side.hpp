// What all programs here have in common: they are one side of a pair that shmkit's bench has started, do what
// they are told, and answer. See Foreign in internal/bench for the arguments and the lines.
//
// A way is a class with send(seq) and receive(seq), for messages of payload::size bytes, which it makes with payload::put and
// looks at with payload::get. side::messages makes round trips or a stream of it, as latency.go and stream.go do.

#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace side {

[[noreturn]] inline void fail(const std::string &what)
{
	throw std::runtime_error(what);
}

// With errno.
[[noreturn]] inline void failed(const char *call)
{
	fail(std::string(call) + ": " + strerror(errno));
}

struct arguments {
	std::string way, suite, group, wait, dir;
	size_t size;
	bool touched, first;
	int cpu;
	bool spin() const { return wait == "spin"; }
	// The end of the folder's name, which nobody else has.
	std::string name() const { return dir.substr(dir.rfind('/') + 1); }
};

inline arguments parse(int argc, char **argv)
{
	if (argc != 10)
		fail("it is started by benchmarks/field");
	return {argv[1], argv[2], argv[3], argv[4], argv[9], size_t(atoll(argv[5])), atoi(argv[6]) == 1, atoi(argv[7]) == 0, atoi(argv[8])};
}

// A word with cache lines of its own, and the first page of the common memory.
struct alignas(128) word {
	std::atomic<uint64_t> v;
};

struct meeting {
	word begin[2], done, free[8];
};

inline void await(std::atomic<uint64_t> &w, uint64_t v)
{
	for (uint32_t looks = 1; w.load(std::memory_order_acquire) < v; looks++)
		if (looks % (1 << 14) == 0)
			sched_yield();
}

inline int64_t clock_of(clockid_t id)
{
	timespec t;
	clock_gettime(id, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

inline int64_t now() { return clock_of(CLOCK_MONOTONIC); }

// As payload.go.
struct payload {
	size_t size;
	bool touched, check = false, spoil = false;
	std::vector<char> own;

	payload(size_t size, bool touched) : size(size), touched(touched), own(size) { fill(own.data(), 1); }

	void fill(char *b, uint64_t seq)
	{
		uint64_t x = seq * 0x9e3779b97f4a7c15 + 1;
		size_t n = size;
		for (; n >= 8; n -= 8, b += 8) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			memcpy(b, &x, 8);
		}
		for (size_t i = 0; i < n; i++)
			b[i] = char(x >> (8 * i));
	}


	void put(char *to, uint64_t seq)
	{
		if (check)
			fill(to, seq);
		else if (touched)
			memcpy(to, own.data(), size);
		memcpy(to, &seq, 8);
		if (check && spoil)
			to[size - 1] ^= 1;
	}

	void get(const char *from, size_t n, uint64_t seq)
	{
		uint64_t got;
		if (n != size)
			fail("message " + std::to_string(seq) + " has " + std::to_string(n) + " bytes");
		memcpy(&got, from, 8);
		if (got != seq)
			fail("message " + std::to_string(got) + " came for " + std::to_string(seq));
		if (check) {
			fill(own.data(), seq);
			memcpy(own.data(), &seq, 8);
			if (memcmp(own.data(), from, size))
				fail("message " + std::to_string(seq) + " was changed on its way");
		} else if (touched) {
			memcpy(own.data(), from, size);
		}
	}
};

// What is done n times; times of single ones go to samples, if it is not null. It returns how long it took.
struct work {
	virtual int64_t run(int64_t n, std::vector<int64_t> *samples) = 0; // -1: as long as the call
	virtual ~work() {}
};

// A test has one side spoil what it does, and sees that the run fails: of messages the last byte, of locks what is added under them.
inline bool spoils(const arguments &a)
{
	const char *who = getenv("SHMKIT_FIELD_SPOIL");
	return who && std::string(who) == (a.first ? "A" : "B");
}

struct room {
	arguments a;
	meeting *m;
	payload pay;
	uint64_t runs = 0;
	cpu_set_t all;

	explicit room(const arguments &a) : a(a), pay(a.size, a.touched)
	{
		void *p = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, 3, 0);
		if (p == MAP_FAILED)
			failed("mmap");
		m = static_cast<meeting *>(p);
		pay.spoil = spoils(a);
		if (sched_getaffinity(0, sizeof all, &all))
			failed("sched_getaffinity");
		bind();
	}

	void bind()
	{
		cpu_set_t set;
		CPU_ZERO(&set);
		if (a.cpu < 0)
			return;
		CPU_SET(a.cpu, &set);
		if (sched_setaffinity(0, sizeof set, &set))
			failed("sched_setaffinity");
	}

	// Calls f, which may start threads: only the one that measures is bound to a CPU.
	template <class f> auto unbound(f body)
	{
		struct again {
			room &r;
			explicit again(room &r) : r(r)
			{
				if (sched_setaffinity(0, sizeof r.all, &r.all))
					failed("sched_setaffinity");
			}
			~again() noexcept(false) { r.bind(); }
		} a(*this);
		return body();
	}

	int who() const { return a.first ? 0 : 1; }

	void meet()
	{
		runs++;
		m->begin[who()].v.store(runs);
		await(m->begin[1 - who()].v, runs);
	}
};

// The answer, a line of JSON.
inline void reply(int64_t ns, int64_t cpu, int64_t sleeps, const std::vector<int64_t> &samples)
{
	printf("{\"Nanoseconds\":%lld,\"CPU\":%lld,\"Sleeps\":%lld,\"Memory\":-1,\"Thread\":%ld,\"Samples\":[", (long long)ns, (long long)cpu,
	       (long long)sleeps, syscall(SYS_gettid));
	for (size_t i = 0; i < samples.size(); i++)
		printf(i ? ",%lld" : "%lld", (long long)samples[i]);
	printf("]}\n");
	fflush(stdout);
}

inline int64_t sleeps()
{
	rusage u;
	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nvcsw;
}

inline void say(const std::exception &e)
{
	std::string text;
	for (const char *p = e.what(); *p; p++)
		text += (*p == '"' || *p == '\\' || *p < ' ') ? '\'' : *p;
	printf("{\"Error\":\"%s\"}\n", text.c_str());
	fflush(stdout);
}

struct told_already {};

inline void serve_orders(room &r, work &w);

// Orders, until their end. What goes wrong is told before anything is taken away on the way out: else
// the other side stumbles over that, and is heard first.
inline void serve(room &r, work &w)
{
	try {
		serve_orders(r, w);
	} catch (const std::exception &e) {
		say(e);
		throw told_already{};
	}
}

inline void serve_orders(room &r, work &w)
{
	char line[256];
	reply(0, 0, 0, {});
	while (fgets(line, sizeof line, stdin)) {
		long long n;
		if (sscanf(line, "{\"N\":%lld", &n) != 1)
			fail(std::string("what is ") + line);
		if (n == 0)
			return;
		bool record = strstr(line, "\"Record\":true") && r.a.first;
		r.pay.check = strstr(line, "\"Check\":true");
		if (n / 10 > 0) {
			r.meet();
			w.run(n / 10, nullptr);
		}
		std::vector<int64_t> samples;
		if (record)
			samples.reserve(n);
		int64_t slept = sleeps();
		r.meet();
		int64_t cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID), begin = now();
		int64_t took = w.run(n, record ? &samples : nullptr);
		if (took < 0)
			took = now() - begin;
		reply(took, clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu, sleeps() - slept, samples);
	}
	std::filesystem::remove_all(r.a.dir);
	fail("who tells what to do is gone"); // and what else was made is taken back on the way
}

// Round trips, or a stream, of a way of messages.
template <class way> struct messages : work {
	room &r;
	way &w;
	uint64_t seq = 0;

	messages(room &r, way &w) : r(r), w(w) {}

	int64_t run(int64_t n, std::vector<int64_t> *samples) override
	{
		if (r.a.suite == "throughput")
			stream(n);
		else if (r.a.first)
			trips(n, samples);
		else
			for (int64_t i = 0; i < n; i++) {
				w.receive(++seq);
				w.send(seq);
			}
		return -1;
	}

	void trips(int64_t n, std::vector<int64_t> *samples)
	{
		int64_t before = now();
		for (int64_t i = 0; i < n; i++) {
			w.send(++seq);
			w.receive(seq);
			int64_t after = now();
			if (samples) {
				samples->push_back(after - before);
				after = now();
			}
			before = after;
		}
	}

	void stream(int64_t n)
	{
		for (int64_t i = 0; i < n; i++) {
			seq++;
			if (r.a.first)
				w.send(seq);
			else
				w.receive(seq);
		}
		if (r.a.first)
			await(r.m->done.v, seq);
		else
			r.m->done.v.store(seq);
	}
};

// Serves a way of messages.
template <class way> void serve_messages(room &r, way &w)
{
	messages<way> m(r, w);
	serve(r, m);
}

// A lock taken and given back, by A or by both: see locking in locks.go.
template <class lock> struct locking : work {
	room &r;
	lock &l;
	bool both;
	uint64_t added = 0;

	locking(room &r, lock &l) : r(r), l(l), both(r.a.group.rfind("both", 0) == 0) {}

	int64_t run(int64_t n, std::vector<int64_t> *) override
	{
		auto &word = r.m->free[4].v;
		const uint64_t spoil = r.pay.check && r.pay.spoil;
		int64_t begin = now();
		if (both || r.a.first)
			for (int64_t i = 0; i < n; i++) {
				l.lock();
				word.store(word.load(std::memory_order_relaxed) + 1 + spoil);
				l.unlock();
			}
		added += n;
		if (both) {
			r.m->free[5 + r.who()].v.store(added);
			await(r.m->free[6 - r.who()].v, added);
		}
		int64_t took = now() - begin;
		if ((both || r.a.first) && word.load() != added * (both ? 2 : 1))
			fail("of " + std::to_string(added * (both ? 2 : 1)) + " additions under the lock " + std::to_string(word.load()) + " are left");
		return both ? took / 2 : took;
	}
};

template <class lock> void serve_lock(room &r, lock &l)
{
	locking<lock> w(r, l);
	serve(r, w);
}

// main of each program: what f throws is told, if it was not.
template <class f> int run(int argc, char **argv, f body)
{
	try {
		room r(parse(argc, argv));
		body(r);
		return 0;
	} catch (const told_already &) {
		return 1;
	} catch (const std::exception &e) {
		say(e);
		return 1;
	}
}

} // namespace side
