package sysv_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/shmkit/shmkit"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

// segmentRoles are the other processes of the tests of segments.
var segmentRoles = map[string]testenv.Role{"segments": segmentWorker}

// segmentWorker is a process, of another user or elsewhere, that does with one
// segment what it is told, a line each, and answers with "ok …" or "error …".
func segmentWorker([]string) error {
	runtime.LockOSThread() // for "unshare", which changes the calling thread
	var w worker
	for {
		line, err := testenv.Hear()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer, err := w.do(strings.Fields(line))
		if err != nil {
			answer = "error " + describe(err)
		} else {
			answer = "ok " + answer
		}
		if err := testenv.Say("%s", answer); err != nil {
			return err
		}
	}
}

// worker is what a segmentWorker has in its hands.
type worker struct {
	seg *sysv.Segment
	m   *shmkit.Mapping
}

// do carries out one command.
func (w *worker) do(words []string) (answer string, err error) {
	arg := func(i int) int64 {
		n, e := strconv.ParseInt(words[i], 0, 64)
		err = errors.Join(err, e)
		return n
	}
	had := w.seg
	defer func() {
		if w.seg == nil { // what cannot be opened does not take what one has
			w.seg = had
		}
	}()
	switch words[0] {
	case "open":
		w.seg, err = sysv.GetSegment(sysv.Key(arg(1)), arg(2), &sysv.SegmentOptions{
			GetOptions: sysv.GetOptions{Mode: fs.FileMode(arg(3))},
		})
	case "open-id":
		w.seg, err = sysv.OpenID(int(arg(1)))
		if err == nil {
			answer = fmt.Sprint(int32(w.seg.Key()))
		}
	case "create":
		w.seg, err = sysv.Create(sysv.Key(arg(1)), arg(2), fs.FileMode(arg(3)))
		if err == nil {
			answer = fmt.Sprint(w.seg.ID())
		}
	case "create-huge":
		_, err = sysv.GetSegment(sysv.Private, arg(1), &sysv.SegmentOptions{
			GetOptions: sysv.GetOptions{Create: true, Mode: 0o600}, HugePages: true,
		})
	case "attach":
		w.m, err = w.seg.Attach(nil)
	case "attach-ro":
		w.m, err = w.seg.Attach(&sysv.AttachOptions{ReadOnly: true})
	case "attach-exec":
		w.m, err = w.seg.Attach(&sysv.AttachOptions{ReadOnly: true, Exec: true})
	case "attach-at":
		w.m, err = w.seg.Attach(&sysv.AttachOptions{Addr: uintptr(arg(1))})
	case "replace":
		var m *shmkit.Mapping
		if m, err = w.seg.Attach(&sysv.AttachOptions{Replace: w.m}); err == nil {
			w.m = m
		}
	case "close":
		err = w.m.Close()
	case "write":
		_, err = w.m.WriteAt([]byte(words[1]), 0)
	case "read":
		b := make([]byte, arg(1))
		_, err = w.m.ReadAt(b, 0)
		answer = fmt.Sprintf("%q", b)
	case "stat":
		var info sysv.SegmentInfo
		info, err = w.seg.Stat()
		answer = fmt.Sprintf("%+v", info)
	case "set-mode":
		err = w.seg.SetMode(fs.FileMode(arg(1)))
	case "set-owner":
		err = w.seg.SetOwner(int(arg(1)), int(arg(2)))
	case "remove":
		err = w.seg.Remove()
	case "lock":
		err = w.seg.Lock()
	case "unlock":
		err = w.seg.Unlock()
	case "list":
		var all []sysv.SegmentInfo
		all, err = sysv.Segments()
		answer = fmt.Sprintf("%+v", all)
	case "limits":
		var limits sysv.SegmentLimits
		limits, err = sysv.ReadSegmentLimits()
		answer = fmt.Sprintf("%+v", limits)
	case "unshare":
		err = os.NewSyscallError("unshare", syscall.Unshare(syscall.CLONE_NEWIPC))
	case "limit-locked":
		const rlimitMemlock = 8
		n := uint64(arg(1))
		err = syscall.Setrlimit(rlimitMemlock, &syscall.Rlimit{Cur: n, Max: n})
	default:
		err = fmt.Errorf("no command %q", words[0])
	}
	return answer, err
}

// errorNames are the errnos and sentinels that tests ask for, in the order in
// which describe names them.
var errorNames = []struct {
	name string
	err  error
}{
	{"EACCES", syscall.EACCES}, {"EPERM", syscall.EPERM}, {"EINVAL", syscall.EINVAL}, {"EEXIST", syscall.EEXIST},
	{"ENOENT", syscall.ENOENT}, {"EIDRM", syscall.EIDRM}, {"ENOSPC", syscall.ENOSPC}, {"ENOMEM", syscall.ENOMEM},
	{"EFAULT", syscall.EFAULT}, {"EAGAIN", syscall.EAGAIN}, {"EINTR", syscall.EINTR}, {"EBUSY", syscall.EBUSY},
	{"fs.ErrExist", fs.ErrExist}, {"fs.ErrNotExist", fs.ErrNotExist}, {"fs.ErrPermission", fs.ErrPermission},
	{"fs.ErrInvalid", fs.ErrInvalid}, {"fs.ErrClosed", fs.ErrClosed}, {"os.ErrDeadlineExceeded", os.ErrDeadlineExceeded},
	{"ErrRemoved", sysv.ErrRemoved}, {"ErrWouldBlock", sysv.ErrWouldBlock},
	{"shmkit.ErrInUse", shmkit.ErrInUse}, {"shmkit.ErrReadOnly", shmkit.ErrReadOnly},
}

// describe returns the names of all errors that err is, then its message: what
// can be told to another process, and compared.
func describe(err error) string {
	var names []string
	for _, e := range errorNames {
		if errors.Is(err, e.err) {
			names = append(names, e.name)
		}
	}
	return strings.Join(names, " ") + ": " + err.Error()
}
