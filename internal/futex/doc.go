// Package futex is waiting and waking on 32-bit words in shared memory, for processes
// with any number of goroutines. Locks, topics and queues stand on it.
//
// # What it promises
//
// Every wait is on state, not on an edge: a waiter names the value it saw, and sleeps
// only while the word still has it. Whoever changes a word wakes its sleepers after the
// change. So a waiter can miss a wake-up but not a change. nil from Sleep or Wait means
// "look again" and nothing more; callers loop over what they wait for.
//
// Of the words in shared memory this package writes none. It reads them only in the
// kernel, and in a poller, which survives that they are gone. What it keeps is in this
// process, so that a killed process leaves nothing behind that another could stumble on.
//
// # Queues
//
// The waiters of this process stand in queues. Those of Enter, who take turns as at a
// lock, have one queue a word; those of Wait, who all want to see a change, one for each
// word and value. Only the front of a queue sleeps in the kernel. The others are parked:
// goroutines without a thread and without a tick. So a process is one sleeper to the
// kernel, and 12,000 goroutines waiting at one lock cost one thread.
//
//		                 Enter or Wait
//		                       │
//		     queue empty ◀─────┴─────▶ somebody in front
//		          │                          │ Sleep
//		          ▼          called          ▼
//		    ┌── front ◀───────────────── parked ──▶ leaves, when its context ends
//		    │     │ Sleep
//		    │     ├── slot free ──▶ direct: its own goroutine sleeps in the kernel
//		    │     └── none free ──▶ polled: a poller sleeps for it
//		    │            woken, changed, bound, context, memory gone: Sleep returns,
//		    │            and it is front until it sleeps again or leaves
//		    └─ Leave: calls the next
//
//	  - Being in front is a matter of place, not of having been called: a call only
//	    ends the parking. A waiter that is not parked sees its place when it goes to sleep.
//	  - The front calls the next when it leaves. A lock's waiter leaves when it has got the
//	    lock: the next then sleeps in the kernel in time to be woken by the unlock. A
//	    waiter leaves also when it gives up, and that calls the next as well: the one
//	    wake-up that came for this process may have been used up by the one who gave up.
//	  - Whoever is called compares the word with the value it saw last, not with the
//	    present one. So what woke the front, be it a broadcast, reaches all of the queue in
//	    a chain: each returns, looks, leaves, and calls the next.
//	  - Recall marks all and ends their parking at once, out of turn, and then wakes
//	    who sleeps in the kernel. Who is called and marked returns, wherever it stands, to
//	    leave or to park again; no place changes by it. A poller calls those that are
//	    marked. Who is on the way into the kernel may be missed, and keeps the mark.
//	  - The bound counts for fronts only. It is what notices a peer that was killed
//	    between its change and its wake-up, or between being woken and looking; and it is
//	    the caller's tick for looking at a dead peer's lifeline. Those parked need none:
//	    the front has it, and when it leaves they are called.
//
// # Direct sleepers
//
// A front takes one of 64 slots, if one is free, and sleeps itself: nothing is woken
// faster. Without a context that can end it sleeps on the word alone. Otherwise it sleeps
// on two words at once (futex_waitv), the slot's own and the shared one. A context that
// ends counts the slot's word up and wakes it, so that cancelling never wakes a stranger.
//
//	slot's word   written by whoever cancels: + 1, then wake. Never set back.
//	sleeper       reads it, then looks at the context, then sleeps while it is the same.
//
// Cancelled before the reading: the look at the context says so. Between reading and
// sleeping: the kernel finds another value. Afterwards: it is woken. A cancellation
// meant for the slot's owner before makes one round more, and nothing else.
//
// If both words were woken, the kernel names the one that is last in the list: the shared
// one. A sleeper that was woken returns nil, whatever its context says, because the
// wake-up may have been the only one, and whoever used it up has to look.
//
// # Pollers
//
// A front that finds no slot gives itself to a poller: a goroutine that sleeps in one
// call for up to 127 of them, and on a word of its own, control.
//
//	give      under mu: append; if the poller is not awake, it is from now on, and
//	          control + 1 and wake it
//	cancel    the same, with a mark instead of an appended front
//	poller    under mu: look at every front (woken? other value? marked? bound passed?
//	          memory gone?) and call those for which it is so; if there were any, let
//	          them run and look again; else note control, be no longer awake. Sleep on
//	          control as noted, and on all words with the values their fronts saw.
//
// Given between noting and sleeping: the kernel finds another control. All words are
// looked at after every return because the kernel names one of those woken. A
// front belongs to the poller until it is called, also when its context ends: so nobody
// touches its word after Sleep has returned, and a wake-up meanwhile is not lost but
// makes Sleep return nil.
//
// Pollers are started when needed, and end half a second after the last front.
//
// Before Linux 5.16 there is no futex_waitv. There a direct sleeper looks at its context
// each 10 ms, and a poller at its words each millisecond. Nothing else is different.
//
// # Killed
//
//	between changing a word and waking     sleepers find out at their bound
//	parked, asleep, or in front            the kernel forgets its sleepers; the next
//	                                       wake-up goes to another process
//	woken, before it looked                the wake-up is lost: others find out at their
//	                                       bound
//
// explore_test.go visits every interleaving of these steps at small size and shows of
// each what goes wrong without it.
//
// # Traps
//
//   - Between Enter and Leave a goroutine does nothing but look and sleep: it keeps
//     others waiting.
//   - Enter is for those who all wait for the same thing and leave when they have it.
//     Where one may look and sleep on while another would have been content, as with
//     several subscribers of a sequence, it is Wait that they want.
//   - One word has one kind of waiter.
//   - A goroutine that has just made another runnable, by a channel say, and then
//     sleeps directly, takes its processor along until the runtime notices: the other
//     starts some 50 to 100 µs late if no processor is idle. Call runtime.Gosched in
//     between where that matters. It is not done here because it makes the round trip
//     between two processes half as long again.
//
// # Lock order
//
// shard.mu, pool.mu and poller.mu are never held together, and none while sleeping,
// except that a poller reads words, which may fault, under poller.mu: it recovers.
package futex
