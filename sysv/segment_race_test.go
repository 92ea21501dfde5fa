package sysv_test

import (
	"errors"
	"io/fs"
	"sync"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/sysv"
)

func TestAttachingAndRemovingAtOnceEndsCleanly(t *testing.T) {
	for range 300 {
		seg, err := sysv.Create(sysv.Private, 4096, 0o600)
		ok(t, err)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				m, err := seg.Attach(nil)
				if err == nil {
					_, err = m.WriteAt([]byte{1}, 100)
					closeOK(t, m)
				}
				if err != nil && !(errors.Is(err, fs.ErrNotExist) && errors.Is(err, sysv.ErrRemoved)) {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			if err := seg.Remove(); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		_, err = seg.Stat()
		wantGone(t, err)
	}
}

func TestOneOfManyExclusiveCreationsWins(t *testing.T) {
	for range 100 {
		key := freeKey(t)
		var mu sync.Mutex
		var won []*sysv.Segment
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				seg, err := sysv.Create(key, 1, 0o600)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won = append(won, seg)
				case !errors.Is(err, fs.ErrExist):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d exclusive creations of one key worked", len(won))
		}
		ok(t, won[0].Remove())
	}
}

func TestErrorsStandForTheirSentinels(t *testing.T) {
	for errno, names := range map[syscall.Errno]string{
		syscall.EIDRM: removedID, syscall.EACCES: accessDenied, syscall.EPERM: notOwner, syscall.EEXIST: keyTaken,
		syscall.ENOENT: noSuchKey, syscall.EINVAL: invalid, syscall.ENOSPC: limitReached, syscall.ENOMEM: noMemory,
		syscall.EAGAIN: "EAGAIN ErrWouldBlock",
	} {
		err := &sysv.Error{Op: "attach", Object: "segment sysv:0x5eed", Err: errno, Hint: "do this"}
		wantError(t, err, names, "attach segment sysv:0x5eed: "+errno.Error()+": do this")
		err.Hint = ""
		if want := "attach segment sysv:0x5eed: " + errno.Error(); err.Error() != want {
			t.Errorf("without a hint the message is %q, want %q", err, want)
		}
	}
}
