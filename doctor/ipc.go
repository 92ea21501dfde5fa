package doctor

import (
	"fmt"

	"github.com/shmkit/shmkit/sysv"
)

const noProof = "the kernel does not know who else has its identifier and is about to use it"

// semaphores finds sets whose last users are gone. Whether others want them is not known.
func (e *examination) semaphores() error {
	if !e.live() {
		return nil
	}
	all, err := sysv.SemaphoreSets()
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := e.ctx.Err(); err != nil {
			return err
		}
		if !e.old(s.OpTime, s.ChangeTime) {
			continue
		}
		last, ok := e.lastUsers(s)
		if !ok {
			continue
		}
		e.add(Finding{
			Kind: IdleSemaphores, Severity: Notice, Object: fmt.Sprintf("sem:id=%d", s.ID),
			Summary: fmt.Sprintf("System V set of %s looks left behind", plural(s.Count, "semaphore")),
			Meaning: "It takes a place among SEMMNI sets and SEMMNS semaphores until it is removed.",
			Evidence: fmt.Sprintf("nobody waits for it; %s; key %v, uid %d; last used %s",
				last, s.Key, s.UID, e.ago(newest(s.OpTime, s.ChangeTime))),
			Command: fmt.Sprintf("shmkit rm sem:id=%d", s.ID),
			Kept:    noProof,
		})
	}
	return nil
}

// lastUsers says who used a set last; ok is false if one of them lives or waits, or that
// cannot be read.
func (e *examination) lastUsers(s sysv.SemaphoreSetInfo) (text string, ok bool) {
	set, err := sysv.OpenSemaphoresID(s.ID)
	if err != nil {
		return "", false
	}
	last := 0
	for i := range s.Count {
		pid, err := set.LastPID(i)
		if err != nil || pid != 0 && !e.gone(pid) {
			return "", false
		}
		if pid != 0 {
			last = pid
		}
		for _, waiting := range []func(int) (int, error){set.Waiting, set.WaitingForZero} {
			if n, err := waiting(i); err != nil || n > 0 {
				return "", false
			}
		}
	}
	switch {
	case last != 0:
		return fmt.Sprintf("the last processes to use it, such as %d, are gone", last), true
	case s.OpTime.IsZero():
		return "nobody ever used it", true
	}
	return "", false // by somebody of another PID namespace
}

// queues finds message queues whose last users are gone, likewise.
func (e *examination) queues() error {
	if !e.live() {
		return nil
	}
	all, err := sysv.MessageQueues()
	if err != nil {
		return err
	}
	for _, q := range all {
		if !e.old(q.SendTime, q.ReceiveTime, q.ChangeTime) || !e.departed(q.LastSendPID, !q.SendTime.IsZero()) || !e.departed(q.LastReceivePID, !q.ReceiveTime.IsZero()) {
			continue
		}
		e.add(Finding{
			Kind: IdleQueue, Severity: Notice, Object: fmt.Sprintf("msg:id=%d", q.ID),
			Summary: fmt.Sprintf("System V message queue with %s looks left behind", plural(q.Messages, "message")),
			Meaning: "It takes a place among MSGMNI queues, and the memory of its messages, until it is removed.",
			Evidence: fmt.Sprintf("the last to send (%s) and to receive (%s) are gone; key %v, uid %d; last used %s",
				process(q.LastSendPID), process(q.LastReceivePID), q.Key, q.UID, e.ago(newest(q.SendTime, q.ReceiveTime, q.ChangeTime))),
			Command: fmt.Sprintf("shmkit rm msg:id=%d", q.ID),
			Kept:    noProof + ", or waits for a message",
		})
	}
	return nil
}

// departed reports whether a user of a queue is gone, or never was.
func (e *examination) departed(pid int, was bool) bool {
	if pid == 0 {
		return !was
	}
	return e.gone(pid)
}

func process(pid int) string {
	if pid == 0 {
		return "nobody"
	}
	return "process " + itoa(pid)
}
