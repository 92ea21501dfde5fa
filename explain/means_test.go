package explain

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shmkit/shmkit/internal/live"
	"github.com/shmkit/shmkit/internal/model"
	"github.com/shmkit/shmkit/internal/testenv"
	"github.com/shmkit/shmkit/posixshm"
	"github.com/shmkit/shmkit/sysv"
)

// toldOnce does an experiment that this machine has not the means for: it ends with an error
// that says what is missing once, nothing disagrees, and nothing is left.
func toldOnce(t *testing.T, e Experiment, opts *Options, errno syscall.Errno, parts ...string) {
	t.Helper()
	r, err := Run(t.Context(), e, opts)
	if !errors.Is(err, errno) && errno != 0 || err == nil || r.Agree || r.Answer != "" {
		t.Fatalf("%s: %v, agree %v, %q", e.Name, err, r.Agree, r.Answer)
	}
	if got := disagreements(r); len(got) > 0 {
		t.Errorf("%s disagrees: %q", e.Name, got)
	}
	for _, part := range parts {
		if n := strings.Count(err.Error(), part); n != 1 {
			t.Errorf("%s: %d of %q in %q", e.Name, n, part, err)
		}
	}
	if strings.Contains(err.Error(), "clean up") {
		t.Errorf("%s: %v", e.Name, err)
	}
}

func TestLimitsThatOthersHaveReachedAreTold(t *testing.T) {
	if !testenv.InPrivateIPC(t) {
		return
	}
	taken, err := sysv.Create(sysv.Private, 2*pageBytes, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Remove()
	for _, c := range []struct {
		path, value string
		experiments []Experiment
		errno       syscall.Errno
		why         string
	}{
		{"kernel/shmmni", "1", []Experiment{lazy(), life(), backing()}, syscall.ENOSPC, "1 segments exist and kernel.shmmni = 1"},
		{"kernel/shmmni", "0", []Experiment{lazy()}, syscall.ENOSPC, "segments exist and kernel.shmmni = 0"},
		{"kernel/shmall", "2", []Experiment{lazy(), life()}, syscall.ENOSPC, "2 of kernel.shmall = 2 pages are taken"},
		{"kernel/shmmax", "100", []Experiment{lazy()}, syscall.EINVAL, "above the limit kernel.shmmax = 100"},
		{"kernel/sem", "10 100 5 0", []Experiment{races(), death()}, 0, "0 sets exist and the limit is 0 (kernel.sem, SEMMNI)"},
		{"kernel/msgmni", "0", []Experiment{fast()}, 0, "0 queues exist and kernel.msgmni = 0"},
	} {
		t.Run(c.path+" is "+c.value, func(t *testing.T) {
			testenv.SetSysctl(t, c.path, c.value)
			for _, e := range c.experiments {
				toldOnce(t, e, nil, c.errno, c.why)
			}
		})
	}
	if ids, err := testenv.SysVIDs(); err != nil || len(ids) != 1 {
		t.Errorf("%v, %v", ids, err)
	}
}

func TestAFullOrReadOnlyShmIsTold(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	shm := string(posixshm.Default)
	testenv.MountTmpfs(t, shm, pageBytes)
	fill := filepath.Join(shm, "fill")
	if err := os.WriteFile(fill, make([]byte, pageBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	toldOnce(t, backing(), nil, syscall.ENOSPC, "0 of 4096 bytes free", "remount,size")
	if r, err := Run(t.Context(), permissions(), nil); err != nil || !r.Agree { // it needs no page
		t.Errorf("permissions: %v, %q", err, disagreements(r))
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", shm, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("remount: %v", err)
	}
	for _, e := range []Experiment{backing(), permissions()} {
		toldOnce(t, e, nil, syscall.EROFS, "its file system is mounted read-only", "remount,rw "+shm)
	}
}

func TestAFolderWithoutRoomIsNoPlaceForFiles(t *testing.T) {
	if !testenv.InPrivateMount(t) {
		return
	}
	full := t.TempDir()
	testenv.MountTmpfs(t, full, pageBytes)
	if err := os.WriteFile(filepath.Join(full, "fill"), make([]byte, pageBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	toldOnce(t, file(), &Options{places: []string{full}}, syscall.ENOSPC, "set TMPDIR", "no space left on device")
	left, err := os.ReadDir(full)
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	r, err := Run(t.Context(), file(), &Options{places: []string{full, t.TempDir()}})
	if err != nil || !r.Agree {
		t.Errorf("with another place: %v, %q", err, disagreements(r))
	}
}

// What is missing in the middle of an experiment ends it, too: the model knows nothing of it.
func TestRefusalsForWantOfSomethingAreNoDisagreement(t *testing.T) {
	for errno := range scarce {
		answer := model.Outcome{Errno: errno}.String()
		r, err := Run(t.Context(), file(), &Options{places: []string{t.TempDir()}, cast: func(p live.Process) live.Process {
			return liar{p, func(question, said string) string {
				if _, rest, ok := strings.Cut(said, "\t"); ok && strings.Contains(question, "B fsync") {
					return answer + "\t" + rest
				}
				return said
			}}
		}})
		if !errors.Is(err, errno) || r.Agree || !strings.Contains(err.Error(), "fsync(") || !strings.Contains(err.Error(), scarce[errno]) {
			t.Errorf("%s: %v, agree %v", answer, err, r.Agree)
		}
		if got := disagreements(r); len(got) > 0 {
			t.Errorf("%s: %q", answer, got)
		}
	}
	for _, other := range []string{"ok", "EACCES", "SIGBUS", "1"} {
		if errno := scarcity(other); errno != 0 {
			t.Errorf("%s is taken for %v", other, errno)
		}
	}
}
