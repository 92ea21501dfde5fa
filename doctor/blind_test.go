package doctor

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

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
