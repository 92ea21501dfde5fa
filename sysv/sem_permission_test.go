package sysv_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/sysv"
)

func TestOthersMayNotOpenSemaphoresWithMoreThanTheModeGives(t *testing.T) {
	s := newSemaphores(t, 1)
	a := asNobody(t)
	key := int(s.Key())
	for mode, allowed := range map[fs.FileMode]map[int]bool{
		0o600: {0: true, 0o400: false, 0o200: false, 0o600: false, 0o004: false},
		0o604: {0: true, 0o400: true, 0o200: false, 0o600: false, 0o004: true},
		0o602: {0: true, 0o400: false, 0o200: true, 0o600: false},
		0o606: {0: true, 0o400: true, 0o200: true, 0o600: true},
	} {
		succeeds(t, s.SetMode(mode))
		for asked, ok := range allowed {
			_, err := a.do("sem-open %d %#o", key, asked)
			switch {
			case ok && err != nil:
				t.Errorf("mode %#o, asked for %#o: %v", mode, asked, err)
			case !ok && err == nil:
				t.Errorf("mode %#o, asked for %#o: works", mode, asked)
			case !ok:
				failsWith(t, err, syscall.EACCES)
				says(t, err, "open semaphore set", "uid 0 gid 0", fmt.Sprintf("mode %04o", uint32(mode)), "this process is uid 65534")
			}
		}
	}
}

func TestOthersMayDoWithSemaphoresWhatTheModeSays(t *testing.T) {
	s := newSemaphores(t, 1)
	a := asNobody(t)
	const read, write = 0o004, 0o002
	for _, c := range []struct {
		command string
		needs   fs.FileMode
	}{
		{"sem-stat %d", read},
		{"sem-value %d 0", read},
		{"sem-values %d", read},
		{"sem-pid %d 0", read},
		{"sem-waiting %d 0", read},
		{"sem-zero-waiting %d 0", read},
		{"sem-try %d 0:0", read},
		{"sem-try %d 0:1", write},
		{"sem-try %d 0:1 0:-1", write},
		{"sem-set %d 0 0", write},
		{"sem-set-all %d 0", write},
	} {
		for _, mode := range []fs.FileMode{0, read, write, read | write} {
			succeeds(t, s.SetValue(0, 0))
			succeeds(t, s.SetMode(0o600|mode))
			_, err := a.do(c.command, s.ID())
			switch {
			case mode&c.needs != 0 && err != nil:
				t.Errorf("mode %#o: %s: %v", mode, c.command, err)
			case mode&c.needs == 0 && err == nil:
				t.Errorf("mode %#o: %s works", mode, c.command)
			case mode&c.needs == 0:
				failsWith(t, err, syscall.EACCES)
				says(t, err, "uid 0 gid 0")
			}
		}
	}
}

func TestOnlyTheOwnerChangesSemaphores(t *testing.T) {
	s := newSemaphores(t, 1)
	succeeds(t, s.SetMode(0o666))
	a := asNobody(t)
	for _, command := range []string{"sem-mode %d 0600", "sem-owner %d 65534 65534", "sem-remove %d"} {
		_, err := a.do(command, s.ID())
		failsWith(t, err, syscall.EPERM)
		says(t, err, "uid 0 gid 0", "only owner, creator or root")
	}
	info, err := s.Stat()
	succeeds(t, err)
	if info.Mode != 0o666 || info.UID != 0 {
		t.Errorf("mode %v, owner %d", info.Mode, info.UID)
	}
}

func TestNewOwnerOfSemaphoresMayDoAll(t *testing.T) {
	s := newSemaphores(t, 1)
	a := asNobody(t)
	succeeds(t, s.SetOwner(65534, -1))
	info, err := s.Stat()
	succeeds(t, err)
	if info.UID != 65534 || info.GID != 0 || info.CreatorUID != 0 || info.CreatorGID != 0 {
		t.Errorf("owner %d:%d, creator %d:%d", info.UID, info.GID, info.CreatorUID, info.CreatorGID)
	}
	a.must("sem-op %d 0:1", s.ID())
	a.must("sem-mode %d 0", s.ID())
	a.must("sem-mode %d 0200", s.ID()) // though it can no longer read it
	a.must("sem-owner %d -1 65534", s.ID())
	info, err = s.Stat()
	succeeds(t, err)
	if info.Mode != 0o200 || info.UID != 65534 || info.GID != 65534 {
		t.Errorf("mode %v, owner %d:%d", info.Mode, info.UID, info.GID)
	}
	a.must("sem-remove %d", s.ID())
}

func TestCreatorKeepsItsRightsOverSemaphores(t *testing.T) {
	testenv.RequireRoot(t)
	a := asNobody(t)
	key := sysv.Key(testenv.Key(t))
	id := number(a.must("sem-create %d 1", key))
	s, err := sysv.OpenSemaphoresID(id)
	succeeds(t, err)
	succeeds(t, s.SetOwner(0, 0))
	info, err := s.Stat()
	succeeds(t, err)
	if info.UID != 0 || info.CreatorUID != 65534 || info.CreatorGID != 65534 {
		t.Errorf("owner %d, creator %d:%d", info.UID, info.CreatorUID, info.CreatorGID)
	}
	a.must("sem-mode %d 0666", id)
	a.must("sem-remove %d", id)
}

