// ZeroMQ: a pair of sockets over ipc://, each with its own I/O thread.

#include "side.hpp"

#include <zmq.h>

struct pairs {
	side::room &r;
	void *context = zmq_ctx_new(), *socket;
	std::vector<char> buf;
	int flags;

	// Its own thread does the work, and needs the CPU that who spins has: on two CPUs nothing would ever come otherwise.
	void again()
	{
		if (zmq_errno() == EAGAIN)
			sched_yield();
		else if (zmq_errno() != EINTR)
			side::fail(zmq_strerror(zmq_errno()));
	}

	explicit pairs(side::room &r) : r(r), socket(r.unbound([&] { return zmq_socket(context, ZMQ_PAIR); })), buf(r.a.size), flags(r.a.spin() ? ZMQ_DONTWAIT : 0)
	{
		std::string where = "ipc://" + r.a.dir + "/zeromq";
		int linger = 0;
		zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
		if (r.a.first ? zmq_bind(socket, where.c_str()) : zmq_connect(socket, where.c_str()))
			side::fail(zmq_strerror(zmq_errno()));
	}

	~pairs()
	{
		zmq_close(socket);
		zmq_ctx_term(context);
	}

	void send(uint64_t seq)
	{
		r.pay.put(buf.data(), seq);
		while (zmq_send(socket, buf.data(), buf.size(), flags) < 0)
			again();
	}

	void receive(uint64_t seq)
	{
		int n;
		while ((n = zmq_recv(socket, buf.data(), buf.size(), flags)) < 0)
			again();
		r.pay.get(buf.data(), n, seq);
	}
};

int main(int argc, char **argv)
{
	return side::run(argc, argv, [](side::room &r) {
		pairs p(r);
		side::serve_messages(r, p);
	});
}
