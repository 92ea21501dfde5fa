package explain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/posixshm"
	"github.com/shmkit/shmkit/sysv"
)

// What an experiment needs of the machine, and what is said where that is missing. It is no
// disagreement: the model has a machine with room for everything, and knows the limits of
// this one, but not what others have taken of them.

// scarce are errors that say that there is not enough of something here, or that nothing may
// be written; and what to do about it.
var scarce = map[syscall.Errno]string{
	syscall.ENOSPC: "what it is made in is full; remove what nobody uses, or make it larger",
	syscall.EDQUOT: "the quota of this user is used up",
	syscall.EROFS:  "what it is made in is mounted read-only; mount it writable (mount -o remount,rw)",
	syscall.ENOMEM: "the machine, or the control group, has no memory left for it",
	syscall.EMFILE: "a process has as many files open as it may (ulimit -n)",
	syscall.ENFILE: "the machine has as many files open as it may (fs.file-max)",
}

// scarcity is the error that an outcome, as text, says to be one of scarce; 0: it is another
// one, or none.
func scarcity(outcome string) syscall.Errno {
	for errno := range scarce {
		if (model.Outcome{Errno: errno}).String() == outcome {
			return errno
		}
	}
	return 0
}

// checkLimits ends the experiment where the limits of this machine are too small for it. The
// model knows them, so it would agree with the kernel in every refusal, and the text would
// speak of what did not happen. No experiment makes a segment that may be refused otherwise.
func (st *stage) checkLimits(op model.Op, out model.Outcome) {
	if op.Call == "shmget" && (out.Errno == syscall.ENOSPC || out.Errno == syscall.EINVAL) {
		st.lab.fail(st.want(op, out.Errno))
	}
}

// checkMeans ends the experiment where the kernel refuses for want of something what the
// model allows.
func (st *stage) checkMeans(op model.Op, out model.Outcome, answer string) {
	if errno := scarcity(answer); errno != 0 && answer != out.String() {
		st.lab.fail(st.want(op, errno))
	}
}

// want is the error of an operation that something is missing for.
func (st *stage) want(op model.Op, errno syscall.Errno) error {
	if op.Call != "shmget" {
		return fmt.Errorf("this machine has not what it needs: %s: %s: %w: %s", op.Proc, st.cast.Text(op), errno, scarce[errno])
	}
	why := "kernel.shmmni, kernel.shmmax or kernel.shmall does not allow it; raise it, or remove segments that nobody uses"
	// The same once more: it is refused as well, unless somebody has just removed one.
	seg, err := sysv.Create(sysv.Private, op.Size, 0o600)
	var refusal *sysv.Error
	if err == nil {
		err = seg.Remove()
	} else if errors.As(err, &refusal) && errors.Is(err, errno) && refusal.Hint != "" {
		why, err = refusal.Hint, nil
	}
	if err != nil {
		why += " (" + err.Error() + ")"
	}
	return fmt.Errorf("the limits of this machine leave no room for it: %s: %s: %w: %s", op.Proc, st.cast.Text(op), errno, why)
}

// checkPosix ends the experiment where no POSIX object of that size can be made.
func checkPosix(name string, size int64) error {
	obj, err := posixshm.Create(name, size, nil)
	if err == nil {
		return errors.Join(obj.Close(), posixshm.Remove(name))
	}
	err = fmt.Errorf("it needs a POSIX object of its own, and there is none to be had: %w", err)
	if errors.Is(err, syscall.EROFS) {
		err = fmt.Errorf("%w; make it writable (mount -o remount,rw %s)", err, posixshm.Default)
	}
	return err
}

// checkRoom tells why a page cannot be written in a folder.
func checkRoom(dir string) error {
	path := filepath.Join(dir, "room")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, pageBytes))
	if err == nil {
		err = f.Sync() // some file systems look for blocks only then
	}
	return errors.Join(err, f.Close(), os.Remove(path))
}

// understood is the answer of the janitor, or the error that it tells of.
func understood(answer string) (string, error) {
	if why, no := strings.CutPrefix(answer, refused); no {
		if text, err := strconv.Unquote(why); err == nil {
			why = text
		}
		return "", errors.New(why)
	}
	return answer, nil
}
