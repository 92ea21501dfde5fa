// The C library's robust mutex between processes, Boost's named mutexes are not robust, and POSIX semaphores.

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
	void send(uint64_t)
	{
		if (sem_post(s + 1 - r.who()))
			side::failed("sem_post");
	}
	void receive(uint64_t)
	{
		while (sem_wait(s + r.who()))
			if (errno != EINTR)
				side::failed("sem_wait");
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
		} else {
			robust m(r.a.first);
			side::serve_lock(r, m);
		}
	});
}
