// The C library's robust mutex and condition between processes, and POSIX semaphores.

#include "side.hpp"

#include <cerrno>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>

// A page behind the meeting is both sides' own.
template <class t> static t *shared()
{
	void *p = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, 3, 0);
	if (p == MAP_FAILED)
		side::failed("mmap");
	return reinterpret_cast<t *>(static_cast<char *>(p) + 4096);
}

struct robust {
	pthread_mutex_t *m = shared<pthread_mutex_t>();

	explicit robust(bool first)
	{
		if (!first)
			return;
		pthread_mutexattr_t a;
		pthread_mutexattr_init(&a);
		pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
		pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
		if (pthread_mutex_init(m, &a))
			side::fail("pthread_mutex_init");
	}
	void lock()
	{
		if (int e = pthread_mutex_lock(m))
			side::fail(strerror(e));
	}
	void unlock()
	{
		if (int e = pthread_mutex_unlock(m))
			side::fail(strerror(e));
	}
};

// By turns: a robust mutex, and a condition under it for who waits for the other's number.
struct robust_turns {
	struct shared_state {
		pthread_mutex_t m;
		alignas(128) pthread_cond_t c;
		uint64_t said[2];
	};
	side::room &r;
	shared_state *s = shared<shared_state>();

	explicit robust_turns(side::room &r) : r(r)
	{
		robust m(r.a.first); // at the beginning of the state
		pthread_condattr_t a;
		pthread_condattr_init(&a);
		pthread_condattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
		if (r.a.first && pthread_cond_init(&s->c, &a))
			side::fail("pthread_cond_init");
	}
	static void must(int e)
	{
		if (e)
			side::fail(strerror(e));
	}
	void send(uint64_t seq)
	{
		must(pthread_mutex_lock(&s->m));
		s->said[r.who()] = seq + (r.pay.check && r.pay.spoil);
		must(pthread_cond_signal(&s->c));
		must(pthread_mutex_unlock(&s->m));
	}
	void receive(uint64_t seq)
	{
		must(pthread_mutex_lock(&s->m));
		while (s->said[1 - r.who()] < seq)
			must(pthread_cond_wait(&s->c, &s->m));
		uint64_t got = s->said[1 - r.who()];
		must(pthread_mutex_unlock(&s->m));
		if (got != seq)
			side::fail("woken for " + std::to_string(got) + " at " + std::to_string(seq));
	}
};

struct semaphore {
	sem_t *s = shared<sem_t>();

	explicit semaphore(bool first)
	{
		if (first && sem_init(s, 1, 1))
			side::failed("sem_init");
	}
	void lock()
	{
		while (sem_wait(s))
			if (errno != EINTR)
				side::failed("sem_wait");
	}
	void unlock()
	{
		if (sem_post(s))
			side::failed("sem_post");
	}
};

// Two semaphores, by turns.
struct turns {
	side::room &r;
	sem_t *s = shared<sem_t>();

	explicit turns(side::room &r) : r(r)
	{
		if (r.a.first && (sem_init(s, 1, 0) || sem_init(s + 1, 1, 0)))
			side::failed("sem_init");
	}
	std::atomic<uint64_t> &said(int who) { return r.m->free[who].v; }
	void send(uint64_t seq)
	{
		said(r.who()).store(seq + (r.pay.check && r.pay.spoil));
		if (sem_post(s + 1 - r.who()))
			side::failed("sem_post");
	}
	void receive(uint64_t seq)
	{
		while (sem_wait(s + r.who()))
			if (errno != EINTR)
				side::failed("sem_wait");
		uint64_t got = said(1 - r.who()).load();
		if (got != seq)
			side::fail("woken for " + std::to_string(got) + " at " + std::to_string(seq));
	}
};

int main(int argc, char **argv)
{
	return side::run(argc, argv, [](side::room &r) {
		if (r.a.way == "POSIX semaphore" && r.a.group == "by turns") {
			turns t(r);
			side::serve_messages(r, t);
		} else if (r.a.way == "POSIX semaphore") {
			semaphore s(r.a.first);
			side::serve_lock(r, s);
		} else if (r.a.way == "robust mutex and cond") {
			robust_turns t(r);
			side::serve_messages(r, t);
		} else {
			robust m(r.a.first);
			side::serve_lock(r, m);
		}
	});
}
