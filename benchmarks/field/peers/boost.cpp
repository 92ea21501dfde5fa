// Boost.Interprocess: message_queue, which copies in and out under a mutex of the C library, and its named mutex.

#include "side.hpp"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/sync/named_mutex.hpp>

namespace ip = boost::interprocess;

// As many as shmkit's queue of the same size has room for in this benchmark.
static size_t depth(size_t size) { return std::max<size_t>(2, std::min<size_t>(64, (64 << 10) / size)); }

struct queues {
	side::room &r;
	ip::message_queue there, back;
	ip::message_queue &out, &in;
	std::vector<char> buf;

	explicit queues(side::room &r)
	    : r(r), there(ip::open_or_create, (r.a.name() + "-there").c_str(), depth(r.a.size), r.a.size),
	      back(ip::open_or_create, (r.a.name() + "-back").c_str(), depth(r.a.size), r.a.size), out(r.a.first ? there : back),
	      in(r.a.first ? back : there), buf(r.a.size)
	{
	}

	~queues()
	{
		if (r.a.first)
			for (const char *end : {"-there", "-back"})
				ip::message_queue::remove((r.a.name() + end).c_str());
	}

	void send(uint64_t seq)
	{
		r.pay.put(buf.data(), seq);
		if (!r.a.spin()) {
			out.send(buf.data(), buf.size(), 0);
			return;
		}
		while (!out.try_send(buf.data(), buf.size(), 0)) {
		}
	}

	void receive(uint64_t seq)
	{
		ip::message_queue::size_type n;
		unsigned priority;
		if (!r.a.spin())
			in.receive(buf.data(), buf.size(), n, priority);
		else
			while (!in.try_receive(buf.data(), buf.size(), n, priority)) {
			}
		r.pay.get(buf.data(), n, seq);
	}
};

// A named_mutex, which is not robust: who waits for one that has died waits for ever.
struct named {
	side::room &r;
	std::string name = r.a.name() + "-mutex";
	ip::named_mutex m{ip::open_or_create, name.c_str()};

	explicit named(side::room &r) : r(r) {}
	~named()
	{
		if (r.a.first)
			ip::named_mutex::remove(name.c_str());
	}
	void lock() { m.lock(); }
	void unlock() { m.unlock(); }
};

int main(int argc, char **argv)
{
	return side::run(argc, argv, [](side::room &r) {
		if (r.a.way == "Boost named_mutex") {
			named n(r);
			side::serve_lock(r, n);
			return;
		}
		queues q(r);
		side::serve_messages(r, q);
	});
}
