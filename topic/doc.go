// Package topic is publish and subscribe between processes: messages that any number of
// publishers write once, into shared memory, and any number of subscribers read there. No daemon
// is in between, and nobody's death stops the others.
//
//	pub, err := topic.NewPublisher[Reading]("weather", nil) // makes the topic if need be
//	err = pub.Send(ctx, &reading)
//
//	sub, err := topic.NewSubscriber[Reading]("weather", nil) // in another process
//	for msg, err := range sub.Messages(ctx) {
//		if err != nil {
//			return err
//		}
//		use(msg.Data())
//		msg.Release()
//	}
//
// # What is promised
//
// Every subscriber gets the messages of each publisher in their order. Between publishers there is
// none. A reliable subscriber, which is what one is by default, gets all messages from the moment on
// when NewSubscriber returned, and before those the history that the topic keeps: a publisher that
// would overwrite what it has not read waits, or gets ErrFull. A subscriber with best effort holds up nobody: what
// it is too slow for is overwritten, and the next message says how many it has missed, exactly
// (Info.Missed). Somewhat fewer messages than the topic has room for are safe from that: publishers
// say some in advance that they are about to overwrite them.
//
// A message is there whole or not at all, whenever its publisher is killed. Members that are killed
// are in nobody's way: who sleeps goes on within some 100 ms of the kernel having taken the dead
// process apart. A view that is held by somebody who lives stays as it is, also when its
// publisher has died. Nothing that the dead held is lost to the others.
//
// A topic is gone with the last handle that was closed, or killed, unless it is Persistent.
//
// # Delivery and cost
//
// Messages of some 230 bytes or less stand in the slots of a ring, and are copied; larger ones have a chunk of memory of
// their own, and are neither copied by Loan and Publish nor by Receive, whatever their
// size. Publishing costs the same for one subscriber and for sixty-four, measured with a ring of 4,096
// messages: publishers look at subscribers about once a ring, so that a short one costs more. While nobody
// sleeps no system call is made; to wake all who sleep takes one. With few large chunks
// publishers look for free ones more often, as often as Stat.Chunks makes necessary.
//
// All memory is reserved when the topic is made: a publisher has chunks for its ring, for all views
// that all subscribers can hold, and for its loans (Stat tells). One size of chunk serves for all
// messages: a topic for messages of up to 1 MiB takes as much for small ones.
//
// # Views and copies
//
// Receive gives a view, which is held until Release: Message.Data points to shared memory, or to a
// private copy of a message that stands in a slot. A subscriber can hold Options.Held views, and
// release them in any order, in any goroutine; then Receive says ErrTooMany until one is
// released; a channel waits for that. Read copies the message instead, and holds nothing.
//
// Publisher, Subscriber and what they return can be used by any number of goroutines. Two that
// receive from one subscriber share its messages between them.
//
// # Who may write
//
// Subscribers map the messages from a descriptor that can only read. A stray store through
// Message.Data faults (shmkit.Guard) and hurts nobody. Another user who may open the topic, but may not
// write the file of messages (Options.PublishMode), can subscribe and can't publish, nor change a
// message. It can still hold up publishers, by not reading, and disturb other subscribers: they share the file
// that cursors are in. A process of the same user can open any file of that user for writing, so against that it
// protects from mistakes only.
//
// # Traps
//
// A stopped process is alive: a reliable subscriber that is stopped holds up all publishers.
//
// A reliable subscriber holds a publisher up by what it has not received; what it has received and
// not released it only keeps from being overwritten.
//
// A publisher that comes goes on in the place of one that has gone, if there is one: with
// its sequence numbers, and behind its history. Info.Publisher tells them apart.
//
// What is in the memory is the publishers' as well: check what you read. A peer that truncates a file
// makes operations fail with a *shmkit.FaultError, and faults who uses Data
// (shmkit.Guard). In a program built with -race it may end the program.
//
// docs/abi/topic.md describes the layout and every step.
package topic
