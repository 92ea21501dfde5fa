// Package guest is what pshared and a package that keeps a thing of its own in shared
// objects, such as queue, say to each other. The thing has its words and its steps; the mutex
// that guards them, the looking after sleepers, and the order of closing are pshared's.
package guest

import "context"

// Guest is a thing in an object of which pshared has a handle. Shut, Held and Reopen are
// called one after the other while nobody can ask House.Closed.
type Guest interface {
	// Shut makes those who come from now on ask whether the handle is closed, and Held
	// reports then whether this member holds something: the handle stays open, and Reopen
	// undoes it. After Held has said no, nobody comes to hold anything.
	Shut()
	Held() bool
	Reopen()
	// Recall makes all of this process that sleep look again.
	Recall()
	// Look is called each tick while somebody of this process sleeps: it wakes a sleeper if
	// there is something to see that nobody may have woken it for. dead reports whether a
	// member, packed as of House.Me, is dead.
	Look(dead func(who uint32) bool)
}

// House is the handle. Between Enter and Leave the memory is mapped.
type House interface {
	// Enter begins work on the memory, false if the handle is closed.
	Enter() bool
	Leave()
	// Lock takes the mutex, waiting for it until ctx ends; told: whoever had it before died,
	// so that what it guards may be half changed. Unlock gives it back, and Abandon as one
	// whose holder died; Repaired says that what it guards is in order again.
	Lock(ctx context.Context) (told bool, err error)
	Unlock()
	Repaired() error
	Abandon()
	// Sleeps counts the goroutines that sleep, or are about to, up or down.
	Sleeps(n int32)
	// Closed reports whether who waits should give up. A Close that is being decided on is
	// waited for.
	Closed() bool
	// Me is this member, slot and generation, in 30 bits; never 0.
	Me() uint32
	// Could reports whether a member can have written who, and Dead whether that one is dead.
	Could(who uint32) bool
	Dead(who uint32) bool
	// Close ends the membership; of what Held says yes to, the error is pshared.ErrHeld.
	Close() error
}
