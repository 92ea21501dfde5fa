package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/sysv"
)

func processExists(pid int) bool { return sys.ProcessExists(pid) }

// segments finds System V segments that nobody is attached to.
func (e *examination) segments() error {
	if !e.live() {
		return nil // they are of this machine
	}
	all, err := sysv.Segments()
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Attached > 0 {
			continue
		}
		if !e.old(s.ChangeTime, s.AttachTime, s.DetachTime) {
			if e.maybeUsed(s) == "" {
				e.tooYoung(uint64(s.Size))
			}
			continue
		}
		f := Finding{
			Kind: LeakedSegment, Severity: Warning, Object: fmt.Sprintf("sysv:id=%d", s.ID),
			Summary: fmt.Sprintf("System V segment of %s is attached by nobody, and who made it is gone", size(uint64(s.Size))),
			Meaning: "Its memory and its place among SHMMNI segments stay taken until it is removed or the machine starts anew.",
			Evidence: fmt.Sprintf("attach count 0; key %v, uid %d; %s; last used %s",
				s.Key, s.UID, e.makers(s), e.ago(newest(s.ChangeTime, s.AttachTime, s.DetachTime))),
			Command: fmt.Sprintf("shmkit rm sysv:id=%d", s.ID),
		}
		if why := e.maybeUsed(s); why != "" {
			f.Kind, f.Severity, f.Kept = DetachedSegment, Notice, why
			f.Summary = fmt.Sprintf("System V segment of %s is attached by nobody", size(uint64(s.Size)))
			f.Meaning = "It may be wanted still: " + why + "."
		} else if me := os.Geteuid(); me != 0 && uint32(me) != s.UID && uint32(me) != s.CreatorUID {
			f.Kept = fmt.Sprintf("only its owner, user %d, and root may remove it", s.UID)
		} else {
			o := e.Options
			f.mendBy(removeIt, func(context.Context) error { return o.removeSegment(s) })
		}
		e.add(f)
	}
	return nil
}

// makers says what is known of those who made and used a segment.
func (e *examination) makers(s sysv.SegmentInfo) string {
	text := "made by process " + itoa(s.CreatorPID)
	if s.CreatorPID == 0 {
		text = "made by a process of another PID namespace"
	}
	switch s.LastPID {
	case 0:
	case s.CreatorPID:
		text += ", which was the last to use it"
	default:
		text += ", last used by process " + itoa(s.LastPID)
	}
	return text
}

// maybeUsed says why a segment that nobody is attached to may be in use; "" if there is
// no reason to think so.
func (o *Options) maybeUsed(s sysv.SegmentInfo) string {
	switch {
	case s.Attached > 0:
		return fmt.Sprintf("%d attachments", s.Attached)
	case s.Locked:
		return "somebody locked it into memory"
	case s.CreatorPID == 0:
		return "the process that made it is of another PID namespace, and may live"
	case !o.gone(s.CreatorPID):
		return fmt.Sprintf("there is a process %d, the number of the one that made it", s.CreatorPID)
	case s.LastPID == 0 && !s.AttachTime.IsZero():
		return "the last process to attach it is of another PID namespace, and may live"
	case s.LastPID != 0 && !o.gone(s.LastPID):
		return fmt.Sprintf("there is a process %d, the number of the last one to attach or detach it", s.LastPID)
	}
	return ""
}

// removeSegment removes a segment as it was found, if it still is unused.
func (o *Options) removeSegment(found sysv.SegmentInfo) error {
	segment, err := sysv.OpenID(found.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := statSegment(segment)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case now.Permission != found.Permission || now.CreatorPID != found.CreatorPID || now.Size != found.Size || !now.ChangeTime.Equal(found.ChangeTime):
		return ErrChanged
	}
	if why := o.maybeUsed(now); why != "" {
		return fmt.Errorf("%w: %s", ErrInUse, why)
	}
	if !oldEnough(clock(), o.age(), now.ChangeTime, now.AttachTime, now.DetachTime) {
		return ErrRecent
	}
	point("segment:proved")
	if err := segment.Remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Whoever attached it between the two keeps it.
	if after, err := statSegment(segment); err == nil && after.Attached > 0 {
		return fmt.Errorf("%w: it was attached at the very moment; it goes with its last user, and nobody finds it by its key", ErrInUse)
	}
	return nil
}

// statSegment is Stat, also without read permission.
func statSegment(s *sysv.Segment) (sysv.SegmentInfo, error) {
	info, err := s.Stat()
	if !errors.Is(err, fs.ErrPermission) {
		return info, err
	}
	all, err := sysv.Segments()
	if err != nil {
		return sysv.SegmentInfo{}, err
	}
	for _, i := range all {
		if i.ID == s.ID() {
			return i, nil
		}
	}
	return sysv.SegmentInfo{}, fs.ErrNotExist
}

// point is called between the proof and the act; tests come in between there.
var point = func(string) {}
