// The kernel's own ways, in C: that they are as fast from Go.

#include "meet.hpp"

#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

using side::failed;

// Two descriptors, or one for both directions.
struct wire {
	side::room &r;
	int in, out;
	std::vector<char> buf;

	wire(side::room &r, int in, int out) : r(r), in(in), out(out), buf(r.a.size)
	{
		for (int fd : {in, out})
			if (r.a.spin() && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
				failed("fcntl");
	}

	void send(uint64_t seq)
	{
		r.pay.put(buf.data(), seq);
		for (size_t at = 0; at < buf.size();) {
			ssize_t n = write(out, buf.data() + at, buf.size() - at);
			if (n > 0)
				at += n;
			else if (errno != EAGAIN && errno != EINTR)
				failed("write");
		}
	}

	void receive(uint64_t seq)
	{
		size_t at = 0;
		while (at < buf.size()) {
			ssize_t n = read(in, buf.data() + at, buf.size() - at);
			if (n > 0)
				at += n;
			else if (n == 0)
				side::fail("the other side has ended");
			else if (errno != EAGAIN && errno != EINTR)
				failed("read");
		}
		r.pay.get(buf.data(), at, seq);
	}
};

static void fifos(side::room &r)
{
	std::string there = r.a.dir + "/there", back = r.a.dir + "/back";
	if (r.a.first && (mkfifo(there.c_str(), 0600) || mkfifo(back.c_str(), 0600)))
		failed("mkfifo");
	// Opened for both, so that nobody waits here.
	int t = side::until([&] { return open(there.c_str(), O_RDWR | O_CLOEXEC); }, "open");
	int b = side::until([&] { return open(back.c_str(), O_RDWR | O_CLOEXEC); }, "open");
	wire w(r, r.a.first ? b : t, r.a.first ? t : b);
	side::serve_messages(r, w);
}

// A socket that B connects to A's, once A was told that B may be there: A answers before it accepts.
struct late {
	side::room &r;
	int listener;
	wire *w = nullptr;

	wire &ready()
	{
		if (!w) {
			int fd = accept(listener, nullptr, nullptr), one = 1;
			if (fd < 0)
				failed("accept");
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
			w = new wire(r, fd, fd);
		}
		return *w;
	}
	void send(uint64_t seq) { ready().send(seq); }
	void receive(uint64_t seq) { ready().receive(seq); }
};

static void unix_stream(side::room &r)
{
	sockaddr_un a = {};
	a.sun_family = AF_UNIX;
	snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", r.a.dir.c_str());
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		failed("socket");
	if (r.a.first) {
		if (bind(fd, (sockaddr *)&a, sizeof a) || listen(fd, 1))
			failed("listen");
		late l{r, fd};
		side::serve_messages(r, l);
	} else {
		side::until([&] { return connect(fd, (sockaddr *)&a, sizeof a); }, "connect");
		wire w(r, fd, fd);
		side::serve_messages(r, w);
	}
}

static void tcp(side::room &r)
{
	sockaddr_in a = {};
	socklen_t n = sizeof a;
	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	if (fd < 0)
		failed("socket");
	if (r.a.first) {
		if (bind(fd, (sockaddr *)&a, sizeof a) || listen(fd, 1) || getsockname(fd, (sockaddr *)&a, &n))
			failed("listen");
		side::tell(r, "port", a.sin_port);
		late l{r, fd};
		side::serve_messages(r, l);
	} else {
		a.sin_port = side::told(r, "port");
		side::until([&] { return connect(fd, (sockaddr *)&a, sizeof a); }, "connect");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		wire w(r, fd, fd);
		side::serve_messages(r, w);
	}
}

// Datagrams: a socket for each side, connected to the other's.
static void unix_datagram(side::room &r)
{
	sockaddr_un mine = {}, other = {};
	mine.sun_family = other.sun_family = AF_UNIX;
	snprintf(mine.sun_path, sizeof mine.sun_path, "%s/%d", r.a.dir.c_str(), r.who());
	snprintf(other.sun_path, sizeof other.sun_path, "%s/%d", r.a.dir.c_str(), 1 - r.who());
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (sockaddr *)&mine, sizeof mine))
		failed("bind");
	side::until([&] { return connect(fd, (sockaddr *)&other, sizeof other); }, "connect");
	wire w(r, fd, fd);
	side::serve_messages(r, w);
}

int main(int argc, char **argv)
{
	return side::run(argc, argv, [](side::room &r) {
		if (r.a.way == "C pipe")
			fifos(r);
		else if (r.a.way == "C unix stream")
			unix_stream(r);
		else if (r.a.way == "C unix datagram")
			unix_datagram(r);
		else if (r.a.way == "C tcp")
			tcp(r);
		else
			side::fail("what is " + r.a.way + "?");
	});
}
