// Eclipse iceoryx: a publisher and a subscriber for each direction, by loan. The daemon iox-roudi has to run.

#include "side.hpp"

#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>

static iox::capro::IdString_t text(const std::string &s) { return iox::capro::IdString_t(iox::cxx::TruncateToCapacity, s); }

struct topics {
	side::room &r;
	iox::popo::UntypedPublisher out;
	iox::popo::UntypedSubscriber in;
	iox::popo::WaitSet<1> wait;

	static iox::popo::PublisherOptions publisher()
	{
		iox::popo::PublisherOptions o;
		o.historyCapacity = 0U;
		o.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
		return o;
	}

	static iox::popo::SubscriberOptions subscriber()
	{
		iox::popo::SubscriberOptions o;
		o.queueCapacity = 64U;
		o.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
		return o;
	}

	static iox::capro::ServiceDescription service(side::room &r, bool there)
	{
		return {"shmkit-field", text(r.a.name()), text(there ? "there" : "back")};
	}

	explicit topics(side::room &r)
	    : r(r), out(service(r, r.a.first), publisher()), in(service(r, !r.a.first), subscriber())
	{
		if (!r.a.spin())
			wait.attachState(in, iox::popo::SubscriberState::HAS_DATA).or_else([](auto) { side::fail("WaitSet"); });
	}

	void send(uint64_t seq)
	{
		while (!out.hasSubscribers()) // the first time
			sched_yield();
		auto loan = out.loan(r.a.size);
		for (; loan.has_error(); loan = out.loan(r.a.size))
			sched_yield();
		r.pay.put(static_cast<char *>(loan.value()), seq);
		out.publish(loan.value());
	}

	void receive(uint64_t seq)
	{
		for (;;) {
			auto taken = in.take();
			if (!taken.has_error()) {
				r.pay.get(static_cast<const char *>(taken.value()), r.a.size, seq);
				in.release(taken.value());
				return;
			}
			if (!r.a.spin())
				wait.wait();
		}
	}
};

int main(int argc, char **argv)
{
	return side::run(argc, argv, [](side::room &r) {
		std::string name = "shmkit-iox-" + std::to_string(getpid());
		r.unbound([&] { iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name)); });
		topics t(r);
		side::serve_messages(r, t);
	});
}
