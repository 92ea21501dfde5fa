// Package queue is work queues between processes: items that many push and many pop,
// each to one consumer. They live in shared memory, without a daemon.
//
//	q, err := queue.Open[Job]("resize", nil)
//	err = q.Push(ctx, &job)             // in one process
//
//	item, err := q.Pop(ctx)             // in another one
//	if err := work(item.Data()); err != nil {
//		return item.Retry()
//	}
//	return item.Done()
//
// # What is promised
//
// An item goes to one consumer. If that one is killed before Done, at any instruction, or
// says Retry, it goes to another one, or the same, and says how often it was delivered
// (Deliveries). So an item that was worked on and not done is worked on again: see to it that
// this does no harm. One that was delivered as often as Options.Deliveries allows becomes a
// dead letter, which PopDead reads. A producer that is killed leaves no half item. Nobody
// that dies is in anybody's way: who waits goes on within some 100 ms of the kernel having
// taken the dead process apart; a queue that is never empty gets the items of the dead back as
// well, in about as long.
//
// An item that is held for an hour is in nobody's way either, but for the room that it takes:
// the capacity counts items that wait and items that are held.
//
// Items come in the order in which they were pushed. One that comes back goes in front of
// all that were pushed after it.
//
// A queue is gone when the last handle was closed, or was killed, and nothing is in it. With
// items in it, or dead letters, it stays, for the next one to open it, until Remove or the
// next start of the machine. Options.Persistent keeps it empty as well.
//
// All memory is reserved when the queue is made: Stat tells how much. Push, Pop, Done and
// the like allocate nothing, but when they fail, or sleep with a context, or somebody died.
//
// # In place and by copy
//
// Push copies the item into shared memory; a Loan is room in it to write to, and Push of the
// loan makes an item of it. Item.Data is in shared memory: copy it and call Done to work on a
// copy, at the price that it is gone should the process die.
//
// # Traps
//
// A stopped process is alive: what it holds it keeps, and if it was stopped in the middle of an
// operation, with the queue's mutex, all others wait for it, also those who only try.
//
// What is in the memory is the peers' as well: check what you read. A peer that truncates the
// file makes operations fail with a *shmkit.FaultError, and faults who uses Data
// (shmkit.Guard). In a program built with -race it ends the program. Whoever may open
// the file for writing may disturb everybody: its mode is the access control.
//
// Two handles in one process are two members: what one holds the other can't give back.
//
// # Lock order
//
// The queue's mutex is the last: nothing is waited for while it is held.
//
// docs/abi/queue.md describes the layout and every step.
package queue
