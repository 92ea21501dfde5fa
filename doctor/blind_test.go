package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shmkit/shmkit/internal/sys"
	"github.com/shmkit/shmkit/internal/testenv"
)

// What a lease does not see is looked for when objects are found, and again when one is to be removed.
func TestWhatNoLeaseTellsOfStays(t *testing.T) {
	for way, want := range map[string]string{
		"looks": "O_PATH", "for nothing": "O_PATH", "looks elsewhere": "O_PATH", "mounts": "it is mounted at", "mounts on it": "something is mounted on it",
	} {
		for _, late := range []bool{false, true} {
			name := way
			if late {
				name += ", after it was found"
			}
			t.Run(name, func(t *testing.T) {
				shm := folder(t)
				path := filepath.Join(shm, "a name")
				put(t, path)
				o, args := &testenv.StartOptions{}, []string{way, path, t.TempDir(), shm}
				if strings.Contains(way, "mounts") || way == "looks elsewhere" {
					o.Cloneflags = syscall.CLONE_NEWNS
					if os.Geteuid() != 0 {
						o.Cloneflags |= syscall.CLONE_NEWUSER
					}
				}
				var f Finding
				if late {
					f, _ = about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
				}
				user := testenv.StartWith(t, o, "user", args...)
				user.Expect("ready")
				if late {
					lookAgain(t)
					if err := Fix(ctx, f); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), want) {
						t.Errorf("Fix: %v, not %q", err, want)
					}
				} else if found := examine(t, Options{Shm: shm, Age: -1}); len(found) > 0 {
					t.Errorf("%+v", found)
				}
				if !exists(t, path) {
					t.Error("it is gone")
				}
				user.Send("look")
				user.Expect("fine")
				user.Kill()
				testenv.Eventually(t, "it is nobody's", func() bool {
					mendAll(t, examine(t, Options{Shm: shm, Age: -1}))
					return !exists(t, path)
				})
			})
		}
	}
}

// lookAgain makes each look at processes too old for the next.
func lookAgain(t *testing.T) {
	t.Helper()
	before := lookFor
	lookFor = 0
	t.Cleanup(func() { lookFor = before })
}

// Somebody uses it, and lets go, after it was looked at and before there is a lease.
func TestWhatWasUsedAMomentAgoStays(t *testing.T) {
	shm := folder(t)
	path := filepath.Join(shm, "x")
	put(t, path)
	hourAgo := time.Now().Add(2 * DefaultAge)
	clock = func() time.Time { return hourAgo }
	defer func() { clock = time.Now }()
	f, _ := about(examine(t, Options{Shm: shm}), "file:"+path)
	at(t, "file:looked", func() {
		if err := os.Chtimes(path, hourAgo, time.Time{}); err != nil {
			t.Error(err)
		}
	})
	if err := Fix(ctx, f); !errors.Is(err, ErrRecent) || list(t, shm) != "x" {
		t.Errorf("Fix: %v; names: %s", err, list(t, shm))
	}
}

// Who has a file open for a moment, to look at it, is not taken for a user.
func TestWhoOnlyLooksIsWaitedFor(t *testing.T) {
	shm := folder(t)
	path := filepath.Join(shm, "x")
	for name, look := range map[string]func(fd int) error{
		"open":   func(int) error { return nil },
		"leased": sys.Lease,
	} {
		t.Run(name, func(t *testing.T) {
			put(t, path)
			f, _ := about(examine(t, Options{Shm: shm, Age: -1}), "file:"+path)
			fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
			if err == nil {
				err = look(fd)
			}
			if err != nil {
				t.Fatal(err)
			}
			at(t, "file:busy", func() { syscall.Close(fd) })
			if err := Fix(ctx, f); err != nil || exists(t, path) {
				t.Errorf("Fix: %v", err)
			}
		})
	}
}

// A layer of an overlay may be in shared memory: who uses a file through the overlay uses that below.
func TestWhatAnOverlayHasStays(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	base, merged := t.TempDir(), t.TempDir()
	testenv.MountTmpfs(t, base, 1<<20)
	mountOverlay(t, base, merged)
	for _, layer := range []string{"lower", "upper"} {
		for _, way := range []string{"reads", "maps", "maps private"} {
			t.Run(way+" "+layer, func(t *testing.T) {
				shm := filepath.Join(base, layer)
				path := filepath.Join(shm, layer+way)
				put(t, path)
				user := testenv.Start(t, "user", way, filepath.Join(merged, layer+way))
				user.Expect("ready")
				found := examine(t, Options{Shm: shm, Age: -1})
				if f, ok := about(found, "file:"+path); ok {
					t.Errorf("%+v", f)
				}
				user.Send("look")
				user.Expect("fine")
				user.Kill()
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
