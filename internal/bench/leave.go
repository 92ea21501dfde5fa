package bench

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/shmkit/shmkit/sysv"
)

// remove removes it, if it is still there.
func (l leaving) remove() error {
	var err error
	switch l.Kind {
	case "shm":
		var s *sysv.Segment
		if s, err = sysv.OpenID(l.ID); err == nil {
			err = s.Remove()
		}
	case "sem":
		var s *sysv.SemaphoreSet
		if s, err = sysv.OpenSemaphoresID(l.ID); err == nil {
			err = s.Remove()
		}
	case "msg":
		var q *sysv.MessageQueue
		if q, err = sysv.OpenQueueID(l.ID); err == nil {
			err = q.Remove()
		}
	default:
		return fmt.Errorf("what is a %q?", l.Kind)
	}
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EIDRM) {
		return nil
	}
	return err
}
