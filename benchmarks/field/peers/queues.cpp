// The kernel's message queues: POSIX, a queue for each direction, and System V, a type for each.

#include "meet.hpp"

#include <cerrno>
#include <fcntl.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>

using side::failed;

struct posix {
	side::room &r;
	mqd_t out, in;
	std::vector<char> buf;

	mqd_t open(const char *end)
	{
		mq_attr a = {};
		a.mq_maxmsg = 10; // as many as one may have without privileges
		a.mq_msgsize = r.a.size;
		int wait = r.a.spin() ? O_NONBLOCK : 0;
		mqd_t q = mq_open(("/" + r.a.name() + end).c_str(), O_RDWR | O_CREAT | wait, 0600, &a);
		if (q < 0)
			failed("mq_open");
		return q;
	}

	explicit posix(side::room &r)
	    : r(r), out(open(r.a.first ? "-there" : "-back")), in(open(r.a.first ? "-back" : "-there")), buf(r.a.size)
	{
	}

	~posix()
	{
		if (r.a.first)
			for (const char *end : {"-there", "-back"})
				mq_unlink(("/" + r.a.name() + end).c_str());
	}

	void send(uint64_t seq)
	{
		r.pay.put(buf.data(), seq);
		while (mq_send(out, buf.data(), buf.size(), 0))
			if (errno != EAGAIN && errno != EINTR)
				failed("mq_send");
	}

	void receive(uint64_t seq)
	{
		ssize_t n;
		while ((n = mq_receive(in, buf.data(), buf.size(), nullptr)) < 0)
			if (errno != EAGAIN && errno != EINTR)
				failed("mq_receive");
		r.pay.get(buf.data(), n, seq);
	}
};

struct system_v {
	side::room &r;
	int q, flags;
	std::vector<char> buf; // the type, and the message behind it

	explicit system_v(side::room &r) : r(r), flags(r.a.spin() ? IPC_NOWAIT : 0), buf(sizeof(long) + r.a.size)
	{
		if (!r.a.first) {
			q = side::told(r, "queue");
			return;
		}
		if ((q = msgget(IPC_PRIVATE, 0600)) < 0)
			failed("msgget");
		side::tell(r, "queue", q);
	}

	// Where the file still is, there is a queue to be removed.
	~system_v()
	{
		if (r.a.first && !msgctl(q, IPC_RMID, nullptr))
			unlink(side::file(r, "queue").c_str());
	}

	long type(bool there) const { return there ? 1 : 2; }

	void send(uint64_t seq)
	{
		long t = type(r.a.first);
		memcpy(buf.data(), &t, sizeof t);
		r.pay.put(buf.data() + sizeof t, seq);
		while (msgsnd(q, buf.data(), r.a.size, flags))
			if (errno != EAGAIN && errno != EINTR)
				failed("msgsnd");
	}

	void receive(uint64_t seq)
	{
		ssize_t n;
		while ((n = msgrcv(q, buf.data(), r.a.size, type(!r.a.first), flags)) < 0)
			if (errno != ENOMSG && errno != EINTR)
				failed("msgrcv");
		r.pay.get(buf.data() + sizeof(long), n, seq);
	}
};

int main(int argc, char **argv)
{
	return side::run(argc, argv, [](side::room &r) {
		if (r.a.way == "C posix queue") {
			posix q(r);
			side::serve_messages(r, q);
		} else {
			system_v q(r);
			side::serve_messages(r, q);
		}
	});
}