func TestOwnersThatAreNone(t *testing.T) {
	s := newSemaphores(t, 1)
	for _, id := range []int{-2, 1<<32 - 1, 1 << 32, 1<<32 + 1} {
		for _, err := range []error{s.SetOwner(id, -1), s.SetOwner(-1, id)} {
			failsWith(t, err, syscall.EINVAL)
			isNot(t, err, fs.ErrNotExist)
		}
	}
	if info, err := s.Stat(); int(info.UID) != os.Geteuid() || int(info.GID) != os.Getegid() || err != nil {
		t.Errorf("owner %d:%d, %v", info.UID, info.GID, err)
	}
}

// Root reads everything; without that capability the mode counts for it, too.
func TestOwnerWithoutReadPermissionCountsNoWaiters(t *testing.T) {
	testenv.RequireRoot(t)
	s := newSemaphores(t, 1)
	succeeds(t, s.SetMode(0o200))
	a := startAgent(t, &testenv.StartOptions{DropCaps: []testenv.Capability{testenv.CapIPCOwner}})
	for _, command := range []string{"sem-waiting %d 0", "sem-zero-waiting %d 0", "sem-value %d 0", "sem-stat %d"} {
		_, err := a.do(command, s.ID())
		failsWith(t, err, syscall.EACCES)
	}
	a.must("sem-op %d 0:1", s.ID())
	a.must("sem-set-all %d 5", s.ID())
	a.must("sem-mode %d 0400", s.ID())
	a.must("sem-waiting %d 0", s.ID())
	_, err := a.do("sem-op %d 0:1", s.ID())
	failsWith(t, err, syscall.EACCES)
	hasValues(t, s, 5)
}

func TestUnreadableSemaphoresAreFoundAndListed(t *testing.T) {
	s := newSemaphores(t, 3)
	a := asNobody(t)
	want := fmt.Sprintf("%v 3 0600", s.Key())
	if got := a.must("sem-listed %d", s.ID()); got != want {
		t.Errorf("listed as %q, expected %q", got, want)
	}
	// The message knows the key, so the key of what is opened by id is known.
	_, err := a.do("sem-value %d 0", s.ID())
	failsWith(t, err, syscall.EACCES)
	says(t, err, s.String())
}

func TestWrongIndexOfUnreadableSemaphoresIsStillEACCES(t *testing.T) {
	s := newSemaphores(t, 1)
	a := asNobody(t)
	_, err := a.do("sem-value %d 0", s.ID())
	failsWith(t, err, syscall.EACCES)
	// EFBIG is found before the permission is looked at, and explained.
	_, err = a.do("sem-try %d 7:1", s.ID())
	failsWith(t, err, syscall.EFBIG)
	says(t, err, "has semaphores 0 to 0")
}

func TestSemaphoreModeChangeAdvancesTheChangeTime(t *testing.T) {
	s := newSemaphores(t, 1)
	before, err := s.Stat()
	succeeds(t, err)
	begin := time.Now()
	testenv.Eventually(t, "the change time advances", func() bool {
		succeeds(t, s.SetMode(0o644))
		now, err := s.Stat()
		succeeds(t, err)
		if now.Mode != 0o644 || !now.OpTime.IsZero() {
			t.Fatalf("mode %v, operation time %v", now.Mode, now.OpTime)
		}
		isRecent(t, "change time", now.ChangeTime, begin)
		return now.ChangeTime.After(before.ChangeTime)
	})
}

func TestChangingOneThingOfSemaphoresKeepsTheOthers(t *testing.T) {
	s := newSemaphores(t, 1)
	before, err := s.Stat()
	succeeds(t, err)
	succeeds(t, s.SetMode(0o421))
	succeeds(t, s.SetOwner(-1, -1))
	now, err := s.Stat()
	succeeds(t, err)
	before.Mode, before.ChangeTime = 0o421, now.ChangeTime
	if now != before {
		t.Errorf("now %+v\nbefore %+v", now, before)
	}
}

// In a user namespace a number can be a valid uid and mean nobody.
func TestOwnerUnknownToTheUserNamespace(t *testing.T) {
	testenv.RequireRoot(t)
	if limit, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err != nil || string(limit) == "0\n" {
		t.Skipf("the kernel has no user namespaces, or allows none: %q, %v", limit, err)
	}
	a := startAgent(t, &testenv.StartOptions{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWIPC})
	key := testenv.Key(t) // of this namespace, but nobody has it there either
	id := a.must("sem-create %d 1", key)
	_, err := a.do("sem-owner %s 12345 -1", id)
	failsWith(t, err, syscall.EINVAL)
	says(t, err, "user namespace")
	if strings.Contains(err.Error(), "no such identifier") {
		t.Errorf("the set exists: %v", err)
	}
	queue := a.must("msg-create %d", key)
	_, err = a.do("msg-owner %s 12345 -1", queue)
	failsWith(t, err, syscall.EINVAL)
	says(t, err, "user namespace")
}
